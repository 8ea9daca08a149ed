package psatest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// callbacks registers them, has a person do something, and reads what comes.
func (s *suite) callbacks(t *testing.T) {
	// Straight to the PSA: what it sends names where it is.
	a, ok := s.open(t, s.URL, nil).(psa.CallbackReceiver)
	if !ok {
		t.Skip("this PSA does not call back")
	}
	calls := make(chan psa.CallbackCall, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- psa.CallbackCall{Header: r.Header, Body: body}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	go s.Deliver(t.Context())

	made := s.made(t)
	secret := fresh()[len("psatest-"):]
	want := psa.Callbacks{Board: made.Settings[psa.SettingBoard].ID, URL: receiver.URL + "/webhooks/psa/connection", Secret: secret}
	before := len(s.Receivers())
	state, err := a.EnsureCallbacks(t.Context(), want)
	require.NoError(t, err)
	require.True(t, state.Changed)
	if state.Secret != "" {
		secret = state.Secret
	}
	again, err := a.EnsureCallbacks(t.Context(), want)
	require.NoError(t, err)
	require.False(t, again.Changed, "one is enough")
	require.Len(t, s.Receivers(), before+1)

	require.NoError(t, s.Person.Close(made.ID))
	call := <-calls
	call.Secret = secret
	called, err := a.ReadCallback(t.Context(), call)
	require.NoError(t, err)
	require.Contains(t, called.TicketIDs, made.ID)
	s.forgeries(t, a, call)

	require.NoError(t, a.RemoveCallbacks(t.Context(), want.URL))
	require.Len(t, s.Receivers(), before)
	require.NoError(t, a.RemoveCallbacks(t.Context(), want.URL), "there is nothing left to remove")
}

// forgeries are calls that nobody but the PSA could have made, and did not.
func (s *suite) forgeries(t *testing.T, a psa.CallbackReceiver, call psa.CallbackCall) {
	t.Helper()
	for name, forged := range map[string]psa.CallbackCall{
		"no proof": {Body: call.Body, Secret: call.Secret},
		"no body":  {Header: call.Header, Secret: call.Secret},
		"no JSON":  {Header: call.Header, Body: []byte("x"), Secret: call.Secret},
	} {
		called, err := a.ReadCallback(t.Context(), forged)
		if name == "no proof" || err != nil {
			require.Equal(t, psa.ReasonForged, s.fails(t, err).Reason, name)
		}
		require.Empty(t, called.TicketIDs, name)
	}
	if other := call; call.Secret != "" {
		other.Secret = ""
		if _, err := a.ReadCallback(t.Context(), other); err != nil { // where the secret is ours none proves nothing
			require.Equal(t, psa.ReasonForged, s.fails(t, err).Reason)
		}
	}
}
