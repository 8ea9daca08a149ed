package psatest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// tried is a call of an adapter, and whether it writes.
type tried struct {
	name   string
	writes bool
	do     func(context.Context) error
}

// calls are one of each kind.
func (s *suite) calls(t *testing.T, a psa.Adapter, ticketID string) []tried {
	t.Helper()
	in, note := s.newTicket(t), s.newNote(t, "y")
	return []tried{
		{"create", true, func(ctx context.Context) error { _, err := a.CreateTicket(ctx, in); return err }},
		{"update", true, func(ctx context.Context) error {
			_, err := a.UpdateTicket(ctx, ticketID, psa.Change{Title: "y"})
			return err
		}},
		{"note", true, func(ctx context.Context) error { _, err := a.AddNote(ctx, ticketID, note); return err }},
		{"find", false, func(ctx context.Context) error { _, err := a.FindTickets(ctx, in.Reference); return err }},
		{"read one", false, func(ctx context.Context) error { _, err := a.ReadTicket(ctx, ticketID); return err }},
		{"read some", false, func(ctx context.Context) error { _, err := a.ReadTickets(ctx, []string{ticketID}); return err }},
		{"notes", false, func(ctx context.Context) error { _, err := a.Notes(ctx, ticketID); return err }},
		{"companies", false, func(ctx context.Context) error { _, _, err := a.Companies(ctx, "", ""); return err }},
		{"verify", false, func(ctx context.Context) error { _, err := a.Verify(ctx); return err }},
	}
}

// warm has the adapter ask for what it keeps, so that a call is the one that is
// meant, and not one that prepares it.
func (s *suite) warm(t *testing.T, a psa.Adapter, ticketID string) {
	t.Helper()
	s.proxy.behave()
	_, err := a.ReadTickets(t.Context(), []string{ticketID})
	require.NoError(t, err)
}

func (s *suite) everyStatus(t *testing.T) {
	id := s.made(t).ID
	for _, c := range s.calls(t, s.psa, id) {
		for status := 300; status < 600; status++ {
			if http.StatusText(status) == "" {
				continue
			}
			s.warm(t, s.psa, id)
			s.proxy.answer(status, "text/html", "<html>"+strings.Join(s.secrets(), " ")+"</html>", nil)
			err := c.do(t.Context())
			s.proxy.behave()
			if status == http.StatusForbidden && err == nil {
				continue // Verify reports a missing right, and does not fail
			}
			e := s.fails(t, err)
			require.Equal(t, status >= 500 || status == 408 || status == 409 || status == 412 || status == 423 || status == 429, e.Retryable, "%s: %d", c.name, status)
			if status >= 500 {
				require.Equal(t, c.writes, e.MaybeDone, "%s: %d", c.name, status)
			}
			switch status {
			case http.StatusUnauthorized:
				require.Equal(t, psa.ReasonCredentials, e.Reason, c.name)
			case http.StatusForbidden:
				require.Equal(t, psa.ReasonPermission, e.Reason, c.name)
			case http.StatusTooManyRequests:
				require.Equal(t, psa.ReasonThrottled, e.Reason, c.name)
				require.False(t, e.MaybeDone, c.name)
			}
		}
	}
}

func (s *suite) retryAfter(t *testing.T) {
	id := s.made(t).ID
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "": 0, "nonsense": 0, "-5": 0, "99999999": time.Hour} {
		h := http.Header{}
		if header != "" {
			h.Set("Retry-After", header)
		}
		s.warm(t, s.psa, id)
		s.proxy.answer(http.StatusTooManyRequests, "text/html", "<html>slow down</html>", h)
		_, err := s.psa.FindTickets(t.Context(), "x")
		s.proxy.behave()
		require.Equal(t, want, s.fails(t, err).After, header)
	}
}

func (s *suite) droppedBefore(t *testing.T) {
	id := s.made(t).ID
	for _, c := range s.calls(t, s.psa, id) {
		s.warm(t, s.psa, id)
		s.proxy.dropBefore()
		e := s.fails(t, c.do(t.Context()))
		s.proxy.behave()
		require.True(t, e.Retryable, c.name)
		require.Equal(t, c.writes, e.MaybeDone, "%s: from here nobody can tell", c.name)
	}
}

func (s *suite) droppedAfterCommit(t *testing.T) {
	in := s.newTicket(t)
	s.proxy.dropAfter()
	_, err := s.psa.CreateTicket(t.Context(), in)
	s.proxy.behave()
	e := s.fails(t, err)
	require.True(t, e.MaybeDone)
	require.True(t, e.Retryable)
	require.Equal(t, 1, s.Count(in.Reference))
	found, err := s.psa.FindTickets(t.Context(), in.Reference)
	require.NoError(t, err)
	require.Len(t, found, 1, "what was done is found")

	note := s.newNote(t, "note [marker/7]")
	s.proxy.dropAfter()
	_, err = s.psa.AddNote(t.Context(), found[0].ID, note)
	s.proxy.behave()
	require.True(t, s.fails(t, err).MaybeDone)
	all, err := s.psa.Notes(t.Context(), found[0].ID)
	require.NoError(t, err)
	require.Contains(t, all[len(all)-1].Text, "[marker/7]")
}

func (s *suite) noAnswerInTime(t *testing.T) {
	id := s.made(t).ID
	for _, c := range s.calls(t, s.psa, id) {
		s.warm(t, s.psa, id)
		release := s.proxy.hang()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		e := s.fails(t, c.do(ctx))
		cancel()
		release()
		require.Equal(t, psa.ReasonTimeout, e.Reason, c.name)
		require.True(t, e.Retryable, c.name)
		require.Equal(t, c.writes, e.MaybeDone, c.name)
	}
}

func (s *suite) nobodyThere(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	address := gone.URL
	gone.Close()
	in := s.newTicket(t)
	_, err := s.open(t, address, nil).CreateTicket(t.Context(), in)
	e := s.fails(t, err)
	require.Equal(t, psa.ReasonUnavailable, e.Reason)
	require.True(t, e.Retryable)
	require.False(t, e.MaybeDone, "nobody was reached")
}

func (s *suite) garbage(t *testing.T) {
	id := s.made(t).ID
	in := s.newTicket(t)
	for _, body := range []string{"", "<html>", `{"id": "x"`, "null", `[[[]]]`, strings.Repeat("[", 100_000)} {
		s.warm(t, s.psa, id)
		s.proxy.answer(http.StatusOK, "application/json", body, nil)
		_, err := s.psa.CreateTicket(t.Context(), in)
		s.proxy.behave()
		e := s.fails(t, err)
		require.True(t, e.MaybeDone, body)
		require.Equal(t, psa.ReasonProtocol, e.Reason, body)
	}
}

// wrongSecret enters another for each that is secret.
func (s *suite) wrongSecret(t *testing.T) {
	for _, f := range s.Vendor.Fields {
		if !f.Secret {
			continue
		}
		a := s.open(t, s.proxy.url, func(fields map[string]string) { fields[f.Name] = "another" })
		_, err := a.Verify(t.Context())
		e := s.fails(t, err)
		require.Equal(t, psa.ReasonCredentials, e.Reason, f.Name)
		require.False(t, e.Retryable, f.Name)
	}
}

// redirect sees that credentials go nowhere else.
func (s *suite) redirect(t *testing.T) {
	s.warm(t, s.psa, s.made(t).ID)
	asked := make(chan string, 100)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() }))
	defer elsewhere.Close()
	s.proxy.answer(http.StatusFound, "text/html", "", http.Header{"Location": {elsewhere.URL}})
	_, err := s.psa.FindTickets(t.Context(), "x")
	s.proxy.behave()
	require.Equal(t, psa.ReasonProtocol, s.fails(t, err).Reason)
	require.Empty(t, asked, "a redirect was followed")
}
