package detect_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// Every act, done by the owner at home and by somebody whose entry is strange:
// the first opens no incident, unless the act is loud; the second does. What
// only looks like the act is nothing in either.
func TestActs(t *testing.T) {
	t.Parallel()
	to := func(s string) edit { return target(s + "@contoso.example") }
	for name, test := range map[string]struct {
		rule  string
		do    []edit
		alike []edit // what looks like it
		loud  bool
		use   bool // told by the strand alone
	}{
		"second factor added":        {rule: "security-info", do: []edit{act("User registered security info"), to("ann")}, alike: []edit{act("User reviewed security info"), to("ann")}},
		"second factor, as a change": {rule: "security-info", do: []edit{act("Update user"), to("ann"), change("StrongAuthenticationMethod", "[]")}, alike: []edit{act("Update user"), to("ann"), change("JobTitle", "x")}},
		"second factor off":          {rule: "strong-authentication-off", do: []edit{act("Disable Strong Authentication"), to("bob")}},
		"pass for another":           {rule: "temporary-access-pass", do: []edit{act("Create Temporary Access Pass method for user"), to("bob")}},
		"device":                     {rule: "device-registration", do: []edit{act("Add device"), target("DESKTOP-1")}, alike: []edit{act("Update device"), target("DESKTOP-1")}},
		"role taken away":            {rule: "role-removed", do: []edit{act("Remove member from role"), to("bob"), old("Role.DisplayName", "Global Administrator")}, alike: []edit{act("Remove member from role"), to("bob"), old("Role.DisplayName", "Directory Readers")}},
		"attack tool":                {rule: "attack-tool", do: []edit{signIn, agent("AADInternals/0.9")}, alike: []edit{signIn, agent("Inventory/1.0")}, loud: true},
		"full access":                {rule: "mailbox-delegation", do: []edit{act("Add-MailboxPermission", "User", "eve", "AccessRights", "FullAccess"), target("shared")}, alike: []edit{act("Add-MailboxPermission", "User", "Discovery Management"), target("shared")}},
		"folder for everybody":       {rule: "mailbox-delegation", do: []edit{act("AddFolderPermissions", "MemberUpn", "Default"), target("ann")}, alike: []edit{act("AddFolderPermissions", "MemberUpn", "bob@contoso.example"), target("ann")}},
		"IMAP on":                    {rule: "legacy-protocol-on", do: []edit{act("Set-CASMailbox", "ImapEnabled", "True"), target("ann")}, alike: []edit{act("Set-CASMailbox", "ImapEnabled", "False"), target("ann")}},
		"SMTP on":                    {rule: "legacy-protocol-on", do: []edit{act("Set-TransportConfig", "SmtpClientAuthenticationDisabled", "False")}, alike: []edit{act("Set-TransportConfig", "SmtpClientAuthenticationDisabled", "True")}},
		"audit off":                  {rule: "audit-off", do: []edit{act("Set-AdminAuditLogConfig", "UnifiedAuditLogIngestionEnabled", "False")}, alike: []edit{act("Set-AdminAuditLogConfig", "UnifiedAuditLogIngestionEnabled", "True")}, loud: true},
		"audit bypass":               {rule: "audit-off", do: []edit{act("Set-MailboxAuditBypassAssociation", "AuditBypassEnabled", "True"), target("ann")}, alike: []edit{act("Set-MailboxAuditBypassAssociation", "AuditBypassEnabled", "False"), target("ann")}, loud: true},
		"protection off":             {rule: "protection-off", do: []edit{act("Remove-DlpCompliancePolicy")}, alike: []edit{act("Set-DkimSigningConfig", "Enabled", "True")}},
		"Exchange role":              {rule: "exchange-role", do: []edit{act("New-ManagementRoleAssignment", "Role", "ApplicationImpersonation", "User", "eve")}},
		"federation":                 {rule: "federation-changed", do: []edit{act("Set federation settings on domain"), target("contoso.example")}, loud: true},
		"policy deleted":             {rule: "access-policy-changed", do: []edit{act("Delete conditional access policy"), target("Require MFA")}},
		"secret":                     {rule: "app-credential", do: []edit{act("Add service principal credentials"), target("app")}},
		"permission of an app":       {rule: "app-role", do: []edit{act("Add app role assignment to service principal"), target("app"), change("AppRole.Value", "Mail.ReadWrite")}, alike: []edit{act("Add app role assignment to service principal"), target("app"), change("AppRole.Value", "User.Read")}},
		"account made":               {rule: "account-created", do: []edit{act("Invite external user"), target("guest")}, use: true},
		"search for money":           {rule: "mail-search", do: []edit{search("overdue invoice")}, alike: []edit{search("minutes of May")}, use: true},
		"notice deleted":             {rule: "security-notice-deleted", do: []edit{act("SoftDelete"), subject("Security info was added")}, alike: []edit{act("SoftDelete"), subject("Lunch?")}, use: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			quietly := quiet("ann", 14, home, agent(edgeWindows), device("d-1"))
			owner := func(edits []edit) []*activity.Activity {
				return one(record("ann", after, home, append([]edit{session("ann-w"), agent(edgeWindows), device("d-1")}, edits...)...))
			}
			thief := func(edits []edit) []*activity.Activity {
				return one(record("ann", after, hosting, signIn, session("t"), agent(firefoxMac)),
					record("ann", after.Add(5*time.Minute), hosting, append([]edit{session("t"), agent(firefoxMac)}, edits...)...))
			}
			s := run(t, quietly, owner(test.do))
			for _, f := range s.findings(test.rule) {
				require.Equal(t, test.loud, raises(f), f.Explanation)
			}
			if test.loud {
				require.Len(t, s.findings(test.rule), 1)
			}
			got, findings := judge(t, quietly, thief(test.do))
			require.Equal(t, incident, got, "%v", findings)
			if !test.use {
				require.NotEmpty(t, run(t, quietly, thief(test.do)).findings(test.rule))
			}
			if test.alike != nil {
				require.Empty(t, run(t, quietly, owner(test.alike)).findings(test.rule))
				require.Empty(t, run(t, quietly, thief(test.alike)).findings(test.rule))
			}
		})
	}
}

func subject(s string) edit { return func(a *activity.Activity) { a.Subject = s } }

// old is a property taken away.
func old(name, value string) edit {
	return func(a *activity.Activity) {
		a.Modified = append(a.Modified, activity.Modification{Name: name, Old: value})
	}
}

// Five accounts deleted within an hour are told, four are not.
func TestUsersDeleted(t *testing.T) {
	t.Parallel()
	deleted := func(n int) []*activity.Activity {
		return times(n, after, func(i int, at time.Time) *activity.Activity {
			return record("ann", at, hosting, act("Delete user"), target(string(rune('a'+i))+"@contoso.example"), session("t"), agent(firefoxMac))
		})
	}
	before := append(habit("ann", home), record("ann", after.Add(-time.Minute), hosting, signIn, session("t"), agent(firefoxMac)))
	require.Empty(t, run(t, before, deleted(4)).findings("users-deleted"))
	found := run(t, before, deleted(5)).findings("users-deleted")
	require.Len(t, found, 1)
	require.Equal(t, detect.ConfidenceHigh, found[0].Confidence)
	require.Len(t, found[0].Targets, 5)
	require.Equal(t, detect.ConfidenceLow, run(t, habit("ann", home), times(5, after, func(i int, at time.Time) *activity.Activity {
		return record("ann", at, home, act("Delete user"), target(string(rune('a'+i))+"@contoso.example"))
	})).findings("users-deleted")[0].Confidence, "leavers, from home")
}
