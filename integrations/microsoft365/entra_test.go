package microsoft365_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

func TestConnect(t *testing.T) {
	t.Parallel()

	s := start(t)
	of := s.cloud.Tenants()[0]
	of.Withdraw(detectionID)
	administrator := of.World().Accounts[0].UserPrincipalName
	s.cloud.Visit(microsoft.Visitor{Tenant: of, Account: administrator})

	query := s.follow(t, s.detection.ConsentURL(microsoft365.Organizations, redirect, "a state"))
	require.Equal(t, []string{"True"}, query["admin_consent"])
	require.Equal(t, []string{"a state"}, query["state"])
	tenant := query["tenant"][0]
	require.NoError(t, s.detection.CallbackError(query))

	query = s.follow(t, s.detection.SignInURL(tenant, redirect, "another", "a nonce"))
	who, err := s.detection.SignIn(t.Context(), tenant, redirect, query["code"][0], "a nonce")
	require.NoError(t, err)
	require.Equal(t, of.ID, who.Tenant)
	require.Equal(t, administrator, who.Name)
	require.True(t, microsoft365.MayConsent(who.Roles))

	client, err := s.detection.Tenant(who.Tenant)
	require.NoError(t, err)
	organization, err := client.Organization(t.Context())
	require.NoError(t, err)
	require.Equal(t, of.World().Name, organization.DisplayName)
	require.NotEmpty(t, organization.Raw)
	roles, err := client.DirectoryRoles(t.Context(), who.ObjectID)
	require.NoError(t, err)
	require.True(t, microsoft365.MayConsent(roles))

	granted, err := client.Granted(t.Context(), client.Endpoints().Graph, true)
	require.NoError(t, err)
	require.Empty(t, microsoft365.Missing(microsoft365.LevelDetection, microsoft365.APIGraph, granted))

	// The same code is no second sign-in.
	_, err = s.detection.SignIn(t.Context(), tenant, redirect, query["code"][0], "a nonce")
	reason(t, microsoft365.ReasonForged, err)
}

func TestSignInThatDoesNotFit(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, other := s.cloud.Tenants()[0], s.cloud.Tenants()[1]
	code := func(app *microsoft365.App, in *microsoft.Tenant, account int, nonce string) string {
		s.cloud.Visit(microsoft.Visitor{Tenant: in, Account: in.World().Accounts[account].UserPrincipalName})
		return s.follow(t, app.SignInURL(microsoft365.Organizations, redirect, "s", nonce))["code"][0]
	}

	_, err := s.detection.SignIn(t.Context(), of.ID, redirect, code(s.detection, of, 0, "theirs"), "ours")
	reason(t, microsoft365.ReasonForged, err)
	_, err = s.detection.SignIn(t.Context(), of.ID, redirect, code(s.detection, of, 0, ""), "")
	reason(t, microsoft365.ReasonForged, err)
	_, err = s.detection.SignIn(t.Context(), of.ID, redirect, code(s.detection, other, 0, "n"), "n")
	reason(t, microsoft365.ReasonTenant, err)
	_, err = s.detection.SignIn(t.Context(), of.ID, redirect, code(s.response, of, 0, "n"), "n")
	reason(t, microsoft365.ReasonForged, err)
	_, err = s.detection.SignIn(t.Context(), of.ID, redirect, "made up", "n")
	reason(t, microsoft365.ReasonForged, err)
	late := code(s.detection, of, 0, "n")
	s.clock.Advance(11 * time.Minute)
	_, err = s.detection.SignIn(t.Context(), of.ID, redirect, late, "n")
	reason(t, microsoft365.ReasonForged, err)

	// Somebody without a role signs in, and is seen to have none.
	who, err := s.detection.SignIn(t.Context(), of.ID, redirect, code(s.detection, of, 1, "n"), "n")
	require.NoError(t, err)
	require.NotNil(t, who.Roles)
	require.False(t, microsoft365.MayConsent(who.Roles))
}

func TestConsentThatIsNotGiven(t *testing.T) {
	t.Parallel()

	s := start(t)
	of := s.cloud.Tenants()[0]
	of.Withdraw(detectionID)
	for _, v := range []microsoft.Visitor{
		{Tenant: of, Account: person(of).UserPrincipalName},                            // no administrator
		{Tenant: of, Account: of.World().Accounts[0].UserPrincipalName, Decline: true}, // declines
	} {
		s.cloud.Visit(v)
		query := s.follow(t, s.detection.ConsentURL(of.ID, redirect, "s"))
		reason(t, microsoft365.ReasonDeclined, s.detection.CallbackError(query))
	}
	require.False(t, of.Consented(detectionID))
	require.NoError(t, s.detection.CallbackError(url.Values{"admin_consent": {"True"}}))
	reason(t, microsoft365.ReasonUnavailable, s.detection.CallbackError(url.Values{"error": {"temporarily_unavailable"}}))
}

func TestCredentials(t *testing.T) {
	t.Parallel()

	s := start(t)
	of := s.cloud.Tenants()[0]
	good, registered := certificate(t, noon.AddDate(1, 0, 0))
	stale, expired := certificate(t, noon.AddDate(0, 0, -1))
	stranger, _ := certificate(t, noon.AddDate(1, 0, 0))
	for _, c := range []struct {
		name   string
		secret string
		pem    []byte
		app    microsoft.App
		want   microsoft365.Reason
		code   string
	}{
		{name: "secret", secret: secret, app: microsoft.App{Secret: secret}},
		{name: "wrong secret", secret: "another", app: microsoft.App{Secret: secret}, want: microsoft365.ReasonCredentials, code: "AADSTS7000215"},
		{name: "expired secret", secret: secret, app: microsoft.App{Secret: secret, SecretExpired: true}, want: microsoft365.ReasonCredentials, code: "AADSTS7000222"},
		{name: "certificate", pem: good, app: microsoft.App{Certificate: registered}},
		{name: "strange certificate", pem: stranger, app: microsoft.App{Certificate: registered}, want: microsoft365.ReasonCredentials, code: "AADSTS700027"},
		{name: "expired certificate", pem: stale, app: microsoft.App{Certificate: expired}, want: microsoft365.ReasonCredentials, code: "AADSTS700027"},
	} {
		c.app.ClientID, c.app.Permissions = detectionID, permissions(microsoft365.LevelDetection)
		s.cloud.Register(c.app)
		app := s.app(t, detectionID, func(config *microsoft365.Config) { config.Secret, config.Certificate = c.secret, c.pem })
		client, err := app.Tenant(of.ID)
		require.NoError(t, err)
		_, err = client.Organization(t.Context())
		if c.want == "" {
			require.NoError(t, err, c.name)
			continue
		}
		require.Equal(t, c.code, reason(t, c.want, err).Code, c.name)
	}
}

func TestTenantThatDoesNotLetIn(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, client := s.tenant(t, s.detection)
	of.Withdraw(detectionID)
	_, err := client.Organization(t.Context())
	reason(t, microsoft365.ReasonConsent, err)
	retryable, _, _ := microsoft365.Retry(err)
	require.False(t, retryable)

	unknown, err := s.detection.Tenant("99999999-0000-4000-8000-000000000000")
	require.NoError(t, err)
	_, err = unknown.Organization(t.Context())
	reason(t, microsoft365.ReasonTenant, err)
	_, err = s.detection.Tenant("contoso.example")
	reason(t, microsoft365.ReasonTenant, err)

	// A permission that the tenant left out is named, and told of the calls that want it.
	of.Consent(detectionID, func(p string) bool { return p != "AuditLog.Read.All" })
	granted, err := client.Granted(t.Context(), client.Endpoints().Graph, true)
	require.NoError(t, err)
	missing := microsoft365.Missing(microsoft365.LevelDetection, microsoft365.APIGraph, granted)
	require.Len(t, missing, 1)
	require.Equal(t, "AuditLog.Read.All", missing[0].Name)
	for _, err := range client.SignIns(t.Context(), microsoft365.SignInInteractive, microsoft365.Window{From: noon.Add(-time.Hour), To: noon}, "") {
		reason(t, microsoft365.ReasonPermission, err)
	}
}

func TestTokensAreKeptAndRenewed(t *testing.T) {
	t.Parallel()

	s := start(t)
	_, client := s.tenant(t, s.detection)
	read := func() {
		_, err := client.Plans(t.Context())
		require.NoError(t, err)
	}
	asked := func() int { return s.cloud.Requests()["POST */oauth2/v2.0/token"] }
	read()
	read()
	require.Equal(t, 1, asked())
	s.clock.Advance(2 * time.Hour) // it has expired
	read()
	require.Equal(t, 2, asked())
	s.clock.Advance(time.Second)
	s.cloud.KillTokens() // refused before its time: once more with a new one
	s.clock.Advance(time.Second)
	read()
	require.Equal(t, 3, asked())
	client.DropTokens()
	read()
	require.Equal(t, 4, asked())

	s.cloud.Login.Set(psa.Fault{Status: 503, Times: 1})
	client.DropTokens()
	_, err := client.Plans(t.Context())
	reason(t, microsoft365.ReasonUnavailable, err)
	retryable, _, _ := microsoft365.Retry(err)
	require.True(t, retryable)
	read()
}

// TestClocksThatDiffer has the machine's clock off by ten minutes either way.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()

	s := start(t)
	of := s.cloud.Tenants()[0]
	text, registered := certificate(t, noon.AddDate(1, 0, 0))
	s.cloud.Register(microsoft.App{
		ClientID: detectionID, Certificate: registered, Redirects: []string{redirect}, Permissions: permissions(microsoft365.LevelDetection), TellRoles: true,
	})
	s.cloud.Visit(microsoft.Visitor{Tenant: of, Account: of.World().Accounts[0].UserPrincipalName})
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		app := s.app(t, detectionID, func(c *microsoft365.Config) {
			c.Secret, c.Certificate, c.Now = "", text, func() time.Time { return s.clock.Now().Add(off) }
		})
		client, err := app.Tenant(of.ID)
		require.NoError(t, err)
		for range 3 {
			_, err = client.Organization(t.Context())
			require.NoError(t, err, off)
			s.clock.Advance(50 * time.Minute)
		}
		query := s.follow(t, app.SignInURL(of.ID, redirect, "s", "n"))
		_, err = app.SignIn(t.Context(), of.ID, redirect, query["code"][0], "n")
		require.NoError(t, err, off)
	}
}
