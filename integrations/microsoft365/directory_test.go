package microsoft365_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
)

// changes reads accounts to the end of a list.
func changes(t *testing.T, client *microsoft365.Tenant, from string) (users []microsoft365.User, pages int, delta string) {
	t.Helper()
	for page, err := range client.UserChanges(t.Context(), from) {
		require.NoError(t, err)
		users = append(users, page.Users...)
		pages++
		delta = page.Delta
	}
	require.NotEmpty(t, delta)
	return users, pages, delta
}

func TestAccountsByDelta(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) { o.Page = 3 })
	of, client := s.tenant(t, s.detection)
	guest := of.AddGuest("visitor@fabrikam.example")
	of.SetSynced(person(of).UserPrincipalName, true)

	users, pages, delta := changes(t, client, "")
	require.Len(t, users, len(of.World().Accounts)+1)
	require.Equal(t, (len(users)+2)/3, pages)
	byID := map[string]microsoft365.User{}
	for _, u := range users {
		byID[u.ObjectID] = u
	}
	require.Equal(t, "Guest", byID[guest].UserType)
	one := byID[person(of).ObjectID.String()]
	require.True(t, one.Synced)
	require.True(t, one.Enabled)
	require.Equal(t, []string{"cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"}, one.SKUs)
	require.False(t, one.PasswordChangedAt.IsZero())
	require.True(t, one.Has("accountEnabled"))

	none, _, delta := changes(t, client, delta)
	require.Empty(t, none)
	of.RemoveUser(person(of).UserPrincipalName)
	of.SetSynced(of.World().Accounts[2].UserPrincipalName, true)
	changed, _, delta := changes(t, client, delta)
	require.Len(t, changed, 2)
	for _, u := range changed {
		require.Equal(t, u.ObjectID == person(of).ObjectID.String(), u.Removed)
	}

	of.ForgetDeltas()
	for _, err := range client.UserChanges(t.Context(), delta) {
		reason(t, microsoft365.ReasonResync, err)
	}
	for _, err := range client.UserChanges(t.Context(), s.cloud.Address()+"/v1.0/users/delta?$deltatoken=bm9uc2Vuc2U") {
		reason(t, microsoft365.ReasonResync, err)
	}
	// A place in a list that an answer names elsewhere gets no token.
	for _, err := range client.UserChanges(t.Context(), "https://192.0.2.1/v1.0/users/delta?$deltatoken=x") {
		reason(t, microsoft365.ReasonRefused, err)
	}
	for _, err := range client.SignIns(t.Context(), microsoft365.SignInInteractive, microsoft365.Window{}, "http://127.0.0.1/v1.0/x") {
		reason(t, microsoft365.ReasonRefused, err)
	}
	again, _, _ := changes(t, client, "")
	require.Len(t, again, len(of.World().Accounts))
}

func TestPlans(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, client := s.tenant(t, s.detection)
	plans, err := client.Plans(t.Context())
	require.NoError(t, err)
	require.True(t, plans.P1)
	require.False(t, plans.P2)
	require.Equal(t, "SPB", plans.SKUs[0].PartNumber)
	of.SetPremium(false)
	plans, err = client.Plans(t.Context())
	require.NoError(t, err)
	require.False(t, plans.P1)
}

func TestMailboxKinds(t *testing.T) {
	t.Parallel()

	s := start(t, func(o *microsoft.Options) { o.Page = 2 })
	of, client := s.tenant(t, s.detection)
	account := person(of)
	kind := func() (string, error) { return client.MailboxPurpose(t.Context(), account.ObjectID.String()) }
	purpose, err := kind()
	require.NoError(t, err)
	require.Equal(t, "user", purpose)
	of.SetMailboxKind(account.UserPrincipalName, "SharedMailbox")
	purpose, err = kind()
	require.NoError(t, err)
	require.Equal(t, "shared", purpose)

	mailboxes, err := client.Mailboxes(t.Context())
	require.NoError(t, err)
	require.Len(t, mailboxes, len(of.World().Accounts))
	shared := 0
	for _, m := range mailboxes {
		if m.Kind == "SharedMailbox" {
			shared++
			require.Equal(t, account.ObjectID.String(), m.ObjectID)
		}
	}
	require.Equal(t, 1, shared)

	of.RefuseMailbox(account.UserPrincipalName, true)
	_, err = kind()
	require.True(t, reason(t, microsoft365.ReasonMailbox, err).Retryable)
	of.SetMailboxKind(account.UserPrincipalName, "")
	_, err = kind()
	reason(t, microsoft365.ReasonNoMailbox, err)
	_, err = client.Mailbox(t.Context(), account.ObjectID.String())
	reason(t, microsoft365.ReasonNoMailbox, err)
}

func TestDevicesMethodsRoles(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, client := s.tenant(t, s.detection)
	id := person(of).ObjectID.String()
	devices, err := client.Devices(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, devices, 1)
	require.True(t, devices[0].Enabled)
	require.WithinDuration(t, noon, devices[0].LastSignIn, 48*time.Hour)
	everyone, err := client.Devices(t.Context(), "")
	require.NoError(t, err)
	require.Greater(t, len(everyone), 1)
	methods, err := client.Methods(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []string{"password", "microsoftAuthenticator"}, []string{methods[0].Kind(), methods[1].Kind()})
	roles, err := client.RoleDefinitions(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, roles)
	assignments, err := client.RoleAssignments(t.Context(), "")
	require.NoError(t, err)
	require.NotEmpty(t, assignments)
}
