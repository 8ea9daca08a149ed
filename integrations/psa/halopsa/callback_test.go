package halopsa_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/halopsa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/halopsa"
)

const secret = "aSecretOfThirtyTwoCharactersOrSo"

func TestBatches(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.BatchedWebhooks = true })
	calls := make(chan psa.CallbackCall, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- psa.CallbackCall{Header: r.Header, Body: body, Secret: secret}
	}))
	t.Cleanup(receiver.Close)
	go s.Deliver(t.Context())
	made := create(t, a, newTicket("r-1"))
	_, err := a.EnsureCallbacks(t.Context(), psa.Callbacks{URL: receiver.URL, Secret: secret})
	require.NoError(t, err)
	id, err := strconv.Atoi(made.ID)
	require.NoError(t, err)
	require.NoError(t, s.Close(id, "technician"))
	called, err := a.ReadCallback(t.Context(), <-calls)
	require.NoError(t, err)
	require.Equal(t, []string{made.ID}, called.TicketIDs)
}

func TestReadCallback(t *testing.T) {
	t.Parallel()
	_, a := instance(t)
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("cairn", secret)
	for _, c := range []struct {
		body string
		want []string
	}{
		{`{"id":"b0c5","event":"x","object_id":"12","timestamp":"y"}`, []string{"12"}},
		{`[{"ticket":{"id":12,"agent_id":3}},{"ticket_id":13},{"ticket":{"id":12}}]`, []string{"12", "13"}},
		{`{"events":[{"action":{"ticket_id":14,"id":2}}]}`, []string{"14"}},
		{`{"id":99,"agent_id":3}`, nil},
		{`{"ticket":{"id":-1},"object_id":1.5,"ticket_id":"1 or 1=1"}`, nil},
	} {
		called, err := a.ReadCallback(t.Context(), psa.CallbackCall{Header: r.Header, Body: []byte(c.body), Secret: secret})
		require.NoError(t, err)
		require.Equal(t, c.want, called.TicketIDs, c.body)
	}
	deep := strings.Repeat(`{"data":`, 8) + `{"ticket_id":1}` + strings.Repeat("}", 8)
	called, err := a.ReadCallback(t.Context(), psa.CallbackCall{Header: r.Header, Body: []byte(deep), Secret: secret})
	require.NoError(t, err)
	require.Empty(t, called.TicketIDs)
	for _, wrong := range []psa.CallbackCall{
		{Header: r.Header, Body: []byte("{}"), Secret: "another"}, {Header: r.Header, Body: []byte("{}")}, {Body: []byte("{}"), Secret: secret},
	} {
		_, err := a.ReadCallback(t.Context(), wrong)
		require.Equal(t, psa.ReasonForged, reason(t, err).Reason)
	}
}

func TestWebhookThatStopped(t *testing.T) {
	t.Parallel()
	s, a := instance(t)
	want := psa.Callbacks{URL: "https://cairn.example/webhooks/psa/x", Secret: secret}
	_, err := a.EnsureCallbacks(t.Context(), psa.Callbacks{URL: want.URL})
	require.Equal(t, "secret", reason(t, err).Field)
	s.Behave(func(b *simulated.Behaviour) { b.NoEvents = true })
	_, err = a.EnsureCallbacks(t.Context(), want)
	require.Contains(t, reason(t, err).Message, "Webhooks", "it says where a person sets the events")
	s.Behave(func(b *simulated.Behaviour) { b.NoEvents = false })
	state, err := a.EnsureCallbacks(t.Context(), want)
	require.NoError(t, err)
	require.True(t, state.Changed)
	require.Len(t, s.Callbacks(), 1)
	want.Secret += "2"
	state, err = a.EnsureCallbacks(t.Context(), want)
	require.NoError(t, err)
	require.True(t, state.Changed, "another secret")
	require.Len(t, s.Callbacks(), 1)
}

func FuzzReadCallback(f *testing.F) {
	a, err := halopsa.New(fields("https://192.0.2.1"), &http.Client{}, time.Now)
	require.NoError(f, err)
	f.Add([]byte(`{"events":[{"ticket":{"id":12}}]}`))
	f.Add([]byte(`[[[[[[[{"ticket_id":"1"}]]]]]]]`))
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("cairn", secret)
	f.Fuzz(func(t *testing.T, body []byte) {
		called, err := a.ReadCallback(t.Context(), psa.CallbackCall{Header: r.Header, Body: body, Secret: secret})
		if err == nil {
			require.True(t, json.Valid(body))
		}
		for _, id := range called.TicketIDs {
			n, err := strconv.Atoi(id)
			require.NoError(t, err)
			require.Positive(t, n)
		}
	})
}
