package microsoft_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

var noon = time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)

const redirect = "https://cairn.example/callback"

func start(t *testing.T) (*microsoft.Cloud, *psa.Clock) {
	t.Helper()
	clock := psa.NewClock(noon, 0, time.Now)
	cloud, err := microsoft.Start(t.Context(), "127.0.0.1:0", microsoft.Options{World: simulator.New(simulator.Config{Seed: 7}), Clock: clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	cloud.Register(microsoft.App{
		ClientID: "app", Name: "An application", Secret: "s", Redirects: []string{redirect},
		Permissions: map[string][]string{"https://graph.microsoft.com": {"User.Read.All"}},
	})
	return cloud, clock
}

// ask makes a call with a token, and decodes the answer.
func ask(t *testing.T, cloud *microsoft.Cloud, token, path string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, cloud.Address()+path, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := cloud.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	var body map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
	return response.StatusCode, body
}

func token(t *testing.T, cloud *microsoft.Cloud, tenant, secret string) map[string]any {
	t.Helper()
	response, err := cloud.Client().PostForm(cloud.Address()+"/"+tenant+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"app"}, "client_secret": {secret}, "scope": {"https://graph.microsoft.com/.default"},
	})
	require.NoError(t, err)
	defer response.Body.Close()
	var body map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
	return body
}

// TestPeopleConsentByHand goes through the page that the demo shows.
func TestPeopleConsentByHand(t *testing.T) {
	t.Parallel()

	cloud, _ := start(t)
	tenant := cloud.Tenants()[1]
	require.Equal(t, []any{700016.0}, token(t, cloud, tenant.ID, "s")["error_codes"])
	client := cloud.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	get := func(address string) (*http.Response, string) {
		response, err := client.Get(address)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response, string(body)
	}
	query := url.Values{"client_id": {"app"}, "redirect_uri": {redirect}, "state": {"x"}}
	_, page := get(cloud.Address() + "/organizations/v2.0/adminconsent?" + query.Encode())
	require.Contains(t, page, "An application")
	var link string
	for _, m := range regexp.MustCompile(`href="([^"]*)">([^<]*)`).FindAllStringSubmatch(page, -1) {
		if strings.Contains(m[2], tenant.World().Name) && strings.HasSuffix(m[2], "administrator") {
			link = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	require.NotEmpty(t, link)
	response, _ := get(cloud.Address() + link)
	back, err := response.Location()
	require.NoError(t, err)
	require.Equal(t, tenant.ID, back.Query().Get("tenant"))
	require.True(t, tenant.Consented("app"))

	// Nobody is sent to an address that is not registered.
	query.Set("redirect_uri", "https://elsewhere.example")
	response, _ = get(cloud.Address() + "/organizations/v2.0/adminconsent?" + query.Encode())
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
}

func TestTokensAreTenantsOwn(t *testing.T) {
	t.Parallel()

	cloud, clock := start(t)
	tenant := cloud.Tenants()[0]
	tenant.Consent("app")
	good, ok := token(t, cloud, tenant.ID, "s")["access_token"].(string)
	require.True(t, ok)
	status, body := ask(t, cloud, good, "/v1.0/users?$top=2")
	require.Equal(t, http.StatusOK, status)
	require.Len(t, body["value"], 2)
	status, _ = ask(t, cloud, good, "/v1.0/devices")
	require.Equal(t, http.StatusForbidden, status) // not consented to
	status, _ = ask(t, cloud, good[:len(good)-2], "/v1.0/users")
	require.Equal(t, http.StatusUnauthorized, status)
	status, _ = ask(t, cloud, good, "/api/v1.0/"+tenant.ID+"/activity/feed/subscriptions/list")
	require.Equal(t, http.StatusUnauthorized, status) // another audience
	clock.Advance(2 * time.Hour)
	status, _ = ask(t, cloud, good, "/v1.0/users")
	require.Equal(t, http.StatusUnauthorized, status)
}
