package microsoft365_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/microsoft"
)

var errBudget = errors.New("no budget left")

// both are a tenant's two clients: who reads, and who acts.
func (s *setting) both(t *testing.T) (of *microsoft.Tenant, reads, acts *microsoft365.Tenant) {
	t.Helper()
	of, reads = s.tenant(t, s.detection)
	acts, err := s.response.Tenant(of.ID)
	require.NoError(t, err)
	return of, reads, acts
}

func TestContainAnAccount(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, reads, acts := s.both(t)
	ctx := microsoft365.Urgent(t.Context())
	id := person(of).ObjectID.String()
	reason(t, microsoft365.ReasonPermission, reads.SetAccountEnabled(ctx, id, false)) // the detection application reads only

	for range 2 { // twice is once
		require.NoError(t, acts.SetAccountEnabled(ctx, id, false))
	}
	u, err := acts.User(ctx, id)
	require.NoError(t, err)
	require.False(t, u.Enabled)
	s.clock.Advance(time.Minute)
	require.NoError(t, acts.RevokeSessions(ctx, id))
	u, err = acts.User(ctx, id)
	require.NoError(t, err)
	require.Equal(t, noon.Add(time.Minute), u.SessionsValidFrom)
	require.NoError(t, acts.ResetPassword(ctx, id, "a new Passw0rd"))
	u, err = acts.User(ctx, id)
	require.NoError(t, err)
	require.Equal(t, noon.Add(time.Minute), u.PasswordChangedAt)
	reason(t, microsoft365.ReasonInvalid, acts.ResetPassword(ctx, id, "short"))
	require.NoError(t, acts.SetAccountEnabled(ctx, id, true))

	_, err = acts.User(ctx, "77777777-0000-4000-8000-000000000000")
	reason(t, microsoft365.ReasonNotFound, err)
	administrator := of.World().Accounts[0].ObjectID.String()
	reason(t, microsoft365.ReasonPermission, acts.SetAccountEnabled(ctx, administrator, false))
	of.LetActOnAdministrators(true)
	require.NoError(t, acts.SetAccountEnabled(ctx, administrator, false))
	for _, c := range s.budget.calls {
		require.True(t, c.Urgent || c.Family == microsoft365.FamilyLogin)
	}
}

func TestSyncedAccount(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, _, acts := s.both(t)
	ctx, id := t.Context(), person(of).ObjectID.String()
	of.SetSynced(person(of).UserPrincipalName, true)
	reason(t, microsoft365.ReasonSynced, acts.ResetPassword(ctx, id, "a new Passw0rd"))
	require.NoError(t, acts.SetAccountEnabled(ctx, id, false))
	u, err := acts.User(ctx, id)
	require.NoError(t, err)
	require.False(t, u.Enabled)
	s.clock.Advance(31 * time.Minute) // the directory on premises writes it over
	u, err = acts.User(ctx, id)
	require.NoError(t, err)
	require.True(t, u.Enabled)
}

func TestChangesAreSeenLate(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, _, acts := s.both(t)
	ctx, id := t.Context(), person(of).ObjectID.String()
	of.SetLag(2 * time.Minute)
	require.NoError(t, acts.SetAccountEnabled(ctx, id, false))
	u, err := acts.User(ctx, id)
	require.NoError(t, err)
	require.True(t, u.Enabled)
	s.clock.Advance(2 * time.Minute)
	u, err = acts.User(ctx, id)
	require.NoError(t, err)
	require.False(t, u.Enabled)
}

func TestAttackEndsWithItsSessions(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, reads, acts := s.both(t)
	ctx := t.Context()
	attack := of.Attack(simulator.TokenTheft, noon)
	victim := victimOf(t, of, attack, simulator.MaliciousInboxRule)
	s.clock.Advance(6 * time.Minute) // the session is stolen, nothing is left behind yet
	require.NoError(t, acts.RevokeSessions(ctx, victim))
	s.clock.Advance(2 * time.Hour)
	rules, err := reads.InboxRules(ctx, victim)
	require.NoError(t, err)
	require.Empty(t, rules)
}

// victimOf is the object id of whose account a behaviour was planted on.
func victimOf(t *testing.T, of *microsoft.Tenant, attack simulator.Attack, b simulator.Behaviour) string {
	t.Helper()
	for _, p := range attack.Manifest {
		for _, a := range of.World().Accounts {
			if p.Behaviour == b && p.Succeeded && p.Account == a.UserPrincipalName {
				return a.ObjectID.String()
			}
		}
	}
	require.Fail(t, "nobody", "%s", b)
	return ""
}

func TestRulesAndForwarding(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, reads, acts := s.both(t)
	ctx := t.Context()
	attack := of.Attack(simulator.TokenTheft, noon)
	victim := victimOf(t, of, attack, simulator.MaliciousInboxRule)
	s.clock.Advance(2 * time.Hour)
	u, err := reads.User(ctx, victim)
	require.NoError(t, err)
	of.HideRule(u.UserPrincipalName, "hidden", "smtp:outside@fabrikam.example")

	shown, err := reads.InboxRules(ctx, victim)
	require.NoError(t, err)
	require.Len(t, shown, 1)
	require.Equal(t, ".", shown[0].Name)
	require.True(t, shown[0].MarksRead)
	require.NotEmpty(t, shown[0].Raw)
	every, err := reads.ExchangeRules(ctx, victim)
	require.NoError(t, err)
	require.Len(t, every, 2) // Exchange's own rule is left out
	require.Equal(t, []bool{false, true}, []bool{every[0].Hidden, every[1].Hidden})
	require.Equal(t, []string{"smtp:outside@fabrikam.example"}, every[1].SendsTo)

	for range 2 {
		require.NoError(t, acts.SetInboxRuleEnabled(ctx, victim, shown[0], false))
	}
	shown, err = reads.InboxRules(ctx, victim)
	require.NoError(t, err)
	require.False(t, shown[0].Enabled)
	for range 2 {
		require.NoError(t, acts.DeleteInboxRule(ctx, victim, shown[0]))
		require.NoError(t, acts.SetInboxRuleEnabled(ctx, victim, every[1], false))
		require.NoError(t, acts.DeleteInboxRule(ctx, victim, every[1]))
	}
	reason(t, microsoft365.ReasonNotFound, acts.SetInboxRuleEnabled(ctx, victim, shown[0], true))
	every, err = reads.ExchangeRules(ctx, victim)
	require.NoError(t, err)
	require.Empty(t, every)

	box, err := reads.Mailbox(ctx, victim)
	require.NoError(t, err)
	require.True(t, box.Forwards())
	require.True(t, bool(box.KeepsCopy))
	for range 2 {
		require.NoError(t, acts.RemoveForwarding(ctx, victim))
	}
	box, err = reads.Mailbox(ctx, victim)
	require.NoError(t, err)
	require.False(t, box.Forwards())

	// What was done stands in the audit log.
	of.SubscribedSince(string(microsoft365.ContentExchange), noon.AddDate(0, 0, -1))
	s.clock.Advance(time.Hour)
	_, records := contents(t, reads, microsoft365.ContentExchange, microsoft365.Window{From: noon, To: noon.Add(4 * time.Hour)})
	removed := 0
	for _, raw := range records {
		if containsText(raw, `"Operation":"Remove-InboxRule"`) {
			removed++
		}
	}
	require.Equal(t, 2, removed)
}

func TestOtherPersistence(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, reads, _ := s.both(t)
	ctx := t.Context()
	of.AddDelegate(person(of).UserPrincipalName, "somebody@contoso.example")
	of.AddTransportRule("Copy", "outside@fabrikam.example")
	delegates, err := reads.Delegates(ctx, person(of).ObjectID.String())
	require.NoError(t, err)
	require.Len(t, delegates, 1)
	require.Equal(t, "somebody@contoso.example", delegates[0].User)
	require.NotEmpty(t, delegates[0].Raw)
	rules, err := reads.TransportRules(ctx)
	require.NoError(t, err)
	require.Len(t, rules, 1)
	require.Len(t, rules[0].BlindCopyTo, 1)
	require.Equal(t, "outside@fabrikam.example", rules[0].BlindCopyTo[0])
}

func TestConsentGrants(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, reads, acts := s.both(t)
	ctx := t.Context()
	attack := of.Attack(simulator.Spray, noon)
	victim := victimOf(t, of, attack, simulator.RiskyConsent)
	s.clock.Advance(2 * time.Hour)
	grants, err := reads.Grants(ctx, victim)
	require.NoError(t, err)
	require.Len(t, grants, 1)
	require.Contains(t, grants[0].Scopes(), "Mail.ReadWrite")
	app, err := reads.ServicePrincipal(ctx, grants[0].Client)
	require.NoError(t, err)
	require.Equal(t, "Mail Upgrade Assistant", app.Name)
	roles, err := reads.AppRoles(ctx, app.ID)
	require.NoError(t, err)
	require.Empty(t, roles)
	every, err := reads.ServicePrincipals(ctx)
	require.NoError(t, err)
	require.Len(t, every, 2)

	for range 2 {
		require.NoError(t, acts.SetServicePrincipalEnabled(ctx, app.ID, false))
		require.NoError(t, acts.DeleteGrant(ctx, grants[0].ID))
	}
	app, err = reads.ServicePrincipal(ctx, app.ID)
	require.NoError(t, err)
	require.False(t, app.Enabled)
	grants, err = reads.Grants(ctx, "")
	require.NoError(t, err)
	require.Empty(t, grants)
	require.NoError(t, acts.SetServicePrincipalEnabled(ctx, "77777777-0000-4000-8000-000000000000", false))
}

func TestMethodsAndDevices(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, reads, acts := s.both(t)
	ctx, id := t.Context(), person(of).ObjectID.String()
	of.AddMethod(person(of).UserPrincipalName, "phone", "an attacker's")
	methods, err := reads.Methods(ctx, id)
	require.NoError(t, err)
	require.Len(t, methods, 3)
	reason(t, microsoft365.ReasonInvalid, acts.RemoveMethod(ctx, id, methods[0]))  // a password is reset
	reason(t, microsoft365.ReasonConflict, acts.RemoveMethod(ctx, id, methods[1])) // the default goes last
	for range 2 {
		require.NoError(t, acts.RemoveMethod(ctx, id, methods[2]))
	}
	require.NoError(t, acts.RemoveMethod(ctx, id, methods[1]))

	devices, err := reads.Devices(ctx, id)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, acts.DisableDevice(ctx, devices[0].ObjectID))
	}
	devices, err = reads.Devices(ctx, id)
	require.NoError(t, err)
	require.False(t, devices[0].Enabled)
	for range 2 {
		require.NoError(t, acts.DeleteDevice(ctx, devices[0].ObjectID))
	}
	devices, err = reads.Devices(ctx, id)
	require.NoError(t, err)
	require.Empty(t, devices)
}

func TestMessages(t *testing.T) {
	t.Parallel()

	s := start(t)
	of, _, acts := s.both(t)
	ctx, account := t.Context(), person(of)
	id := account.ObjectID.String()
	of.Deliver(account.UserPrincipalName, "mallory@fabrikam.example", "It's urgent & new", "<1@fabrikam.example>")
	of.Deliver(account.UserPrincipalName, "friend@contoso.example", "Lunch?", "<2@contoso.example>")
	for _, search := range []microsoft365.Search{
		{InternetID: "<1@fabrikam.example>"},
		{From: "mallory@fabrikam.example", Subject: "It's urgent & new", Since: noon.Add(-time.Hour)},
	} {
		found, err := acts.FindMessages(ctx, id, search)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, "mallory@fabrikam.example", found[0].From)
	}
	_, err := acts.FindMessages(ctx, id, microsoft365.Search{})
	reason(t, microsoft365.ReasonInvalid, err)
	found, err := acts.FindMessages(ctx, id, microsoft365.Search{InternetID: "<1@fabrikam.example>"})
	require.NoError(t, err)
	moved, err := acts.MoveMessage(ctx, id, found[0].ID, "junkemail")
	require.NoError(t, err)
	require.NotEqual(t, found[0].ID, moved)
	_, err = acts.MoveMessage(ctx, id, found[0].ID, "junkemail")
	reason(t, microsoft365.ReasonNotFound, err)
	for range 2 {
		require.NoError(t, acts.PurgeMessage(ctx, id, moved))
	}
	found, err = acts.FindMessages(ctx, id, microsoft365.Search{InternetID: "<1@fabrikam.example>"})
	require.NoError(t, err)
	require.Empty(t, found)
}
