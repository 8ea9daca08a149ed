package autotask_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/autotask"
	simulator "github.com/cairn-itdr/cairn/internal/simulator/psa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/autotask"
)

const secret = "aSecretOfThirtyTwoCharactersOrSo"

func TestReadCallback(t *testing.T) {
	t.Parallel()
	_, a := instance(t)
	sum := func(body string) []byte {
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(body))
		return mac.Sum(nil)
	}
	read := func(body, signature string) (psa.Called, error) {
		return a.ReadCallback(t.Context(), psa.CallbackCall{Header: http.Header{"X-Hook-Signature": {signature}}, Body: []byte(body), Secret: secret})
	}
	const update = `{"Action":"Update","Guid":"g","EntityType":"Ticket","Id":12,"Fields":{},"SequenceNumber":3}`
	for _, signature := range []string{
		"sha1=" + base64.StdEncoding.EncodeToString(sum(update)), base64.StdEncoding.EncodeToString(sum(update)),
		"sha1=" + hex.EncodeToString(sum(update)), hex.EncodeToString(sum(update)),
	} {
		called, err := read(update, signature)
		require.NoError(t, err, signature)
		require.Equal(t, []string{"12"}, called.TicketIDs)
		require.False(t, called.Ended)
	}
	for _, signature := range []string{"", "sha1=", "nonsense", "sha1=" + hex.EncodeToString(sum(update+" "))} {
		_, err := read(update, signature)
		require.Equal(t, psa.ReasonForged, reason(t, err).Reason, signature)
	}
	for body, want := range map[string]psa.Called{
		`{"Action":"Deactivated","Guid":"g","EntityType":"Ticket","Id":0}`: {Ended: true},
		`{"Action":"Update","EntityType":"TicketNote","Id":12}`:            {},
		`{"Action":"Update","EntityType":"Ticket","Id":-1}`:                {},
		`{"Action":"Delete","EntityType":"Ticket","Id":9}`:                 {TicketIDs: []string{"9"}},
	} {
		called, err := read(body, hex.EncodeToString(sum(body)))
		require.NoError(t, err)
		require.Equal(t, want, called, body)
	}
}

// receive takes in what is called.
func receive(t *testing.T, status int) (string, chan psa.CallbackCall) {
	t.Helper()
	calls := make(chan psa.CallbackCall, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- psa.CallbackCall{Header: r.Header, Body: body, Secret: secret}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

func TestOurOwnChangesAreNotToldOf(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	go s.Deliver(t.Context())
	url, calls := receive(t, http.StatusOK)
	_, err := a.EnsureCallbacks(t.Context(), psa.Callbacks{URL: url, Secret: secret})
	require.NoError(t, err)
	made := create(t, a, newTicket("r-1"))
	_, err = a.UpdateTicket(t.Context(), made.ID, psa.Change{Title: "another"})
	require.NoError(t, err)
	id, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	require.NoError(t, s.Close(id, simulator.Technician))
	called, err := a.ReadCallback(t.Context(), <-calls)
	require.NoError(t, err)
	require.Equal(t, []string{made.ID}, called.TicketIDs)
	require.Empty(t, calls, "one call: the person's")
}

func TestDeactivation(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.InactiveAfter = 2 })
	go s.Deliver(t.Context())
	url, calls := receive(t, http.StatusInternalServerError)
	want := psa.Callbacks{URL: url, Secret: secret}
	_, err := a.EnsureCallbacks(t.Context(), want)
	require.NoError(t, err)
	made := create(t, a, newTicket("r-1"))
	id, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	for _, status := range []int{8, 7} {
		require.NoError(t, s.SetStatus(id, status, simulator.Technician))
		<-calls
	}
	called, err := a.ReadCallback(t.Context(), <-calls)
	require.NoError(t, err)
	require.True(t, called.Ended)
	require.Empty(t, s.Callbacks())
	state, err := a.EnsureCallbacks(t.Context(), want)
	require.NoError(t, err)
	require.True(t, state.Changed)
	require.Len(t, s.Callbacks(), 1)
}

// A webhook whose making was cut short is never called: it is made anew.
func TestHalfMadeWebhook(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	want := psa.Callbacks{URL: "https://cairn.example/webhooks/psa/x", Secret: secret}
	s.SetFaults(simulator.Fault{Method: http.MethodPost, Resource: "TicketWebhooks/*/Fields", Status: http.StatusBadGateway, HTML: true})
	_, err := a.EnsureCallbacks(t.Context(), want)
	require.True(t, reason(t, err).Retryable)
	require.Empty(t, s.Callbacks())
	s.SetFaults()
	_, err = a.EnsureCallbacks(t.Context(), want)
	require.NoError(t, err)
	require.Len(t, s.Callbacks(), 1)
}

func FuzzReadCallback(f *testing.F) {
	a, err := autotask.New(fields("https://192.0.2.1"), &http.Client{}, time.Now)
	require.NoError(f, err)
	f.Add([]byte(`{"Action":"Update","EntityType":"Ticket","Id":12}`), true)
	f.Add([]byte(`{"Action":"Deactivated","Id":1e99}`), true)
	f.Fuzz(func(t *testing.T, body []byte, honest bool) {
		signature := "sha1=AAAAAAAAAAAAAAAAAAAAAAAAAAA="
		if honest {
			signature = simulated.Sign(secret, body)
		}
		called, err := a.ReadCallback(t.Context(), psa.CallbackCall{Header: http.Header{"X-Hook-Signature": {signature}}, Body: body, Secret: secret})
		if !honest {
			require.Error(t, err)
		}
		for _, id := range called.TicketIDs {
			n, err := strconv.Atoi(id)
			require.NoError(t, err)
			require.Positive(t, n)
		}
	})
}
