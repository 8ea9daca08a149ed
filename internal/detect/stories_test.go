package detect_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// Stories of what happens in tenants, each with fourteen quiet days before it,
// and the right answer. Most are told again with one thing changed.

// answer is what a story leads to.
type answer string

const (
	nothing  answer = "nothing"
	uncommon answer = "uncommon"
	incident answer = "incident"
)

// Agents and places of the stories.
const (
	edgeWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
	firefoxWin  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safariMac   = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15"
	broker      = "Windows-AzureAD-Authentication-Provider/1.0"
	rpc         = "Client=MSExchangeRPC"
	officeHome  = "4765445b-32c6-49b0-83e6-1d93765276ca"
	officeApp   = "d3590ed6-52b3-4102-aeff-aad2292ab01c"
	azureCLI    = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
)

var (
	hotel     = place{"203.0.113.9", 64520, "Hotel Net", "IT", activity.NetworkConsumer}
	ownISP    = place{"192.0.3.77", 64501, "Hometown Cable", "NL", activity.NetworkConsumer} // the owner's provider, another line
	abroadTel = place{"203.0.113.140", 64521, "Roaming Mobile", "IT", activity.NetworkMobile}
	flight    = place{"203.0.113.170", 64522, "In-flight", "US", activity.NetworkSatellite}
	vpnNew    = place{"203.0.113.200", 64523, "Hide Away", "SE", activity.NetworkVPN}
	sweep     = place{"203.0.113.230", 64524, "Filter Cloud", "DE", activity.NetworkGateway}
	sweep2    = place{"203.0.114.230", 64524, "Filter Cloud", "FR", activity.NetworkGateway}
)

// told is a story under way.
type told struct{ all []*activity.Activity }

func (s *told) at(minutes int, from place, edits ...edit) *told {
	return s.by("ann", minutes, from, edits...)
}

func (s *told) by(user string, minutes int, from place, edits ...edit) *told {
	id := strconv.Itoa(len(s.all))
	s.all = append(s.all, record(user, after.Add(time.Duration(minutes)*time.Minute), from,
		append(edits, func(a *activity.Activity) { a.VendorID = "story-" + id })...))
	return s
}

func app(id string) edit { return func(a *activity.Activity) { a.Application.ID = id } }

func parameter(name, value string) edit {
	return func(a *activity.Activity) {
		a.Parameters = append(a.Parameters, activity.Parameter{Name: name, Value: value})
	}
}

// read is mail opened, so many messages in one record.
func read(n int) edit {
	return func(a *activity.Activity) {
		a.Operation, a.Raw = "MailItemsAccessed", []byte(fmt.Sprintf(`{"OrganizationName":"contoso.onmicrosoft.example","OperationCount":%d}`, n))
	}
}

func search(query string) edit { return act("SearchQueryInitiatedExchange", "QueryText", query) }

func nowhere(a *activity.Activity) {
	a.Address, a.Country, a.Network, a.SessionID = netip.Addr{}, "", activity.Network{}, ""
}

// renewal is a sign-in without a person.
func renewal(a *activity.Activity) { a.Operation, a.SignIn, a.Interactive = "Sign-in", true, false }

// quiet is fourteen days of a person at a place with a session a week.
func quiet(user string, days int, from place, edits ...edit) []*activity.Activity {
	var all []*activity.Activity
	for d := range days {
		at := monday.AddDate(0, 0, d-days).Add(30 * time.Minute)
		base := append([]edit{signIn, session(user + "-w")}, edits...)
		all = append(all, record(user, at, from, base...), record(user, at.Add(time.Hour), from, append(slices.Clone(edits), session(user+"-w"))...))
	}
	return all
}

// judge says what an account's findings lead to.
func judge(t *testing.T, records ...[]*activity.Activity) (answer, []detect.Finding) {
	t.Helper()
	s := run(t, records...)
	all, _ := s.live()
	account := record("ann", after, home).AccountID
	got := nothing
	all = slices.DeleteFunc(all, func(f detect.Finding) bool { return f.AccountID != account })
	for _, f := range all {
		switch {
		case raises(f):
			got = incident
		case got == nothing:
			got = uncommon
		}
	}
	return got, all
}

type tellable struct {
	before []*activity.Activity // quiet days
	told   *told
	want   []answer // one of these
}

func tale() *told { return &told{} }

// tenTimes repeats a step.
func (s *told) times(n int, step func(s *told, i int)) *told {
	for i := range n {
		step(s, i)
	}
	return s
}

var (
	managed = quiet("ann", 14, home, agent(edgeWindows), device("d-1"))
	mac     = quiet("ann", 14, home, agent(safariMac))
)

func relayed13(from place, edits ...edit) *told {
	e := func(more ...edit) []edit {
		return append(append([]edit{agent(edgeWindows), session("s-13"), app(officeHome)}, edits...), more...)
	}
	return tale().
		at(0, from, e(failure(50076))...).
		at(1, from, e(failure(50140))...).
		at(2, from, e(signIn)...).
		at(120, from, e(read(30))...).
		at(125, from, e(search("invoice"))...).
		at(126, from, e(search("IBAN"))...).
		at(130, from, e(act("New-InboxRule", "Name", "Suppliers", "FromAddressContainsWords", "supplier.example", "MoveToFolder", "Notes", "MarkAsRead", "True"))...)
}

func moved14(edits ...edit) *told {
	return tale().at(0, home, session("ann-w"), agent(safariMac)).
		at(60, abroad, append([]edit{renewal, session("ann-w"), agent(chromeWindows), parameter("incomingTokenType", "refreshToken")}, edits...)...)
}

func code15(from place, edits ...edit) *told {
	code := []edit{app(officeApp), session("ann-w"), device("d-1"), parameter("authenticationProtocol", "deviceCode")}
	return tale().
		at(0, home, append([]edit{failure(50199), agent(edgeWindows)}, code...)...).
		at(1, home, append([]edit{signIn, agent(edgeWindows)}, code...)...).
		at(2, from, append(append([]edit{renewal, agent("Python/3.12 aiohttp/3.9")}, code...), edits...)...)
}

func prompts18(ending ...edit) *told {
	s := tale().times(7, func(s *told, i int) { s.at(i*8, abroadTel, failure(500121), agent(firefoxWin), session("s-18")) })
	if len(ending) > 0 {
		s.at(58, abroadTel, append(ending, agent(firefoxWin), session("s-18"))...)
		s.at(68, abroadTel, act("User changed default security info"), target("ann@contoso.example"), nowhere)
	}
	return s
}

func copier(days int) []*activity.Activity {
	return quiet("ann", days, office, agent("BAV2ROPC"), session(""), func(a *activity.Activity) { a.SessionID = "" })
}

func stories() map[string]tellable {
	colleagues := func(from place) []*activity.Activity {
		return slices.Concat(quiet("bob", 5, from), quiet("cy", 5, from))
	}
	rule := act("New-InboxRule", "Name", ",", "DeleteMessage", "True")
	legacy := []edit{signIn, agent("AConsumerV2ROPC"), session(""), parameter("clientAppUsed", "Authenticated SMTP")}
	return map[string]tellable{
		"01 one laptop, many programs and networks": {managed, tale().
			at(0, home, signIn, session("s"), agent(edgeWindows), device("d-1")).at(1, home, renewal, session("s"), agent(broker), device("d-1")).
			at(300, hotel, act("FileAccessed"), session("s"), agent(firefoxWin)).
			at(310, abroadTel, act("Send"), session("s"), agent(rpc)), []answer{nothing}},
		"01 turned: the Firefox is a Mac's": {managed, tale().
			at(0, home, signIn, session("s"), agent(edgeWindows), device("d-1")).
			at(300, hotel, act("FileAccessed"), session("s"), agent(firefoxMac)), []answer{incident}},
		"02 web gateway, from the first day": {nil, tale().times(12, func(s *told, i int) {
			id := session("s-" + strconv.Itoa(i))
			s.at(i*10, []place{sweep, sweep2}[i%2], signIn, id, agent(edgeWindows)).at(i*10+1, home, act("FileAccessed"), id, agent(firefoxWin))
		}), []answer{nothing}},
		"03 new exit of the company VPN": {managed, tale().at(0, hosting, renewal, session("s"), agent(broker), device("d-1")).
			at(1, hosting, act("FileAccessed"), session("s"), agent(chromeWindows)), []answer{nothing}},
		"03 turned: a private Chrome, the usual agent": {quiet("ann", 14, home), tale().at(0, hosting, signIn, session("s")).at(5, hosting, read(3), session("s")), []answer{nothing}},
		"04 first use of a VPN": {managed, tale().at(0, vpnNew, failure(50074), agent(safariMac), session("v")).
			at(1, vpnNew, failure(50140), agent(safariMac), session("v")).at(2, vpnNew, signIn, agent(safariMac), session("v")).
			at(5, vpnNew, read(2), agent(safariMac), session("v")), []answer{uncommon}},
		"04 turned: and a rule that hides all": {managed, tale().at(2, vpnNew, signIn, agent(safariMac), session("v")).
			at(5, vpnNew, rule, agent(safariMac), session("v")), []answer{incident}},
		"04 turned: three days of history": {quiet("ann", 3, home, agent(edgeWindows)), tale().at(2, vpnNew, signIn, agent(safariMac), session("v")).
			at(5, vpnNew, read(2), agent(safariMac), session("v")), []answer{nothing}},
		"05 asleep at the prompt": {managed, tale().times(3, func(s *told, i int) { s.at(i, hotel, failure(500121), agent(edgeWindows), device("d-1")) }).
			at(5, hotel, signIn, agent(edgeWindows), device("d-1"), session("c")), []answer{nothing}},
		"05 turned: no device": {managed, tale().times(3, func(s *told, i int) { s.at(i, hotel, failure(500121), agent(edgeWindows)) }).
			at(5, hotel, signIn, agent(edgeWindows), session("c")), []answer{incident}},
		"06 eligible administrator": {managed, tale().
			at(0, home, act("Add member to role completed (PIM activation)"), target("ann@contoso.example"), change("Role.DisplayName", "Global Administrator"), nowhere).
			at(0, home, act("Add member to role"), target("ann@contoso.example"), change("Role.DisplayName", "Global Administrator"), nowhere,
				func(a *activity.Activity) {
					a.Actor.Kind, a.Actor.Principal, a.AccountID = activity.ActorService, "MS-PIM", ""
				}), []answer{nothing}},
		"06 turned: gives it to themselves without PIM": {managed, tale().
			at(0, home, act("Add member to role"), target("ann@contoso.example"), change("Role.DisplayName", "Global Administrator"), nowhere), []answer{incident}},
		"07 consent by an administrator": {managed, tale().
			at(0, home, session("ann-w"), device("d-1"), act("Consent to application"), target("0a0a0a0a-1111-4222-8333-444455556666"),
				change("ConsentContext.IsAdminConsent", "True", "ConsentAction.Permissions", "[] => [[ConsentType: AllPrincipals, Scope: Mail.ReadWrite offline_access]]")), []answer{nothing, uncommon}},
		"08 a rule of somebody tidy": {managed, tale().at(0, home, session("ann-w"), device("d-1"),
			act("New-InboxRule", "Name", "zz", "SubjectContainsWords", "out of office", "DeleteMessage", "True")), []answer{nothing}},
		"08 turned: named by a comma, about payments": {managed, tale().at(0, home, session("ann-w"), device("d-1"),
			act("New-InboxRule", "Name", ",", "SubjectContainsWords", "payment", "DeleteMessage", "True")), []answer{incident}},
		"09 new telephone in a hotel": {managed, tale().at(0, hotel, session("ann-w"), agent(edgeWindows), device("d-1"), renewal).
			at(1, hotel, act("User registered security info"), target("ann@contoso.example"), session("ann-w"), device("d-1"), agent(edgeWindows)).
			at(10, hotel, signIn, session("p"), agent("Outlook-iOS/2.0"), device("d-2")).
			at(12, hotel, read(75), session("p"), agent("Outlook-iOS/2.0"), device("d-2")), []answer{nothing, uncommon}},
		"10 laptop replaced": {managed, tale().at(0, ownISP, signIn, session("n"), agent(edgeWindows)).
			at(2, ownISP, act("Add device"), target("d-9"), session("n"), agent(edgeWindows)).at(5, ownISP, renewal, session("m"), agent(broker), device("d-9")).
			times(200, func(s *told, _ int) {
				s.at(20, ownISP, act("FileSyncDownloadedFull"), session("m"), agent("Microsoft SkyDriveSync 24.1"), device("d-9"))
			}), []answer{nothing}},
		"11 first day of logs":                            {nil, tale().times(3, func(s *told, i int) { s.at(i, office, signIn, agent("BAV2ROPC")) }), []answer{nothing}},
		"11 turned: the copier moves to a rented machine": {copier(14), tale().at(0, hosting, signIn, agent("BAV2ROPC"), session("")), []answer{incident}},
		"12 in flight, then abroad": {managed, tale().at(0, flight, renewal, session("ann-w"), agent(broker), device("d-1")).
			at(600, hotel, renewal, session("ann-w"), agent(broker), device("d-1")), []answer{nothing}},

		"13 relayed sign-in on the owner's provider":     {managed, relayed13(ownISP), []answer{incident, uncommon}},
		"13 relayed sign-in abroad":                      {managed, relayed13(abroad), []answer{incident}},
		"13 turned: the device is known":                 {managed, relayed13(ownISP, device("d-1")), []answer{nothing}},
		"13 turned: colleagues are on the line":          {slices.Concat(managed, colleagues(ownISP)), relayed13(ownISP), []answer{nothing}},
		"13 turned: records without a session":           {managed, relayed13(abroad, func(a *activity.Activity) { a.SessionID = "" }), []answer{incident}},
		"14 session goes on with another system":         {mac, moved14(), []answer{incident}},
		"14 turned: colleagues are there":                {slices.Concat(mac, colleagues(abroad)), moved14(), []answer{nothing}},
		"14 turned: the same client":                     {mac, moved14(agent(safariMac)), []answer{nothing, uncommon}},
		"15 device code used elsewhere":                  {managed, code15(abroad), []answer{incident}},
		"15 turned: at the desk that approved it":        {managed, code15(home), []answer{nothing}},
		"16 a kit's program at the portal":               {managed, tale().at(0, abroad, signIn, agent("go-resty/2.11.0"), app(officeHome), session("k")), []answer{incident}},
		"16 turned: three days of history":               {quiet("ann", 3, home), tale().at(0, abroad, signIn, agent("go-resty/2.11.0"), app(officeHome), session("k")), []answer{incident}},
		"16 turned: refused":                             {managed, tale().at(0, abroad, failure(53003), agent("go-resty/2.11.0"), app(officeHome), session("k")), []answer{nothing}},
		"18 prompts until one is approved":               {managed, prompts18(signIn), []answer{incident}},
		"18 turned: none is approved":                    {managed, prompts18(), []answer{nothing}},
		"19 VPN, a browser never seen, a device":         {managed, tale().at(0, vpnNew, signIn, agent(firefoxWin), session("x")).at(9, vpnNew, act("Add device"), target("d-9"), agent(firefoxWin), session("x")), []answer{incident}},
		"20 consent, then its program reads all":         {managed, consent20(hosting), []answer{incident}},
		"20 turned: it never reads":                      {managed, &told{consent20(hosting).all[:1]}, []answer{uncommon}},
		"21 an administrator's session gives roles away": {managed, takeover21(), []answer{incident}},
		"22 a rule on the tenth day": {managed, tale().at(0, hosting, signIn, agent(firefoxMac), session("z")).
			times(9, func(s *told, i int) { s.at((i+1)*1440, hosting, renewal, agent(firefoxMac), session("z")) }).
			at(9*1440+30, hosting, rule, agent(firefoxMac), session("z")), []answer{incident}},
		"23 a password by an old protocol": {managed, tale().at(0, abroad, failure(50126), agent("AConsumerV2ROPC")).at(1, abroad, failure(50126), agent("AConsumerV2ROPC")).
			at(2, abroad, legacy...), []answer{incident}},
		"23 turned: wrong passwords only": {managed, tale().at(0, abroad, failure(50126), agent("AConsumerV2ROPC")), []answer{nothing}},
		"24 relayed sign-in stopped":      {managed, tale().at(0, abroad, failure(50076), agent(edgeWindows), session("s")).at(1, abroad, failure(53003), agent(edgeWindows), session("s")), []answer{nothing}},
	}
}

func consent20(from place) *told {
	const id = "0a0a0a0a-1111-4222-8333-444455556666"
	return tale().at(0, home, session("ann-w"), device("d-1"), act("Consent to application"), target(id),
		change("ConsentAction.Permissions", "[] => [[ConsentType: Principal, Scope: IMAP.AccessAsUser.All offline_access]]", "TargetId.ServicePrincipalNames", id)).
		at(60, from, renewal, agent("okhttp/4.12"), app(id), session("o")).
		times(5, func(s *told, i int) { s.at(62+i, from, read(40), agent("okhttp/4.12"), app(id), session("o")) })
}

func takeover21() *told {
	guest := "guest_fabrikam.example#ext#@contoso.example"
	return tale().at(0, abroad, signIn, agent(firefoxMac), session("a")).
		at(4, home, act("Invite external user"), target(guest), nowhere).
		at(8, home, act("Add member to role"), target(guest), change("Role.DisplayName", "Privileged Authentication Administrator"), nowhere).
		at(14, home, act("Disable Strong Authentication"), target("bob@contoso.example"), nowhere)
}

func TestStories(t *testing.T) {
	t.Parallel()
	for name, s := range stories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, findings := judge(t, s.before, s.told.all)
			texts := make([]string, len(findings))
			for i, f := range findings {
				texts[i] = fmt.Sprintf("%s %s %s: %s", f.Rule, f.Severity, f.Confidence, f.Explanation)
			}
			require.Contains(t, s.want, got, "%q", texts)
			slices.Reverse(s.told.all)
			again, _ := judge(t, s.told.all, s.before)
			require.Equal(t, got, again, "told from its end")
		})
	}
}

// Where a story begins and what it is linked by.
func TestStoriesBegin(t *testing.T) {
	t.Parallel()
	_, findings := judge(t, managed, relayed13(abroad).all)
	i := slices.IndexFunc(findings, func(f detect.Finding) bool { return f.Rule == "strange-sign-in" })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, after.Add(2*time.Minute), findings[i].OccurredAt)
	require.Contains(t, findings[i].Links, "session:s-13")
	require.Len(t, findings[i].Evidence, 4, "the sign-in, two searches and the rule")
	require.Contains(t, findings[i].Explanation, "the country, BR, was new")
	require.Contains(t, findings[i].Explanation, "Held against")

	_, findings = judge(t, managed, takeover21().all)
	rules := make(map[string]detect.Severity)
	for _, f := range findings {
		rules[f.Rule] = f.Severity
	}
	require.Equal(t, detect.SeverityCritical, rules["privileged-role"])
}
