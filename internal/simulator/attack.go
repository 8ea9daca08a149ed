package simulator

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// AttackKind names a scenario.
type AttackKind string

// The scenarios.
const (
	// TokenTheft: a person signs in from home through a phishing page; the kit
	// replays the session from a rented machine, hides mail by a rule named
	// ".", forwards the mailbox outside and reads mail.
	TokenTheft AttackKind = "tokenTheft"
	// Spray: one password against twelve people from one rented network. One
	// is let in, and consents to an application that reads mail.
	Spray AttackKind = "spray"
	// OldCompromise: an administrator's password is guessed by brute force;
	// the mailbox is forwarded outside and a look-alike account becomes Global
	// Administrator. Meant to be placed some 60 days back.
	OldCompromise AttackKind = "oldCompromise"
	// BlockedSpray: as Spray, and nobody is let in: a failed attack, no compromise.
	BlockedSpray AttackKind = "blockedSpray"
)

// AttackKinds are all scenarios.
var AttackKinds = []AttackKind{TokenTheft, Spray, OldCompromise, BlockedSpray}

// Behaviour names one thing an attacker does.
type Behaviour string

// The behaviours planted.
const (
	SessionOnTwoNetworks Behaviour = "sessionOnTwoNetworks"
	MaliciousInboxRule   Behaviour = "maliciousInboxRule"
	MailboxForwarding    Behaviour = "mailboxForwarding"
	PasswordSpray        Behaviour = "passwordSpray"
	BruteForce           Behaviour = "bruteForce"
	RiskyConsent         Behaviour = "riskyConsent"
	PrivilegedRole       Behaviour = "privilegedRole"
	LookAlikeAccount     Behaviour = "lookAlikeAccount"
	MailRead             Behaviour = "mailRead"
)

// Planted says of one behaviour where it is in the records.
type Planted struct {
	Behaviour Behaviour
	Account   string   // user principal name of the account whose credentials acted or, without success, were tried
	Succeeded bool     // false: a failed attack only
	Records   []string // audit record ids, oldest first; a sign-in has the same id in the sign-in log
}

// Attack is a scenario's records, in time order, and what they hold.
type Attack struct {
	Kind     AttackKind
	Tenant   *Tenant
	Records  []Record
	Manifest []Planted
}

// Attack writes a scenario that begins at the given moment. The records of the
// victims' own life are not among them, save the sign-in that is phished: that
// life is in History. The same kind, tenant and moment give the same records.
func (w *World) Attack(kind AttackKind, t *Tenant, at time.Time) Attack {
	at = at.UTC().Truncate(time.Second)
	a := &attack{
		scribe: w.scribe(t, "attack", string(kind), at.Format(time.RFC3339)),
		Attack: Attack{Kind: kind, Tenant: t},
	}
	switch kind {
	case TokenTheft:
		a.tokenTheft(at)
	case Spray:
		a.spray(at, true)
	case OldCompromise:
		a.oldCompromise(at)
	case BlockedSpray:
		a.spray(at, false)
	default:
		if intrusions[kind] == nil {
			panic(fmt.Sprintf("simulator: no attack of kind %q", kind))
		}
		a.intrude(kind, at)
	}
	a.Records = a.records
	slices.SortStableFunc(a.Records, func(x, y Record) int { return x.Time.Compare(y.Time) })
	return a.Attack
}

type attack struct {
	*scribe
	Attack
}

func (a *attack) planted(b Behaviour, account *Account, succeeded bool, records ...string) {
	a.Manifest = append(a.Manifest, Planted{b, account.UserPrincipalName, succeeded, records})
}

// people are the accounts that are persons, administrators or not, in a random order.
func (a *attack) people(administrators bool) []*Account {
	var people []*Account
	for _, p := range a.tenant.Accounts {
		if !p.Automation && p.Administrator == administrators {
			people = append(people, p)
		}
	}
	a.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	return people
}

func (a *attack) tokenTheft(at time.Time) {
	victim := a.people(false)[0]
	number, _ := week(at.Add(a.tenant.offset))
	home := a.world.atLaptop(victim, victim.home, number)
	phished := a.passwordSignIn(at, home, officeHome, officeHome)
	// Kits take the session over once they have it: same session, another machine.
	machine := sourceAiTM.pick(a.dice)
	thief := presence{account: victim, client: kit, place: machine, session: home.session}
	at = at.Add(4*time.Minute + a.upTo(2*time.Minute))
	replayed := a.signIn(signIn{at: at, who: thief, app: officeHome, resource: officeHome, proof: byClaim})
	a.planted(SessionOnTwoNetworks, victim, true, phished, replayed)

	thief.client = intruder
	at = at.Add(3 * time.Minute)
	read := append(make([]string, 0, 4), a.readMail(at, thief, 12))
	at = at.Add(2*time.Minute + a.upTo(time.Minute))
	rule := a.cmdlet(at, thief, exchange, "New-InboxRule", a.tenant.hosted("/"+victim.alias()+`\.`),
		nameValue{"AlwaysDeleteOutlookRulesBlob", "False"}, nameValue{"Force", "False"}, nameValue{"Name", "."},
		nameValue{"SubjectOrBodyContainsWords", "invoice;payment;wire"}, nameValue{"MoveToFolder", "RSS Feeds"},
		nameValue{"MarkAsRead", "True"}, nameValue{"StopProcessingRules", "True"})
	a.planted(MaliciousInboxRule, victim, true, rule)
	at = at.Add(time.Minute + a.upTo(time.Minute))
	a.forward(at, thief)
	for range 3 {
		at = at.Add(time.Minute + a.upTo(2*time.Minute))
		read = append(read, a.readMail(at, thief, 20+a.IntN(30)))
	}
	a.planted(MailRead, victim, true, read...)
}

// forward sends the mailbox of whom it is to an address outside.
func (a *attack) forward(at time.Time, thief presence) {
	outside := fmt.Sprintf("smtp:%s%04d@freemail.example", lower(a.letters(7)), a.IntN(10000))
	id := a.cmdlet(at, thief, exchange, "Set-Mailbox", thief.account.alias(),
		nameValue{"Identity", a.tenant.hosted("/" + thief.account.alias())},
		nameValue{"ForwardingSmtpAddress", outside}, nameValue{"DeliverToMailboxAndForward", "True"})
	a.planted(MailboxForwarding, thief.account, true, id)
}

func (a *attack) spray(at time.Time, success bool) {
	targets := append(a.people(false), a.people(true)...)
	targets = targets[:min(12, len(targets))]
	// Sprayers walk through the addresses of one network.
	network := sourceSpray.pick(a.dice)
	source := func() place {
		bytes := network.address.As4()
		bytes[3] = byte(1 + a.IntN(250))
		p := network
		p.address = netip.AddrFrom4(bytes)
		return p
	}
	tried := map[*Account][]string{}
	for range 2 {
		for _, target := range targets {
			at = at.Add(15*time.Second + a.upTo(25*time.Second))
			who := presence{account: target, client: sprayer, place: source()}
			tried[target] = append(tried[target], a.signIn(signIn{
				at: at, who: who, app: azureCLI, resource: directory, code: wrongPassword, proof: byPassword,
			}))
		}
	}
	for i, target := range targets {
		if i == 0 && success {
			continue
		}
		a.planted(PasswordSpray, target, false, tried[target]...)
	}
	if !success {
		return
	}
	victim := targets[0]
	at = at.Add(90 * time.Second)
	thief := presence{account: victim, client: sprayer, place: source(), session: a.uuid()}
	entry := a.signIn(signIn{at: at, who: thief, app: azureCLI, resource: directory, proof: byPassword})
	a.planted(PasswordSpray, victim, true, append(tried[victim], entry)...)

	thief.client = intruder
	a.signIn(signIn{at: at.Add(6 * time.Minute), who: thief, app: officeHome, resource: officeHome, proof: byPassword})
	app := application{a.uuid().String(), "Mail Upgrade Assistant"}
	consented := a.consent(at.Add(11*time.Minute), thief, app,
		"offline_access Mail.ReadWrite User.Read openid profile", "https://mail-upgrade.example/callback")
	a.planted(RiskyConsent, victim, true, consented...)
}

func (a *attack) oldCompromise(at time.Time) {
	victim := a.people(true)[0]
	thief := presence{account: victim, client: intruder, place: sourceBrute.pick(a.dice)}
	const guesses = 26
	tried := make([]string, 0, guesses+1)
	for i := range guesses {
		at = at.Add(12*time.Second + a.upTo(30*time.Second))
		code := wrongPassword
		if i == 15 || i == 16 {
			code = lockedOut
		}
		tried = append(tried, a.signIn(signIn{at: at, who: thief, app: officeHome, resource: officeHome, code: code, proof: byPassword}))
	}
	at = at.Add(time.Minute)
	thief.session = a.uuid()
	tried = append(tried, a.signIn(signIn{at: at, who: thief, app: officeHome, resource: officeHome, proof: byPassword}))
	a.planted(BruteForce, victim, true, tried...)

	at = at.Add(20 * time.Minute)
	a.forward(at, thief)
	at = at.Add(7 * time.Minute)
	imitated := a.people(false)[0]
	double := imitated.lookAlike(a.dice, a.tenant)
	a.planted(LookAlikeAccount, victim, true, a.addUser(at, thief, double))
	a.planted(PrivilegedRole, victim, true, a.addToRole(at.Add(3*time.Minute), thief, double, globalAdministrator))
}

// lookAlike is an account whose name differs from another's in what the eye skips.
func (a *Account) lookAlike(d dice, t *Tenant) *Account {
	name, double := a.alias(), a.alias()+"1"
	for _, swap := range [][2]string{{"m", "rn"}, {"l", "I"}, {"o", "0"}} {
		if strings.Contains(name, swap[0]) {
			double = strings.Replace(name, swap[0], swap[1], 1)
			break
		}
	}
	made := &Account{UserPrincipalName: double + "@" + t.Domain, DisplayName: a.DisplayName}
	made.identify(d)
	return made
}
