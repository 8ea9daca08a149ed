package connectwise_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/connectwise"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/connectwise"
)

func TestCallbacks(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	calls := make(chan psa.CallbackCall, 10)
	paths := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- psa.CallbackCall{Header: r.Header, Body: body}
		paths <- r.URL.RequestURI()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	go s.Deliver(t.Context())
	url := receiver.URL + "/webhooks/psa/connection"

	for _, board := range []string{"2", "1"} {
		state, err := a.EnsureCallbacks(t.Context(), psa.Callbacks{Board: board, URL: url})
		require.NoError(t, err)
		require.True(t, state.Changed, "another board, another callback")
		require.Len(t, s.Callbacks(), 1)
	}
	made, err := a.CreateTicket(t.Context(), psa.NewTicket{Title: "x", Description: "x", CompanyID: "2", Settings: map[psa.Setting]string{psa.SettingBoard: "1"}})
	require.NoError(t, err)
	require.NoError(t, s.Close(s.Tickets()[0].ID, "technician"))
	got := <-calls // our own making of it was not called back
	require.Equal(t, "/webhooks/psa/connection?recordId="+made.ID, <-paths)
	called, err := a.ReadCallback(t.Context(), got)
	require.NoError(t, err)
	require.Equal(t, []string{made.ID}, called.TicketIDs)

	forged := func(name string, header http.Header, body []byte) {
		_, err := a.ReadCallback(t.Context(), psa.CallbackCall{Header: header, Body: body})
		require.Equal(t, psa.ReasonForged, reason(t, err).Reason, name)
	}
	forged("no signature", http.Header{}, got.Body)
	forged("another body", got.Header, append([]byte(" "), got.Body...))
	elsewhere := map[string]any{}
	require.NoError(t, json.Unmarshal(got.Body, &elsewhere))
	elsewhere["Metadata"] = map[string]string{"key_url": receiver.URL + "/signing-key/1"}
	body, err := json.Marshal(elsewhere)
	require.NoError(t, err)
	forged("its key lies elsewhere", http.Header{"X-Content-Signature": {s.Sign(body)}}, body)
	require.Empty(t, calls, "no key was asked for elsewhere")
}

func FuzzReadCallback(f *testing.F) {
	a, err := connectwise.New(fields("https://192.0.2.1"), &http.Client{Transport: nobody{}}, time.Now)
	require.NoError(f, err)
	f.Add([]byte(`{"ID":1,"CompanyId":"alpinemsp","Metadata":{"key_url":"https://192.0.2.1/k"}}`), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		called, err := a.ReadCallback(t.Context(), psa.CallbackCall{Header: http.Header{"X-Content-Signature": {signature}}, Body: body})
		require.Error(t, err)
		require.Empty(t, called.TicketIDs)
	})
}

// nobody answers no call.
type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func TestForgedCallbacksDoNotMakeUsCall(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{})
	keys := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/signing-key/1" {
			keys++
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	a := open(t, fields(server.URL))
	body, err := json.Marshal(map[string]any{
		"ID": 1, "CompanyId": simulated.DemoCompanyID, "Metadata": map[string]string{"key_url": server.URL + "/signing-key/1"},
	})
	require.NoError(t, err)
	for range 20 {
		_, err := a.ReadCallback(t.Context(), psa.CallbackCall{Header: http.Header{"X-Content-Signature": {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}, Body: body})
		require.Error(t, err)
	}
	require.Equal(t, 1, keys)
}
