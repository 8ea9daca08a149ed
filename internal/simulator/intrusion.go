package simulator

import (
	"time"
)

// Intrusions: one account taken over, each in another way. Who, from where and
// with what are chance's; what follows the entry differs from time to time.
const (
	// RelayedSignIn: a phishing page relays a whole sign-in from a home line; a
	// browser like the victim's, without the device; mail is read and hidden.
	RelayedSignIn AttackKind = "relayedSignIn"
	// MovedSession: the victim's session goes on from another machine abroad.
	MovedSession AttackKind = "movedSession"
	// DeviceCodePhish: the victim approves a code, the intruder's program gets the token.
	DeviceCodePhish AttackKind = "deviceCodePhish"
	// KitSignIn: a phishing kit's program signs in, and waits.
	KitSignIn AttackKind = "kitSignIn"
	// PromptBombing: prompts until one is approved.
	PromptBombing AttackKind = "promptBombing"
	// VPNSignIn: a known password used over a rented network; something is left behind.
	VPNSignIn AttackKind = "vpnSignIn"
	// AppPhish: the victim consents to an application, whose program reads the mail.
	AppPhish AttackKind = "appPhish"
	// LegacySignIn: a password used over an old protocol, and mail is sent.
	LegacySignIn AttackKind = "legacySignIn"
	// AdminTakeover: an administrator's account gives roles away.
	AdminTakeover AttackKind = "adminTakeover"
	// PatientThief: a strange sign-in, renewals for days, then a rule.
	PatientThief AttackKind = "patientThief"
)

// Intrusions are the kinds of attack that take one account over.
var Intrusions = []AttackKind{
	RelayedSignIn, MovedSession, DeviceCodePhish, KitSignIn, PromptBombing,
	VPNSignIn, AppPhish, LegacySignIn, AdminTakeover, PatientThief,
}

// Intrusion is the behaviour an intrusion's records are planted as.
const Intrusion Behaviour = "intrusion"

// Lines and machines of intruders. Facts from the AS tables, as in places.go.
var (
	foreignLines = []block{
		{"37.20.0.0/14", 12389, "RU", "Moscow"},
		{"14.160.0.0/11", 45899, "VN", "Hanoi"},
		{"178.120.0.0/13", 6697, "BY", "Minsk"},
		{"102.88.0.0/13", 29465, "NG", "Lagos"},
		{"191.176.0.0/13", 28573, "BR", "São Paulo"},
		{"117.192.0.0/10", 9829, "IN", "Chennai"},
	}
	rentedBoxes = []block{
		{"45.76.0.0/15", 20473, "US", "Miami"},
		{"2.29.0.0/16", 24940, "DE", "Falkenstein"},
		{"172.236.0.0/14", 63949, "US", "Dallas"},
		{"58.68.128.0/18", 9009, "RO", "Bucharest"},
	}
	tools = []client{
		kit,
		{agent: "node", auditBrowser: "Other"},
		{agent: "undici", auditBrowser: "Other"},
		{agent: "Python/3.12 aiohttp/3.9.5", auditBrowser: "Other"},
		{agent: "go-resty/2.11.0 (https://github.com/go-resty/resty)", auditBrowser: "Other"},
		{agent: "python-requests/2.32.3", auditBrowser: "Other"},
	}
	foreignBrowsers = []client{
		intruder, privateMac,
		{
			agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:88.0) Gecko/20100101 Firefox/88.0",
			os:    "Windows10", auditOS: "Windows 10", browser: "Firefox 88.0", auditBrowser: "Firefox",
		},
		{
			agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
			os:    "Linux", auditOS: "Linux", browser: "Chrome 131.0.0", auditBrowser: "Chrome",
		},
	}
)

func oneOf[T any](d dice, list []T) T { return list[d.IntN(len(list))] }

// intrude writes one of the Intrusions.
func (a *attack) intrude(kind AttackKind, at time.Time) {
	victim := a.people(kind == AdminTakeover)[0]
	number, _ := week(at.Add(a.tenant.offset))
	owner := a.world.atLaptop(victim, victim.home, number)
	thief := presence{account: victim, client: oneOf(a.dice, foreignBrowsers), place: oneOf(a.dice, foreignLines).pick(a.dice), session: a.uuid()}
	if a.chance(0.5) {
		thief.place = oneOf(a.dice, rentedBoxes).pick(a.dice)
	}
	start := len(a.records)
	intrusions[kind](a, at, owner, thief)
	var ids []string
	for _, r := range a.records[start:] {
		if r.Log == UnifiedAudit {
			ids = append(ids, r.ID)
		}
	}
	a.planted(Intrusion, victim, true, ids...)
}

// intrusions write what happens; thief is a stranger's presence that each may change.
var intrusions = map[AttackKind]func(a *attack, at time.Time, owner, thief presence){
	RelayedSignIn:   (*attack).relayedSignIn,
	MovedSession:    (*attack).movedSession,
	DeviceCodePhish: (*attack).deviceCodePhish,
	KitSignIn:       (*attack).kitSignIn,
	PromptBombing:   (*attack).promptBombing,
	VPNSignIn:       (*attack).vPNSignIn,
	AppPhish:        (*attack).appPhish,
	LegacySignIn:    (*attack).legacySignIn,
	AdminTakeover:   (*attack).adminTakeover,
	PatientThief:    (*attack).patientThief,
}

func (a *attack) relayedSignIn(at time.Time, _, thief presence) {
	thief.client = thief.account.laptop
	thief.client.managed, thief.client.outlook = false, ""
	if a.chance(0.5) {
		thief.place = oneOf(a.dice, foreignLines).pick(a.dice)
	} else {
		thief.client = oneOf(a.dice, foreignBrowsers)
		thief.place = oneOf(a.dice, a.tenant.country.homes).pick(a.dice)
	}
	a.passwordSignIn(at, thief, officeHome, officeHome)
	a.rummage(at.Add(time.Hour+a.upTo(time.Hour)), thief)
}

func (a *attack) movedSession(at time.Time, owner, thief presence) {
	thief.session = owner.session
	a.signIn(signIn{at: at, who: thief, app: officeHome, resource: officeHome, renewal: true})
	a.rummage(at.Add(10*time.Minute), thief)
}

func (a *attack) deviceCodePhish(at time.Time, owner, thief presence) {
	correlation := a.uuid()
	ask := signIn{at: at, who: owner, app: office, resource: graph, method: methodDeviceCode, correlation: correlation, code: confirmApp}
	a.signIn(ask)
	ask.at, ask.code, ask.proof = at.Add(20*time.Second), noFailure, byClaim
	a.signIn(ask)
	thief.client, thief.session = oneOf(a.dice, tools), owner.session
	got := ask
	got.at, got.who, got.renewal = at.Add(24*time.Second), thief, true
	a.signIn(got)
	a.readMail(at.Add(20*time.Minute), thief, 30+a.IntN(40))
}

func (a *attack) kitSignIn(at time.Time, _, thief presence) {
	thief.client = oneOf(a.dice, tools)
	a.passwordSignIn(at, thief, officeHome, officeHome)
}

func (a *attack) promptBombing(at time.Time, _, thief presence) {
	for range 4 + a.IntN(6) {
		a.signIn(signIn{at: at, who: thief, app: officeHome, resource: officeHome, code: mfaDenied, proof: byPassword})
		at = at.Add(time.Minute + a.upTo(4*time.Minute))
	}
	a.signIn(signIn{at: at, who: thief, app: officeHome, resource: officeHome, proof: byPrompt})
	a.registered(at.Add(10*time.Minute), thief, "User registered security info")
}

func (a *attack) vPNSignIn(at time.Time, _, thief presence) {
	thief.place = oneOf(a.dice, rentedBoxes).pick(a.dice)
	a.passwordSignIn(at, thief, officeHome, officeHome)
	a.leave(at.Add(15*time.Minute), thief)
}

func (a *attack) appPhish(at time.Time, owner, thief presence) {
	app := application{a.uuid().String(), oneOf(a.dice, []string{"Mail Sync", "PDF Viewer Pro", "Signature Manager"})}
	a.consent(at, owner, app, "IMAP.AccessAsUser.All offline_access Mail.Read", "https://app.example/cb")
	thief.client, thief.place, thief.session = client{agent: "okhttp/4.12", auditBrowser: "Other"}, oneOf(a.dice, rentedBoxes).pick(a.dice), a.uuid()
	a.signIn(signIn{at: at.Add(time.Hour), who: thief, app: app, resource: exchange, renewal: true})
	for i := range 6 {
		a.readMail(at.Add(time.Hour+time.Duration(i)*time.Minute), thief, 50+a.IntN(50))
	}
}

func (a *attack) legacySignIn(at time.Time, _, thief presence) {
	thief.client = client{agent: oneOf(a.dice, []string{"BAV2ROPC", "AConsumerV2ROPC", "CBAInPROD"}), auditBrowser: "Other"}
	for range 2 {
		a.signIn(signIn{at: at, who: thief, app: office, resource: exchange, code: wrongPassword, proof: byPassword, method: methodLegacy})
		at = at.Add(5 * time.Second)
	}
	a.signIn(signIn{at: at, who: thief, app: office, resource: exchange, proof: byPassword, method: methodLegacy})
	for range 40 {
		at = at.Add(6 * time.Second)
		a.sendMail(at, thief, "Voice message")
	}
}

func (a *attack) adminTakeover(at time.Time, _, thief presence) {
	a.passwordSignIn(at, thief, officeHome, officeHome)
	double := a.people(false)[0].lookAlike(a.dice, a.tenant)
	a.addUser(at.Add(8*time.Minute), thief, double)
	a.addToRole(at.Add(10*time.Minute), thief, double, globalAdministrator)
}

func (a *attack) patientThief(at time.Time, _, thief presence) {
	a.passwordSignIn(at, thief, officeHome, officeHome)
	for range 3 + a.IntN(4) {
		at = at.Add(24 * time.Hour)
		a.signIn(signIn{at: at, who: thief, app: office, resource: exchange, renewal: true})
	}
	a.cmdlet(at.Add(time.Hour), thief, exchange, "New-InboxRule", a.tenant.hosted("/"+thief.account.alias()+`\,`),
		nameValue{"Name", ","}, nameValue{"DeleteMessage", "True"}, nameValue{"StopProcessingRules", "True"})
}

// rummage is what an intruder does with a mailbox: looks for money, reads much,
// hides what would give them away.
func (a *attack) rummage(at time.Time, thief presence) {
	for _, word := range []string{"invoice", "IBAN", "payment"}[:1+a.IntN(3)] {
		at = at.Add(time.Minute)
		a.search(at, thief, word)
	}
	for range 2 + a.IntN(3) {
		at = at.Add(time.Minute)
		a.readMail(at, thief, 15+a.IntN(40))
	}
	if a.chance(0.7) {
		a.leave(at.Add(3*time.Minute), thief)
	}
}

// leave is what an intruder leaves behind to come back or to hide.
func (a *attack) leave(at time.Time, thief presence) {
	switch a.IntN(4) {
	case 0:
		a.forward(at, thief)
	case 1:
		a.registered(at, thief, "User registered security info")
	case 2:
		a.cmdlet(at, thief, exchange, "New-InboxRule", a.tenant.hosted("/"+thief.account.alias()+`\Suppliers`),
			nameValue{"Name", "Suppliers"}, nameValue{"FromAddressContainsWords", "supplier.example"},
			nameValue{"MoveToFolder", "Notes"}, nameValue{"MarkAsRead", "True"})
	case 3:
		a.cmdlet(at, thief, exchange, "New-InboxRule", a.tenant.hosted("/"+thief.account.alias()+`\..`),
			nameValue{"Name", ".."}, nameValue{"SubjectOrBodyContainsWords", "invoice;bank"}, nameValue{"DeleteMessage", "True"})
	}
}
