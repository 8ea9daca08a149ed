package halopsa_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/halopsa"
	simulated "github.com/cairn-itdr/cairn/internal/simulator/psa/halopsa"
)

func TestEnteredSites(t *testing.T) {
	t.Parallel()
	for _, site := range []string{"contoso.halopsa.com", "https://contoso.halopsa.com/api", "https://CONTOSO.halopsa.com/api/"} {
		_, err := halopsa.New(fields(site), &http.Client{}, time.Now)
		require.NoError(t, err, site)
	}
	for _, site := range []string{"http://contoso.halopsa.com", "ftp://contoso.halopsa.com", "https://user:secret@contoso.halopsa.com", "https://"} {
		_, err := halopsa.New(fields(site), &http.Client{}, time.Now)
		require.Equal(t, "site", reason(t, err).Field, site)
		require.NotContains(t, err.Error(), "secret")
	}
}

// Which of the entered fields is wrong is told.
func TestSignIn(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(simulated.New(simulated.Config{}))
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		change  map[string]string
		reason  psa.Reason
		field   string
		message string
	}{
		"secret": {map[string]string{"clientSecret": "another"}, psa.ReasonCredentials, "clientSecret", "invalid_client"},
		"id":     {map[string]string{"clientId": "another"}, psa.ReasonCredentials, "clientSecret", "invalid_client"},
		"scope":  {map[string]string{"scope": "read:tickets read:actions"}, psa.ReasonInvalid, "scope", "invalid_scope"},
		"tenant": {map[string]string{"tenant": "nobody"}, psa.ReasonInvalid, "", "tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered := fields(server.URL)
			maps.Copy(entered, c.change)
			_, err := open(t, entered, time.Now).Verify(t.Context())
			e := reason(t, err)
			require.Equal(t, c.reason, e.Reason)
			require.Equal(t, c.field, e.Field)
			require.Contains(t, e.Message, c.message)
			require.False(t, e.Retryable)
		})
	}
	entered := fields(server.URL)
	entered["scope"] = "read:tickets edit:tickets read:customers"
	_, err := open(t, entered, time.Now).Verify(t.Context())
	require.NoError(t, err)
}

func TestNotHalo(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	_, err := open(t, fields(server.URL), time.Now).Verify(t.Context())
	require.Equal(t, "site", reason(t, err).Field)
}

// The secret goes to the instance, or to HaloPSA's own cloud from there, and
// nowhere else, whatever the instance says.
func TestSecretGoesNowhereElse(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	t.Cleanup(elsewhere.Close)
	s, a := instance(t)
	s.Behave(func(b *simulated.Behaviour) { b.AuthURL = elsewhere.URL + "/auth" })
	_, err := a.Verify(t.Context())
	require.Equal(t, "site", reason(t, err).Field)
}

func TestTokensAreRenewed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	s := simulated.New(simulated.Config{Now: clock, TokenLife: 10 * time.Minute})
	var tokens atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/token" {
			tokens.Add(1)
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	a := open(t, fields(server.URL), clock)
	ask := func() {
		_, err := a.Choices(t.Context(), psa.SettingType, "")
		require.NoError(t, err)
	}
	ask()
	ask()
	require.EqualValues(t, 1, tokens.Load())
	mu.Lock()
	now = now.Add(9*time.Minute + 30*time.Second)
	mu.Unlock()
	ask()
	require.EqualValues(t, 2, tokens.Load(), "before the end")
	s.EndTokens()
	ask()
	require.EqualValues(t, 3, tokens.Load(), "once more after it was refused")
	s.SetClientSecret("another")
	_, err := a.Choices(t.Context(), psa.SettingType, "")
	require.Equal(t, psa.ReasonCredentials, reason(t, err).Reason)
}

func TestInstanceOfOnesOwnHasNoTenant(t *testing.T) {
	t.Parallel()
	s := simulated.New(simulated.Config{ClientID: simulated.DemoClientID, ClientSecret: simulated.DemoClientSecret})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	a := open(t, fields(server.URL), time.Now)
	_, err := a.Verify(t.Context())
	require.NoError(t, err)
	i, err := a.Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, i.Host, i.Account)
}
