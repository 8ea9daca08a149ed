package psa_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// one is an instance of a single ticket.
type one struct {
	mu  sync.Mutex
	did []string
}

func (o *one) note(what string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.did = append(o.did, what)
	return nil
}

func (o *one) Tickets() []psa.Ticket {
	return []psa.Ticket{{
		ID: 7, Number: "#7", Title: "<script>alert(1)</script>", Company: `"><img src=x onerror=alert(2)>`,
		Notes: []psa.Note{{Text: "</pre><script>alert(3)</script>", By: "<b>x</b>"}},
	}}
}
func (o *one) Close(int, string) error            { return o.note("close") }
func (o *one) SetStatus(int, int, string) error   { return o.note("status") }
func (o *one) Note(_ int, text, who string) error { return o.note(who + ": " + text) }
func (o *one) Merge(int, int, string) error       { return errors.New("no such ticket") }
func (o *one) Delete(int, string) error           { return o.note("delete") }

func TestPage(t *testing.T) {
	t.Parallel()
	people := &one{}
	mux := http.NewServeMux()
	psa.Steer(mux, "PSA", people, psa.NewFaults(1), nil, "/ticket")
	server := httptest.NewServer(mux)
	defer server.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	call := func(r *http.Request) (int, string) {
		resp, err := client.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	get := func(path string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		require.NoError(t, err)
		status, body := call(r)
		require.Equal(t, http.StatusOK, status)
		return body
	}
	post := func(path, site string, form url.Values) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", site)
		status, _ := call(r)
		return status
	}

	for _, path := range []string{"/", "/ticket?id=7"} {
		text := get(path)
		require.Contains(t, text, "#7")
		for _, hostile := range []string{"<script>", "<img", "<b>x"} {
			require.NotContains(t, text, hostile, "texts of tickets are no markup")
		}
	}
	require.NotContains(t, get("/ticket?id=8"), "#7")

	require.Equal(t, http.StatusSeeOther, post("/_simulator/tickets/7/note", "same-origin", url.Values{"text": {"seen"}}))
	require.Equal(t, http.StatusSeeOther, post("/_simulator/tickets/7/close", "same-origin", nil))
	require.Equal(t, http.StatusBadRequest, post("/_simulator/tickets/7/merge", "same-origin", url.Values{"into": {"9"}}))
	require.Equal(t, http.StatusBadRequest, post("/_simulator/tickets/7/explode", "same-origin", nil))
	require.Equal(t, http.StatusForbidden, post("/_simulator/tickets/7/delete", "cross-site", nil))
	people.mu.Lock()
	defer people.mu.Unlock()
	require.Equal(t, []string{"technician: seen", "close"}, people.did)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	faults := psa.NewFaults(1)
	var done atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		faults.Serve(w, r, strings.TrimPrefix(r.URL.Path, "/"), func(int) any { return "refused" }, func() psa.Answer {
			done.Add(1)
			return psa.Answer{Status: http.StatusOK, Body: "done"}
		})
	}))
	defer server.Close()
	call := func(method, path string) (int, http.Header, error) {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, http.NoBody)
		require.NoError(t, err)
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return 0, nil, err
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header, nil
	}
	faults.Set(psa.Fault{Method: http.MethodPost, Resource: "tickets/*/notes", Drop: true, AfterCommit: true, Times: 1})
	_, _, err := call(http.MethodPost, "/tickets/12/notes")
	require.Error(t, err)
	require.EqualValues(t, 1, done.Load(), "it was done all the same")
	status, _, err := call(http.MethodPost, "/tickets/12/notes")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "once was enough")

	faults.Set(psa.Fault{Status: http.StatusTooManyRequests, RetryAfter: 7, HTML: true})
	status, header, err := call(http.MethodGet, "/tickets")
	require.NoError(t, err)
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Equal(t, "7", header.Get("Retry-After"))
	require.EqualValues(t, 2, done.Load())
	faults.Set(psa.Fault{Pass: true, Delay: time.Millisecond})
	status, _, err = call(http.MethodGet, "/tickets")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, 3, done.Load())
}

func TestClock(t *testing.T) {
	t.Parallel()
	machine := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	start := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	clock := psa.NewClock(start, 60, func() time.Time { return machine })
	machine = machine.Add(time.Minute)
	require.Equal(t, start.Add(time.Hour), clock.Now())
	clock.SetSpeed(1)
	machine = machine.Add(time.Minute)
	require.Equal(t, start.Add(time.Hour+time.Minute), clock.Now())
	clock.Advance(24 * time.Hour)
	require.Equal(t, start.Add(25*time.Hour+time.Minute), clock.Now())
}
