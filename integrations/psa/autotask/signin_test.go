package autotask_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/autotask"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/autotask"
)

// Each credential that is wrong is told by name: only a wrong secret is a 401.
func TestCredentials(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for field, want := range map[string]string{"userName": "userName", "integrationCode": "integrationCode", "secret": ""} {
		entered := fields(server.URL)
		entered[field] = "another"
		_, err := open(t, entered, &http.Client{}).Verify(t.Context())
		e := reason(t, err)
		require.Equal(t, psa.ReasonCredentials, e.Reason, field)
		require.Equal(t, want, e.Field, field)
		require.False(t, e.Retryable, field)
	}
}

// zones has the hosts of the vendor's zones answered by servers of ours.
type zones map[string]http.Handler

func (z zones) RoundTrip(r *http.Request) (*http.Response, error) {
	h, ok := z[r.URL.Host]
	if !ok {
		return nil, &url.Error{Op: "Get", URL: r.URL.Host, Err: http.ErrServerClosed}
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func found(t *testing.T, z zones, now func() time.Time) *autotask.Adapter {
	t.Helper()
	entered := fields("")
	delete(entered, "site")
	a, err := autotask.New(entered, &http.Client{Transport: z}, now)
	require.NoError(t, err)
	return a
}

func TestZoneIsFound(t *testing.T) {
	t.Parallel()
	first, second := simulated.New(simulated.Config{}), simulated.New(simulated.Config{})
	first.Behave(func(b *simulated.Behaviour) { b.ZoneURL = "https://webservices5.autotask.net/ATServicesRest/" })
	asked := 0
	lookup := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Secret") != "" {
			t.Error("zones are asked for without credentials")
		}
		first.ServeHTTP(w, r)
	})
	z := zones{"webservices.autotask.net": lookup, "webservices5.autotask.net": second}
	a := found(t, z, time.Now)
	create(t, a, newTicket("r-1"))
	create(t, a, newTicket("r-2"))
	require.Equal(t, 1, asked)
	i, err := a.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, psa.Instance{Host: "autotask.net", Account: "123456"}, i, "it stays when the zone changes")

	// The vendor moves the database while we run.
	second.SetSecret("of another zone")
	third := simulated.New(simulated.Config{})
	z["webservices6.autotask.net"] = third
	first.Behave(func(b *simulated.Behaviour) { b.ZoneURL = "https://webservices6.autotask.net/ATServicesRest/" })
	create(t, a, newTicket("r-3"))
	require.Equal(t, 2, asked)
	require.Len(t, third.Tickets(), 1)
	again, err := a.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, i, again)
}

// A wrong secret is tried once: more would lock the user out.
func TestWrongSecretIsTriedOnce(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{})
	s.Behave(func(b *simulated.Behaviour) { b.ZoneURL = "https://webservices5.autotask.net/ATServicesRest/" })
	s.SetSecret("another")
	var mu sync.Mutex
	tried := 0
	z := zones{"webservices.autotask.net": s, "webservices5.autotask.net": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		tried++
		mu.Unlock()
		s.ServeHTTP(w, r)
	})}
	_, err := found(t, z, time.Now).Verify(t.Context())
	require.Equal(t, psa.ReasonCredentials, reason(t, err).Reason)
	require.Equal(t, 1, tried)
}

func TestSecretGoesToTheVendorAlone(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []string{"https://autotask.net.attacker.example/", "http://webservices5.autotask.net/", "https://attacker.example/.autotask.net/", "::"} {
		s := simulated.New(simulated.Config{})
		s.Behave(func(b *simulated.Behaviour) { b.ZoneURL = elsewhere })
		_, err := found(t, zones{"webservices.autotask.net": s}, time.Now).Verify(t.Context())
		require.Equal(t, psa.ReasonProtocol, reason(t, err).Reason, elsewhere)
	}
}

func TestZoneThatCannotBeFound(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{})
	s.Behave(func(b *simulated.Behaviour) { b.NoZone = true })
	_, err := found(t, zones{"webservices.autotask.net": s}, time.Now).Verify(t.Context())
	e := reason(t, err)
	require.Equal(t, "userName", e.Field)
	require.Contains(t, e.Message, "enter the zone")

	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	a := open(t, fields(server.URL), &http.Client{})
	_, err = a.Verify(t.Context())
	require.NoError(t, err, "it was entered")
	i, err := a.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, "alpinemsp.example", i.Account)
}
