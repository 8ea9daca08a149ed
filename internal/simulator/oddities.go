package simulator

import (
	"fmt"
	"strconv"
	"time"
)

// What honest people, their companies and Microsoft do that is easily taken
// for an attack. A world with Config.Odd is full of it.

// Networks of honest people that look odd. Facts from the AS tables, as in places.go.
var (
	gatewayBlocks = []block{{"164.137.194.0/24", 62044, "DE", "Frankfurt am Main"}, {"167.103.8.0/24", 53813, "US", "New York"}}
	inFlight      = block{"75.106.0.0/16", 7155, "US", "Carlsbad"}
	satelliteHome = block{"153.66.0.0/15", 14593, "US", "Hawthorne"}
	privateVPN    = block{"58.68.128.0/18", 9009, "RO", "Bucharest"}
)

// Clients people have beside their laptops.
var (
	otherBrowser = client{
		agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
		os:    "Windows10", auditOS: "Windows 10", browser: "Firefox 140.0", auditBrowser: "Firefox",
	}
	privateMac = client{
		agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
		os:    "MacOs", auditOS: "MacOs", browser: "Safari 18.1", auditBrowser: "Safari",
	}
	privatePC = client{
		agent: chromeAgent, os: "Windows10", auditOS: "Windows 10", browser: "Chrome 125.0.0", auditBrowser: "Chrome",
	}
	bare    = client{agent: "Client=MSExchangeRPC", outlook: "OUTLOOK.EXE", auditBrowser: "Other"}
	devTool = client{agent: "python/3.12.3 (Windows-11) msal/1.28 AZURECLI/2.60.0", os: "Windows10", auditOS: "Windows 10", auditBrowser: "Other"}
	scanner = client{agent: "BAV2ROPC", auditBrowser: "Other"}
)

// odd gives a tenant and its people what only an odd world has.
func (w *World) odd(t *Tenant, index int) {
	d := w.dice("odd", t.Name)
	if index%3 == 1 {
		for i := range 3 {
			t.edge = append(t.edge, gatewayBlocks[i%len(gatewayBlocks)].pick(d))
		}
	}
	s := &Account{
		UserPrincipalName: "scanner@" + t.Domain, DisplayName: "Scanner", Automation: true, scans: true,
		home: place{address: t.office, country: t.country.code, city: t.country.city}, laptop: scanner,
	}
	s.identify(d)
	t.Accounts = append(t.Accounts, s)
}

// exit is the company VPN's exit of the week: providers move their customers.
func (w *World) exit(t *Tenant, week int) place {
	return companyVPN.pick(w.dice("exit", t.Name, strconv.Itoa(week/3)))
}

// scan is what a copier does: mail by an old protocol from the office.
func (s *scribe) scan(a *Account, midnight time.Time) {
	who := presence{account: a, client: a.laptop, place: a.home}
	for range 3 {
		at := midnight.Add(7*time.Hour + s.upTo(10*time.Hour))
		s.signIn(signIn{at: at, who: who, app: office, resource: exchange, proof: byPassword, method: methodLegacy})
		s.sendMail(at.Add(20*time.Second), who, "Scanned document")
	}
}

// oddDay is the odd part of somebody's working day.
func (s *scribe) oddDay(a *Account, who presence, midnight time.Time, number, weekday int, away bool) {
	w, t := s.world, s.tenant
	during := func() time.Time { return midnight.Add(a.start + 10*time.Minute + s.upTo(8*time.Hour)) }
	local := func() place { return t.country.homes[s.IntN(len(t.country.homes))].pick(s.dice) }
	if a.skew%3 == 0 && s.chance(0.25) {
		// The laptop's own broker signs every browser in: one session, several programs.
		second := who
		second.client = otherBrowser
		if a.laptop.os == "MacOs" {
			second.client = privateMac // the one that ships with it
		}
		if s.chance(0.4) {
			second.place = local() // split tunnel: mail goes directly
		}
		at := during()
		s.file(at, second, "FileAccessed")
		second.client = bare
		s.sendMail(at.Add(3*time.Minute), second, subjects[s.IntN(len(subjects))])
	}
	if s.chance(0.06) {
		elsewhere := who
		elsewhere.place = local()
		if s.chance(0.5) {
			elsewhere.place = t.country.carrier.pick(s.dice)
		}
		at := during()
		s.signIn(signIn{at: at, who: elsewhere, app: office, resource: exchange, renewal: true})
		s.readMail(at.Add(time.Minute), elsewhere, 1+s.IntN(8))
	}
	if away && weekday == 0 {
		flying := who
		flying.place = inFlight.pick(s.dice)
		at := midnight.Add(6*time.Hour + s.upTo(3*time.Hour))
		s.signIn(signIn{at: at, who: flying, app: office, resource: exchange, renewal: true})
		s.readMail(at.Add(time.Minute), flying, 1+s.IntN(8))
	}
	if a.skew%8 == 1 && s.chance(0.3) {
		s.privately(a, during(), privateMac, privateVPN.pick(s.dice), "vpn", number)
	}
	if !away && a.skew%11 == 3 && s.chance(0.2) {
		s.privately(a, during(), privatePC, a.home, "private", number)
	}
	if a.skew%24 == 7 {
		starlink := who
		starlink.place = satelliteHome.pick(w.dice("satellite", a.PUID, strconv.Itoa(number)))
		s.signIn(signIn{at: during(), who: starlink, app: office, resource: exchange, renewal: true})
	}
	if s.chance(0.01) { // asleep at the prompt
		cafe := who
		cafe.place = local()
		at := during()
		for range 3 + s.IntN(2) {
			s.signIn(signIn{at: at, who: cafe, app: officeHome, resource: officeHome, code: mfaDenied, proof: byPassword})
			at = at.Add(time.Minute)
		}
		s.signIn(signIn{at: at, who: cafe, app: officeHome, resource: officeHome, proof: byPrompt})
	}
	s.likeIntruders(a, who, during)
	if a.Administrator {
		s.oddAdministration(who, during)
	}
}

// likeIntruders is what a person does now and then at the usual place, and intruders too.
func (s *scribe) likeIntruders(a *Account, who presence, during func() time.Time) {
	if a.skew%10 == 7 && s.chance(0.3) {
		dev := who
		dev.client = devTool
		if a.laptop.os == "MacOs" {
			dev.client.agent, dev.client.os, dev.client.auditOS = "python/3.12.3 (macOS-15.1-arm64) msal/1.28 AZURECLI/2.60.0", "MacOs", "MacOs"
		}
		s.signIn(signIn{at: during(), who: dev, app: azureCLI, resource: directory, renewal: true})
	}
	if s.chance(0.02) {
		s.tidy(a, who, during())
	}
	if s.chance(0.01) {
		at := during()
		for range 60 + s.IntN(100) {
			s.file(at, who, "FileDownloaded")
			at = at.Add(3 * time.Second)
		}
	}
	if s.chance(0.006) {
		at := during()
		for range 40 {
			s.sendMail(at, who, "Christmas party")
			at = at.Add(9 * time.Second)
		}
	}
	if s.chance(0.006) {
		s.registered(during(), who, "User registered security info")
	}
	if a.skew%5 == 0 && s.chance(0.2) {
		s.search(during(), who, []string{"invoice 2231", "payroll May", "minutes"}[s.IntN(3)])
	}
}

// privately is a person at a machine of their own: a session of its own,
// begun with password and MFA, some mail and no more.
func (s *scribe) privately(a *Account, at time.Time, c client, from place, name string, week int) {
	who := presence{account: a, client: c, place: from, session: s.world.session(a, name, week/sessionLife)}
	s.passwordSignIn(at, who, officeHome, officeHome)
	s.readMail(at.Add(2*time.Minute), who, 1+s.IntN(4))
	s.readMail(at.Add(9*time.Minute), who, 1+s.IntN(4))
}

// tidy is an inbox rule of somebody who likes order.
func (s *scribe) tidy(a *Account, who presence, at time.Time) {
	rules := [][]nameValue{
		{{"Name", "zz"}, {"SubjectContainsWords", "out of office"}, {"DeleteMessage", "True"}},
		{{"Name", "LinkedIn"}, {"From", "updates@linkedin.example"}, {"DeleteMessage", "True"}},
		{{"Name", "Archive reports"}, {"From", "reports@erp.example"}, {"MoveToFolder", "Archive"}, {"MarkAsRead", "True"}},
		{{"Name", "1"}, {"From", "boss@" + s.tenant.Domain}, {"MoveToFolder", "Boss"}},
		{{"Name", "Invoices"}, {"SubjectContainsWords", "invoice"}, {"MoveToFolder", "Invoices"}},
		{{"Name", "Alerts"}, {"From", "alerts@monitor.example"}, {"MoveToFolder", "Deleted Items"}, {"StopProcessingRules", "True"}},
		{{"Name", "Assistant"}, {"From", "bank@bank.example"}, {"ForwardTo", "office@" + s.tenant.Domain}},
	}
	rule := rules[s.IntN(len(rules))]
	s.cmdlet(at, who, exchange, "New-InboxRule", s.tenant.hosted("/"+a.alias()+`\`+rule[0].Value), rule...)
}

// registered writes that security information of an account was set.
func (s *scribe) registered(at time.Time, who presence, operation string) {
	s.directory(at, who, directoryAct{
		operation: operation, category: "UserManagement", object: who.account.UserPrincipalName, target: who.account.target(),
	})
}

// search writes that mail was searched.
func (s *scribe) search(at time.Time, who presence, query string) {
	m := s.mailbox(at, who, 208, "SearchQueryInitiatedExchange")
	m.OperationProperties = []nameValue{{"QueryText", query}}
	s.write(UnifiedAudit, at, m.ID, m)
}

// oddAdministration is what administrators do now and then, and intruders too.
func (s *scribe) oddAdministration(who presence, during func() time.Time) {
	t, a := s.tenant, who.account
	other := t.Accounts[s.IntN(len(t.Accounts))]
	if s.chance(0.3) {
		at := during()
		granted := []modified{
			{Name: "Role.DisplayName", NewValue: globalAdministrator.name}, {Name: "Role.TemplateId", NewValue: globalAdministrator.template},
		}
		s.directory(at, who, directoryAct{
			operation: "Add member to role completed (PIM activation).", category: "Role", object: a.UserPrincipalName,
			target: a.target(), changes: granted,
		})
		s.directoryService(at.Add(time.Second), "MS-PIM", directoryAct{
			operation: "Add member to role.", category: "Role", object: a.UserPrincipalName, target: a.target(), changes: granted,
		})
	}
	if s.chance(0.02) {
		app := application{s.uuid().String(), fmt.Sprintf("Archive %d", s.IntN(100))}
		s.consentFor(during(), who, app, "Mail.ReadWrite offline_access User.Read", "https://archive.example/signin", true)
	}
	if s.chance(0.04) && other != a {
		s.cmdlet(during(), who, exchange, "Add-MailboxPermission", t.hosted("/shared"),
			nameValue{"Identity", "shared-" + strconv.Itoa(s.IntN(9))}, nameValue{"User", other.UserPrincipalName}, nameValue{"AccessRights", "FullAccess"})
	}
	if s.chance(0.04) && other != a && !other.Automation {
		s.directory(during(), who, directoryAct{
			operation: "Admin registered security info.", category: "UserManagement", object: other.UserPrincipalName, target: other.target(),
		})
	}
	if s.chance(0.01) {
		s.addToRole(during(), who, other, role{"Helpdesk Administrator", "729827e3-9c14-49f7-bb1b-9608f156bbb8", "HelpdeskAdmins"})
	}
	if s.chance(0.01) {
		s.directory(during(), who, directoryAct{
			operation: "Update conditional access policy.", category: "Policy", object: "Require MFA",
			changes: []modified{{Name: "ConditionalAccessPolicy", NewValue: `{"state":"enabled"}`, OldValue: `{"state":"enabled"}`}},
		})
	}
}
