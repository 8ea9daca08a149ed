package microsoft365_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
)

// tokenText is a token as a hostile or broken server would tell it back.
var tokenText = "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(`{"roles":["AuditLog.Read.All"]}`)) + ".c2lnbmF0dXJl"

// calls are all that the adapter does, by name.
func calls(client *microsoft365.Tenant, app *microsoft365.App) map[string]func(context.Context) error {
	const id = "33333333-0000-4000-8000-000000000000"
	window := microsoft365.Window{From: noon.Add(-time.Hour), To: noon}
	rule := microsoft365.InboxRule{ID: "r", Via: microsoft365.RuleViaGraph}
	hidden := microsoft365.InboxRule{ID: "r", Via: microsoft365.RuleViaExchange}
	second := func(_ any, err error) error { return err }
	return map[string]func(context.Context) error{
		"Organization":      func(ctx context.Context) error { return second(client.Organization(ctx)) },
		"Plans":             func(ctx context.Context) error { return second(client.Plans(ctx)) },
		"User":              func(ctx context.Context) error { return second(client.User(ctx, id)) },
		"RoleAssignments":   func(ctx context.Context) error { return second(client.RoleAssignments(ctx, id)) },
		"RoleDefinitions":   func(ctx context.Context) error { return second(client.RoleDefinitions(ctx)) },
		"MailboxPurpose":    func(ctx context.Context) error { return second(client.MailboxPurpose(ctx, id)) },
		"Devices":           func(ctx context.Context) error { return second(client.Devices(ctx, id)) },
		"Methods":           func(ctx context.Context) error { return second(client.Methods(ctx, id)) },
		"Subscriptions":     func(ctx context.Context) error { return second(client.Subscriptions(ctx)) },
		"StartSubscription": func(ctx context.Context) error { return client.StartSubscription(ctx, microsoft365.ContentEntra) },
		"Blob": func(ctx context.Context) error {
			return second(client.Blob(ctx, microsoft365.Content{Address: client.Endpoints().Management.Address + "/api/v1.0/x"}))
		},
		"AuditLogOn":         func(ctx context.Context) error { return second(client.AuditLogOn(ctx)) },
		"Mailboxes":          func(ctx context.Context) error { return second(client.Mailboxes(ctx)) },
		"TransportRules":     func(ctx context.Context) error { return second(client.TransportRules(ctx)) },
		"Delegates":          func(ctx context.Context) error { return second(client.Delegates(ctx, id)) },
		"InboxRules":         func(ctx context.Context) error { return second(client.InboxRules(ctx, id)) },
		"ExchangeRules":      func(ctx context.Context) error { return second(client.ExchangeRules(ctx, id)) },
		"Grants":             func(ctx context.Context) error { return second(client.Grants(ctx, id)) },
		"ServicePrincipals":  func(ctx context.Context) error { return second(client.ServicePrincipals(ctx)) },
		"ServicePrincipal":   func(ctx context.Context) error { return second(client.ServicePrincipal(ctx, id)) },
		"AppRoles":           func(ctx context.Context) error { return second(client.AppRoles(ctx, id)) },
		"SetAccountEnabled":  func(ctx context.Context) error { return client.SetAccountEnabled(ctx, id, false) },
		"RevokeSessions":     func(ctx context.Context) error { return client.RevokeSessions(ctx, id) },
		"ResetPassword":      func(ctx context.Context) error { return client.ResetPassword(ctx, id, secret) },
		"DeleteInboxRule":    func(ctx context.Context) error { return client.DeleteInboxRule(ctx, id, rule) },
		"DeleteHiddenRule":   func(ctx context.Context) error { return client.DeleteInboxRule(ctx, id, hidden) },
		"DisableInboxRule":   func(ctx context.Context) error { return client.SetInboxRuleEnabled(ctx, id, rule, false) },
		"DisableHiddenRule":  func(ctx context.Context) error { return client.SetInboxRuleEnabled(ctx, id, hidden, false) },
		"RemoveForwarding":   func(ctx context.Context) error { return client.RemoveForwarding(ctx, id) },
		"DeleteGrant":        func(ctx context.Context) error { return client.DeleteGrant(ctx, id) },
		"DisableApplication": func(ctx context.Context) error { return client.SetServicePrincipalEnabled(ctx, id, false) },
		"RemoveMethod": func(ctx context.Context) error {
			return client.RemoveMethod(ctx, id, microsoft365.Method{ID: "m", Type: "#microsoft.graph.phoneAuthenticationMethod"})
		},
		"DisableDevice": func(ctx context.Context) error { return client.DisableDevice(ctx, id) },
		"DeleteDevice":  func(ctx context.Context) error { return client.DeleteDevice(ctx, id) },
		"FindMessages": func(ctx context.Context) error {
			return second(client.FindMessages(ctx, id, microsoft365.Search{Subject: "s"}))
		},
		"MoveMessage":  func(ctx context.Context) error { return second(client.MoveMessage(ctx, id, "m", "junkemail")) },
		"PurgeMessage": func(ctx context.Context) error { return client.PurgeMessage(ctx, id, "m") },
		"SignIn": func(ctx context.Context) error {
			return second(app.SignIn(ctx, client.ID, redirect, "the-code", "the-nonce"))
		},
		"UserChanges": func(ctx context.Context) (err error) {
			for _, err = range client.UserChanges(ctx, "") { //nolint:revive // the last error counts
			}
			return err
		},
		"SignIns": func(ctx context.Context) (err error) {
			for _, err = range client.SignIns(ctx, microsoft365.SignInInteractive, window, "") { //nolint:revive // the last error counts
			}
			return err
		},
		"DirectoryAudits": func(ctx context.Context) (err error) {
			for _, err = range client.DirectoryAudits(ctx, window, "") { //nolint:revive // the last error counts
			}
			return err
		},
		"Contents": func(ctx context.Context) (err error) {
			for _, err = range client.Contents(ctx, microsoft365.ContentEntra, window, "") { //nolint:revive // the last error counts
			}
			return err
		},
	}
}

// TestNoErrorHoldsASecret has every call meet every status from a server that
// tells the secret, the token and the code back in all the places errors have.
func TestNoErrorHoldsASecret(t *testing.T) {
	t.Parallel()

	var status atomic.Int64
	var tokens atomic.Bool // the token endpoint answers well
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/token") && tokens.Load() {
			fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600}`, tokenText)
			return
		}
		told := secret + " Bearer " + tokenText + " " + r.Header.Get("Authorization") + "\x1b[31m\n" + strings.Repeat("long ", 400)
		w.Header().Set("Request-Id", strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, told[:200]))
		w.WriteHeader(int(status.Load()))
		_ = json.NewEncoder(w).Encode(map[string]any{
			"error":             map[string]any{"code": told, "message": told, "details": []any{map[string]any{"message": told}}, "innerError": map[string]any{"request-id": told}},
			"error_description": told, "Message": told, "trace_id": told,
		})
	}))
	t.Cleanup(server.Close)
	app, err := microsoft365.New(microsoft365.Config{
		ClientID: detectionID, Secret: secret, Endpoints: microsoft365.At(server.URL), Client: server.Client(), Now: advancing(),
	})
	require.NoError(t, err)
	for _, well := range []bool{true, false} {
		tokens.Store(well)
		for _, code := range []int{301, 400, 401, 403, 404, 408, 409, 410, 412, 418, 423, 429, 500, 502, 503, 504} {
			status.Store(int64(code))
			app.Forget("44444444-0000-4000-8000-000000000000")
			client, err := app.Tenant("44444444-0000-4000-8000-000000000000")
			require.NoError(t, err)
			for name, call := range calls(client, app) {
				err := call(t.Context())
				if err == nil { // gone is done
					require.Equal(t, http.StatusNotFound, code, name)
					continue
				}
				var e *microsoft365.Error
				require.ErrorAs(t, err, &e, "%s on %d", name, code)
				require.NotEqual(t, "call Microsoft", e.Doing, name)
				require.Less(t, len(err.Error()), 1500, name)
				for err := err; err != nil; err = errors.Unwrap(err) {
					for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err)} {
						require.NotContains(t, text, secret, "%s on %d", name, code)
						require.NotContains(t, text, tokenText, "%s on %d", name, code)
						require.NotContains(t, text, "the-code", "%s on %d", name, code)
						require.NotContains(t, text, "\x1b", "%s on %d", name, code)
					}
				}
			}
		}
	}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", app, app, app), secret)
}

// advancing is a clock on which an hour passes between two looks, so that no
// rest and no token lasts.
func advancing() func() time.Time {
	var looks atomic.Int64
	return func() time.Time { return noon.Add(time.Duration(looks.Add(1)) * time.Hour) }
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()

	server := httptest.NewTLSServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	app, err := microsoft365.New(microsoft365.Config{ClientID: detectionID, Secret: secret, Endpoints: microsoft365.At(address), Client: &http.Client{}})
	require.NoError(t, err)
	client, err := app.Tenant("44444444-0000-4000-8000-000000000000")
	require.NoError(t, err)
	for name, call := range calls(client, app) {
		var e *microsoft365.Error
		require.ErrorAs(t, call(t.Context()), &e, name)
		require.Equal(t, microsoft365.ReasonUnavailable, e.Reason, name)
		require.True(t, e.Retryable)
		late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
		require.ErrorAs(t, call(late), &e, name)
		cancel()
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	t.Parallel()

	good, _ := certificate(t, noon.AddDate(1, 0, 0))
	other, _ := certificate(t, noon.AddDate(1, 0, 0))
	mine, _, _ := strings.Cut(string(good), "-----BEGIN PRIVATE")
	_, theirs, _ := strings.Cut(string(other), "-----BEGIN PRIVATE")
	crossed := []byte(mine + "-----BEGIN PRIVATE" + theirs)
	for name, c := range map[string]microsoft365.Config{
		"no id":           {Secret: secret, Client: &http.Client{}},
		"no credential":   {ClientID: "x", Client: &http.Client{}},
		"both":            {ClientID: "x", Secret: secret, Certificate: other, Client: &http.Client{}},
		"no PEM":          {ClientID: "x", Certificate: []byte(secret), Client: &http.Client{}},
		"another's key":   {ClientID: "x", Certificate: crossed, Client: &http.Client{}},
		"no client":       {ClientID: "x", Secret: secret},
		"not over TLS":    {ClientID: "x", Secret: secret, Client: &http.Client{}, Endpoints: microsoft365.At("http://192.0.2.1")},
		"below a path":    {ClientID: "x", Secret: secret, Client: &http.Client{}, Endpoints: microsoft365.At("https://192.0.2.1/path")},
		"with a password": {ClientID: "x", Secret: secret, Client: &http.Client{}, Endpoints: microsoft365.At("https://a:b@192.0.2.1")},
	} {
		_, err := microsoft365.New(c)
		var e *microsoft365.Error
		require.ErrorAs(t, err, &e, name)
		require.NotContains(t, err.Error(), secret, name)
	}
}
