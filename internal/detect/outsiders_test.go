package detect_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

func principal(s string) edit {
	return func(a *activity.Activity) { a.Actor.Principal = s }
}

// outsiders are records in the tenant's log of people who are not its own.
var outsiders = map[string]edit{
	"an outsider chats": func(a *activity.Activity) {
		a.Operation, a.Workload = "MessageSent", "MicrosoftTeams"
		principal("eve@out.example")(a)
	},
	"an outsider opens what was shared": func(a *activity.Activity) {
		a.Operation, a.Workload = "FileAccessed", "SharePoint"
		principal("eve@out.example")(a)
	},
	"somebody opens a link": func(a *activity.Activity) {
		a.Operation, a.Workload = "AnonymousLinkUsed", "SharePoint"
		principal("urn:spo:anon#0123456789abcdef")(a)
	},
	"a guest signs in": func(a *activity.Activity) {
		signIn(a)
		a.Actor.Kind = activity.ActorGuest
		principal("eve@out.example")(a)
	},
	"a guest by their name here": func(a *activity.Activity) {
		signIn(a)
		principal("eve_out.example#ext#@out.example")(a)
	},
	"a partner's technician": func(a *activity.Activity) { // delegated administration: the user's type is no member's
		signIn(a)
		a.Actor.Kind = activity.ActorGuest
		principal("tech@out.example")(a)
	},
	"a technician by the kind of access": func(a *activity.Activity) {
		signIn(a)
		a.Source, a.Parameters = activity.SourceSignIn, []activity.Parameter{{Name: "crossTenantAccessType", Value: "serviceProvider"}}
		principal("tech@out.example")(a)
	},
	"a refused sign-in": func(a *activity.Activity) {
		failure(50126)(a)
		principal("eve@out.example")(a)
	},
}

// An outsider's act teaches no domain: mail sent there still goes out.
func TestOutsidersTeachNoDomain(t *testing.T) {
	t.Parallel()
	out := func(to string) *activity.Activity {
		return record("ann", after, home, act("Set-Mailbox", "ForwardingSmtpAddress", to), target("ann"))
	}
	for name, does := range outsiders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, one(record("eve", after, home, does), out("eve@out.example")))
			require.Equal(t, []detect.Severity{"HIGH"}, claims(s, "mailbox-forwarding"))
		})
	}
	// What they are measured against: a member's sign-in and a mailbox's record teach.
	for name, does := range map[string]edit{"sign-in": signIn, "sign-in at home": func(a *activity.Activity) {
		signIn(a)
		a.Parameters = []activity.Parameter{{Name: "crossTenantAccessType", Value: "none"}}
	}, "mail": func(a *activity.Activity) { a.Workload = "Exchange" }} {
		s := run(t, one(record("eve", after, home, does, principal("eve@out.example")), out("eve@out.example")))
		require.Equal(t, []detect.Severity{"INFO"}, claims(s, "mailbox-forwarding"), name)
	}
}

// Outsiders make no address a gateway of the tenant, however often they come:
// a theft from there is a theft.
func TestOutsidersMakeNoGateway(t *testing.T) {
	t.Parallel()
	theft := one(record("ann", after, home, session("s-1")), record("ann", after.Add(time.Hour), hosting, session("s-1"), agent(firefoxMac)))
	visits := func(does edit) (all []*activity.Activity) {
		for _, user := range []string{"guest1", "guest2", "guest3"} {
			all = append(all, habit(user, hosting, does)...)
		}
		return all
	}
	for name, does := range outsiders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			undo := func(a *activity.Activity) { a.SignIn, a.Interactive = false, false; does(a) }
			require.Len(t, claims(run(t, habit("ann", home), visits(undo), theft), "session-hijack"), 1)
		})
	}
	require.Empty(t, claims(run(t, habit("ann", home), visits(signIn), theft), "session-hijack"), "colleagues do")
}

// A crowd of guests does not make a source of sprays look like an office.
func TestGuestsMakeNoOffice(t *testing.T) {
	t.Parallel()
	round := append(tries(hosting, after, 50126, 6, 2), record("user3", after.Add(time.Minute), hosting, signIn, agent(firefoxMac)))
	var crowd []*activity.Activity
	for i := range 300 {
		crowd = append(crowd, record("guest"+string(rune('a'+i%26))+string(rune('a'+i/26)), after.Add(time.Hour), hosting, outsiders["a guest signs in"]))
	}
	require.Len(t, claims(run(t, round, crowd), "password-spray"), 1)
	require.Len(t, claims(inBatches(t, 50, crowd, round), "password-spray"), 1)
}

// Two installations tell the same story of records of one moment: what decides
// is the record, not the tenant's id in it.
func TestSameStoryInEveryInstallation(t *testing.T) {
	t.Parallel()
	explain := func(tenant string) (all []string) {
		records := slices.Concat(habit("ann", home), one(
			record("ann", after, home, session("s-1")), record("ann", after, office, session("s-1")), record("ann", after, carrier, session("s-1")),
			record("ann", after.Add(time.Hour), hosting, session("s-1"), agent(axios)),
			record("ann", after.Add(time.Hour), abroad, session("s-1"), agent(axios)),
			record("ann", after, place{}, act("Add member to role"), target("eve@contoso.example"), change("Role.DisplayName", "Global Administrator")),
			record("ann", after, hosting, act("Add member to role"), target("eve@contoso.example"), change("Role.DisplayName", "User Administrator")),
		))
		for _, a := range records {
			a.Identify("org_1", tenant)
		}
		findings, _ := run(t, records).live()
		for _, f := range findings {
			all = append(all, f.Key+" "+f.Explanation)
		}
		return all
	}
	want := explain("tenant_1")
	require.Len(t, want, 2)
	require.Contains(t, want[0], hosting.address, "of two records of one act the one with an address is told")
	for _, tenant := range []string{"tenant_2", "tenant_3", "tenant_4", "tenant_5", "tenant_6", "tenant_7"} {
		require.Equal(t, want, explain(tenant))
	}
}
