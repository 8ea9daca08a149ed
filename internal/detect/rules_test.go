package detect_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

type edit = func(*activity.Activity)

// claims are the severities of a rule's findings.
func claims(s *shelf, rule string) []detect.Severity {
	var all []detect.Severity
	for _, f := range s.findings(rule) {
		all = append(all, f.Severity)
	}
	return all
}

func one(a ...*activity.Activity) []*activity.Activity { return a }

// after is a moment at which ann's habit is long enough to judge by.
var after = monday.Add(3 * time.Hour)

// A network used on a day or two is not yet the account's own, so no
// explanation that calls it foreign may call it usual as well.
func TestUsualIsTheAccountsOwn(t *testing.T) {
	t.Parallel()
	rule := record("ann", after, hosting, act("New-InboxRule", "Name", ".", "DeleteMessage", "True", "SubjectContainsWords", "invoice"))
	for name, test := range map[string]struct {
		before []*activity.Activity
		usual  string
	}{
		"nothing before": {nil, ""},
		"a home":         {habit("ann", home), " Usual for the account: Hometown Cable, NL (10 days)."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := run(t, test.before, one(rule)).findings("inbox-rule")
			require.Len(t, found, 1)
			require.Contains(t, found[0].Explanation, "a session of which it came from a hosting network")
			_, usual, _ := strings.Cut(found[0].Explanation, "Usual")
			require.Equal(t, strings.TrimPrefix(test.usual, " Usual"), usual)
		})
	}
}

func TestInboxRule(t *testing.T) {
	t.Parallel()
	newRule := func(parameters ...string) edit { return act("New-InboxRule", parameters...) }
	for name, test := range map[string]struct {
		from place
		do   edit
		want []detect.Severity
	}{
		"dot that deletes":             {home, newRule("Name", ".", "DeleteMessage", "True", "From", "x@y.example"), []detect.Severity{"HIGH"}},
		"empty name that deletes":      {home, newRule("Name", "", "DeleteMessage", "True", "BodyContainsWords", "ann"), []detect.Severity{"HIGH"}},
		"hides security mail":          {home, newRule("Name", "tidy", "MoveToFolder", "RSS Feeds", "SubjectContainsWords", "password;phishing"), []detect.Severity{"HIGH"}},
		"deletes everything":           {home, newRule("Name", "clean up", "DeleteMessage", "True"), []detect.Severity{"HIGH"}},
		"one sender deleted":           {home, newRule("Name", "shop", "DeleteMessage", "True", "From", "shop@y.example"), nil},
		"one sender deleted, intruder": {hosting, newRule("Name", "shop", "DeleteMessage", "True", "From", "shop@y.example"), []detect.Severity{"HIGH"}},
		"newsletter to a folder":       {home, newRule("Name", "Newsletters", "MoveToFolder", "News", "From", "news@y.example"), nil},
		"newsletter, intruder's place": {hosting, newRule("Name", "Newsletters", "MoveToFolder", "News", "From", "news@y.example"), nil},
		"IT is a word, it is not":      {home, newRule("Name", "tidy", "MoveToFolder", "Archive", "SubjectContainsWords", "it works"), nil},
		"sends mail out":               {home, newRule("Name", "copy", "ForwardTo", "Ann <smtp:ann@out.example>", "From", "boss@y.example"), []detect.Severity{"HIGH"}},
		"sends invoices out":           {home, newRule("Name", "copy", "RedirectTo", "ann@out.example", "BodyContainsWords", "invoice"), []detect.Severity{"CRITICAL"}},
		"sends mail to a colleague":    {home, newRule("Name", "copy", "ForwardTo", "bob@contoso.example"), []detect.Severity{"INFO"}},
		"organisation's first domain":  {home, newRule("Name", "copy", "ForwardTo", "bob@contoso.onmicrosoft.example"), []detect.Severity{"INFO"}},
		"look-alike domain":            {home, newRule("Name", "copy", "ForwardTo", "bob@notcontoso.example", "From", "z@y.example"), []detect.Severity{"HIGH"}},
		"Outlook program": {home, act("UpdateInboxRules", "RuleOperation", "AddMailboxRule", "RuleName", ".", "RuleActions",
			`[{"ActionType":"Delete"},{"ActionType":"MarkAsRead"}]`, "RuleCondition", "(SubjectProperty CONTAINS x)"), []detect.Severity{"HIGH"}},
		"rule taken away": {home, act("UpdateInboxRules", "RuleOperation", "RemoveMailboxRule", "RuleName", ".", "RuleActions", `[{"ActionType":"Delete"}]`), nil},
		"refused": {home, func(a *activity.Activity) {
			newRule("Name", ".", "DeleteMessage", "True")(a)
			a.Result = activity.ResultFailure
		}, nil},
		"housekeeping": {servers, func(a *activity.Activity) {
			newRule("Name", ".", "DeleteMessage", "True")(a)
			a.Actor.Kind = activity.ActorService
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, habit("ann", home), one(record("ann", after, test.from, test.do, session("s-1"))))
			require.Equal(t, test.want, claims(s, "inbox-rule"))
			for _, f := range s.findings("inbox-rule") {
				require.Contains(t, f.Links, "session:s-1")
				require.Equal(t, test.from == hosting, slices.Contains(f.Links, "address:"+hosting.address))
			}
		})
	}
}

func TestMailboxForwarding(t *testing.T) {
	t.Parallel()
	forward := func(box, to string, at time.Time) *activity.Activity {
		return record("ann", at, home, act("Set-Mailbox", "ForwardingSmtpAddress", to), target(box))
	}
	out := "smtp:x@out.example"
	s := run(t, one(forward("ann", out, after)))
	require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "mailbox-forwarding"))

	s = run(t, one(forward("ann", out, after), forward("ann", "", after.Add(time.Minute))))
	require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "mailbox-forwarding"), "taking it back does not undo that it was tried")
	require.Contains(t, s.findings("mailbox-forwarding")[0].Explanation, "taken back")
	require.Len(t, s.findings("mailbox-forwarding")[0].Evidence, 2)

	require.Empty(t, claims(run(t, one(forward("ann", "", after))), "mailbox-forwarding"))
	require.Equal(t, []detect.Severity{"INFO"}, claims(run(t, one(forward("ann", "bob@contoso.example", after))), "mailbox-forwarding"))
	require.Equal(t, []detect.Severity{"CRITICAL", "CRITICAL"}, claims(run(t, one(forward("ann", out, after), forward("bob", out, after))), "mailbox-forwarding"))
	require.Equal(t, []detect.Severity{"HIGH", "HIGH"}, claims(run(t, one(forward("ann", out, after), forward("bob", "z@else.example", after))), "mailbox-forwarding"))
}

// A domain turns out to be the tenant's own: the finding sinks to information.
func TestDomainLearnedLater(t *testing.T) {
	t.Parallel()
	s, e := newShelf(t), detect.Standard()
	s.process(e, record("ann", after, home, act("Set-Mailbox", "ForwardingSmtpAddress", "bob@fabrikam.example"), target("ann")))
	require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "mailbox-forwarding"))
	s.process(e, record("bob", after.AddDate(0, 2, 0), home, signIn, func(a *activity.Activity) { a.Actor.Principal = "bob@fabrikam.example" }))
	require.Equal(t, []detect.Severity{"INFO"}, claims(s, "mailbox-forwarding"))
}

func TestFreeMailIsNeverInside(t *testing.T) {
	t.Parallel()
	s := run(t, one(
		record("guest", after, home, signIn, func(a *activity.Activity) { a.Actor.Principal = "someone@gmail.com" }),
		record("ann", after, home, act("Set-Mailbox", "ForwardingSmtpAddress", "ann@gmail.com"), target("ann")),
	))
	require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "mailbox-forwarding"))
}

func TestTransportRule(t *testing.T) {
	t.Parallel()
	set := func(parameters ...string) []*activity.Activity {
		return one(record("ann", after, home, act("New-TransportRule", parameters...)))
	}
	require.Equal(t, []detect.Severity{"CRITICAL"}, claims(run(t, set("Name", ".", "BlindCopyTo", "x@out.example")), "transport-rule"))
	require.Equal(t, []detect.Severity{"HIGH"}, claims(run(t, set("Name", "Archive copy", "BlindCopyTo", "x@out.example")), "transport-rule"))
	require.Empty(t, claims(run(t, set("Name", "Archive copy", "BlindCopyTo", "x@contoso.example")), "transport-rule"))
	require.Empty(t, claims(run(t, set("Name", "Disclaimer", "ApplyHtmlDisclaimerText", "hello")), "transport-rule"))
}

func TestPrivilegedRole(t *testing.T) {
	t.Parallel()
	grant := func(operation, role, to string) *activity.Activity {
		return record("ann", after, home, act(operation), target(to), change("Role.DisplayName", role))
	}
	const add = "Add member to role"
	for name, test := range map[string]struct {
		records []*activity.Activity
		want    []detect.Severity
	}{
		"global administrator": {one(grant(add, "Global Administrator", "eve@contoso.example")), []detect.Severity{"HIGH"}},
		"by its old name":      {one(grant(add, "Company Administrator", "eve@contoso.example")), []detect.Severity{"HIGH"}},
		"as JSON in text":      {one(grant(add, `"Global Administrator"`, "eve@contoso.example")), []detect.Severity{"HIGH"}},
		"eligible":             {one(grant("Add eligible member to role", "Exchange Administrator", "eve@contoso.example")), []detect.Severity{"MEDIUM"}},
		"helper":               {one(grant(add, "Helpdesk Administrator", "eve@contoso.example")), []detect.Severity{"LOW"}},
		"own eligible role":    {one(grant("Add member to role completed (PIM activation)", "Global Administrator", "ann@contoso.example")), nil},
		"directory readers":    {one(grant(add, "Directory Readers", "eve@contoso.example")), nil},
		"three at once": {one(grant(add, "Helpdesk Administrator", "eve@contoso.example"), grant(add, "Billing Administrator", "eve@contoso.example"),
			grant(add, "Global Reader", "eve@contoso.example")), []detect.Severity{"MEDIUM"}},
		"by template id": {one(record("ann", after, home, act(add), target("eve@contoso.example"),
			change("Role.TemplateId", "62e90394-69f5-4237-9190-012177145e10"))), []detect.Severity{"HIGH"}},
		"directory audit names the role as a target": {one(record("ann", after, home, act("Add eligible member to role in PIM completed (permanent)"), target("eve@contoso.example"),
			func(a *activity.Activity) {
				a.Source = activity.SourceDirectoryAudit
				a.Raw = []byte(`{"targetResources":[{"type":"Role","displayName":"Security Administrator"},{"type":"User"}]}`)
			})), []detect.Severity{"MEDIUM"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, habit("ann", home), test.records)
			require.Equal(t, test.want, claims(s, "privileged-role"))
			for _, f := range s.findings("privileged-role") {
				require.Equal(t, one(test.records[0])[0].AccountID, f.AccountID, "whose credentials acted")
			}
		})
	}
}

func TestAppConsent(t *testing.T) {
	t.Parallel()
	const app, principal = "0a0a0a0a-1111-4222-8333-444455556666", "0b0b0b0b-1111-4222-8333-444455556666"
	permissions := func(kind, scope string) string {
		return "[] => [[Id: x, ClientId: " + principal + ", PrincipalId: , ResourceId: y, ConsentType: " + kind + ", Scope: " + scope + "]]; "
	}
	// consent writes the three records of one act.
	consent := func(from place, id, kind, scope string, edits ...edit) []*activity.Activity {
		with := func(more ...edit) []edit {
			return append(append(more, func(a *activity.Activity) { a.CorrelationID = "act-1" }), edits...)
		}
		return one(
			record("ann", after, from, with(act("Consent to application"), target(id),
				change("ConsentAction.Permissions", permissions(kind, scope), "TargetId.ServicePrincipalNames", id))...),
			record("ann", after, from, with(act("Add delegated permission grant"), target("00000003-0000-0000-c000-000000000000"),
				change("DelegatedPermissionGrant.Scope", scope, "DelegatedPermissionGrant.ConsentType", kind, "ServicePrincipal.ObjectID", principal))...),
			record("ann", after, from, with(act("Add app role assignment grant to user"), target(id), change("TargetId.ServicePrincipalNames", id))...),
		)
	}
	refused := func(a *activity.Activity) { a.Result = activity.ResultFailure }
	for name, test := range map[string]struct {
		records []*activity.Activity
		want    []detect.Severity
	}{
		"mail, offline":            {consent(home, app, "Principal", "offline_access Mail.ReadWrite User.Read"), []detect.Severity{"MEDIUM"}},
		"from an intruder's place": {consent(hosting, app, "Principal", "offline_access Mail.ReadWrite User.Read"), []detect.Severity{"HIGH"}},
		"for everybody":            {consent(home, app, "AllPrincipals", "Directory.Read.All"), []detect.Severity{"HIGH"}},
		"mail while present":       {consent(home, app, "Principal", "Mail.Read"), nil},
		"only a sign-in":           {consent(home, app, "Principal", "openid profile email offline_access User.Read"), nil},
		"sign-in for everybody":    {consent(home, app, "AllPrincipals", "User.Read"), nil},
		"refused":                  {consent(home, app, "Principal", "offline_access Mail.ReadWrite", refused), nil},
		"known bad":                {consent(home, "ff8d92dc-3d82-41d6-bcbd-b9174d163620", "Principal", "User.Read"), []detect.Severity{"CRITICAL"}},
		"traitorware, sign-in":     {consent(home, "9af771d1-1288-43f0-91a6-adadcbd212b5", "Principal", "User.Read"), nil},
		"traitorware, intruder":    {consent(hosting, "9af771d1-1288-43f0-91a6-adadcbd212b5", "Principal", "User.Read"), []detect.Severity{"HIGH"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, habit("ann", home), test.records)
			require.Equal(t, test.want, claims(s, "app-consent"), "one act is one finding")
		})
	}
}

func TestSessionHijack(t *testing.T) {
	t.Parallel()
	use := func(from place, at time.Time, edits ...edit) *activity.Activity {
		return record("ann", at, from, append([]edit{session("s-1")}, edits...)...)
	}
	later := after.Add(time.Hour)
	twin := home
	twin.address, twin.number = "2001:db8:1::7", 64777
	gateway := hosting
	relay := place{"203.0.113.200", 64520, "Relay Partner", "NL", activity.NetworkRelay}
	for name, test := range map[string]struct {
		records []*activity.Activity
		want    []detect.Severity
	}{
		"another system, rented network": {one(use(home, after), use(hosting, later, agent(firefoxMac))), []detect.Severity{"HIGH"}},
		"a program, rented network":      {one(use(home, after), use(hosting, later, agent(axios))), []detect.Severity{"CRITICAL"}},
		"a program, network unlike":      {one(use(home, after), use(abroad, later, agent(axios))), []detect.Severity{"HIGH"}},
		"at once in two countries":       {one(use(home, after), use(abroad, after.Add(5*time.Minute))), nil},
		"travel":                         {one(use(home, after), use(abroad, after.Add(14*time.Hour))), nil},
		"only the network differs":       {one(use(home, after), use(office, later)), nil},
		"Wi-Fi and phone":                {one(use(home, after, agent(safariPhone)), use(carrier, later, agent("Outlook-iOS/2.0"))), nil},
		"the same device":                {one(use(home, after, device("d-1")), use(abroad, later, agent(firefoxMac), device("d-1"))), nil},
		"another device":                 {one(use(home, after, device("d-1")), use(hosting, later, device("d-2"))), []detect.Severity{"HIGH"}},
		"first day on a VPN":             {one(use(home, after), use(hosting, later)), nil},
		"two address families":           {one(use(home, after), use(twin, later)), nil},
		"privacy relay":                  {one(use(home, after, agent(safariPhone)), use(relay, later, agent(safariPhone))), nil},
		"Microsoft's own hop":            {one(use(home, after), use(servers, later, agent(axios))), nil},
		"session refused":                {one(use(home, after), use(hosting, later, failure(50133), agent(axios))), nil},
		"unknown is not changed":         {one(use(home, after), use(office, later, agent(""))), nil},
		"own VPN": {append(one(use(home, after), use(hosting, later, agent(firefoxMac))),
			record("ann", monday.AddDate(0, 0, -9), hosting), record("ann", monday.AddDate(0, 0, -8), hosting), record("ann", monday.AddDate(0, 0, -7), hosting)), nil},
		"colleagues' gateway": {append(append(one(use(home, after), use(gateway, later, agent(firefoxMac))), habit("bob", gateway)...), habit("cy", gateway)...), nil},
		"a token alone": {one(record("ann", after, home, func(a *activity.Activity) { a.TokenID = "t-1" }),
			record("ann", later, hosting, agent(axios), func(a *activity.Activity) { a.TokenID = "t-1" })), []detect.Severity{"CRITICAL"}},
		"over the turn of the month": {one(record("ann", monday.AddDate(0, 0, -2), home, session("s-2")), use(home, after),
			record("ann", later, hosting, agent(axios), session("s-2"))), []detect.Severity{"CRITICAL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, habit("ann", home, session("")), test.records)
			require.Equal(t, test.want, claims(s, "session-hijack"))
			for _, f := range s.findings("session-hijack") {
				require.Len(t, f.Evidence, 2)
				require.Contains(t, f.Explanation, "Usual for the account: Hometown Cable, NL")
			}
		})
	}
}

// Colleagues' records come late: the gateway was known all along, and the
// finding is superseded.
func TestLateRecordsSupersede(t *testing.T) {
	t.Parallel()
	s, e := newShelf(t), detect.Standard()
	s.process(e, slices.Concat(habit("ann", home), one(record("ann", after, home, session("s-1")),
		record("ann", after.Add(time.Hour), hosting, session("s-1"), agent(firefoxMac))))...)
	require.Len(t, s.findings("session-hijack"), 1)
	s.process(e, habit("bob", hosting)...)
	require.Len(t, s.findings("session-hijack"), 1, "one colleague is no gateway")
	s.process(e, habit("cy", hosting)...)
	require.Empty(t, s.findings("session-hijack"))
}

// An intruder who stays does not turn the source into a gateway for the past.
func TestStayingTeachesNothing(t *testing.T) {
	t.Parallel()
	var stay []*activity.Activity
	for d := range 6 {
		for _, user := range []string{"ann", "bob"} {
			stay = append(stay, record(user, after.AddDate(0, 0, d), hosting, session("s-"+user), agent(axios)))
		}
	}
	s := run(t, habit("ann", home), habit("bob", home), one(record("ann", after, home, session("s-ann")), record("bob", after, home, session("s-bob"))), stay)
	require.Len(t, s.findings("session-hijack"), 2)
}
