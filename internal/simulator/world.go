// Package simulator invents the life of Microsoft 365 tenants: people with
// homes, offices, phones and habits, what Microsoft's own services do around
// them, and attacks on them. It writes that life down as Microsoft's logs
// would: unified audit records (AuditData objects) and Entra sign-ins (Graph
// beta signIn objects).
//
// The simulator is a stranger: it imports none of Cairn's code, so that it can
// not share a mistake with what it is used to test. Everything derives from a
// seed and from times handed in; the same ones give the same bytes.
//
// What lives here: the world, its history, attacks with a manifest of what was
// planted, and Load for benchmarks. What may not: HTTP servers that play a
// vendor (each gets a folder below this one, fed by the world), importers,
// judgement about what is suspicious.
package simulator

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Config says which world to make. The same configuration gives the same world.
type Config struct {
	Seed uint64
	// Intensity scales what people do over and over (token renewals, mail
	// read, files, chat); 1 is a plausible working day of about 35 records a
	// person, 0 means 1. Rare events (consents, travel, new phones) do not scale.
	Intensity float64
	// Odd fills life with what is easily taken for an attack: web gateways, VPNs
	// of companies and people, several browsers a session, trips by air, roles
	// activated for an hour, tidy inbox rules and more (oddities.go).
	Odd bool
}

// World is a set of tenants and the rules of their life.
type World struct {
	Seed    uint64
	Tenants []*Tenant

	intensity float64
	isOdd     bool
}

// Tenant is one company's Microsoft 365 directory.
type Tenant struct {
	Name            string     // "Harbourlight Dental"
	Domain          string     // of mail addresses and user principal names
	OnMicrosoftName string     // the directory's first name: "harbourlightdental.onmicrosoft.com"
	ID              uuid.UUID  // Microsoft's tenant id
	SignInLog       bool       // holds Entra ID P1: its sign-in log can be exported
	Accounts        []*Account // people first, automation last

	country country
	offset  time.Duration // of local time from UTC; the simulator knows no summer time
	office  netip.Addr
	edge    []place    // the web gateway all laptops sign in through; empty where none
	vpn     netip.Addr // the company's own VPN on a rented machine; invalid where none
	server  string     // Exchange server that answers for the tenant
	forest  string     // its forest, as in object ids
}

// Account is one account of a tenant.
type Account struct {
	UserPrincipalName string // in the case Entra shows it
	DisplayName       string
	ObjectID          uuid.UUID
	PUID              string // sixteen hexadecimal digits, upper case
	Administrator     bool
	Automation        bool // a script's account, not a person's

	sid       string
	mailbox   uuid.UUID
	laptop    client
	phones    []client // one after another: a new one every phoneLife weeks
	home      place
	carrier   block
	officeDay float64       // share of working days spent at the office
	start     time.Duration // of the working day, after local midnight
	skew      int           // weeks by which the account's cycles are shifted
	traveller bool
	onVPN     bool // uses the company VPN on days at home
	scans     bool // a copier's account
	relay     bool // browses through iCloud Private Relay on the phone
}

// New makes a world of six tenants with 8 to 60 accounts each.
func New(config Config) *World {
	if config.Intensity <= 0 {
		config.Intensity = 1
	}
	w := &World{Seed: config.Seed, intensity: config.Intensity, isOdd: config.Odd}
	for i, company := range companies {
		w.Tenants = append(w.Tenants, w.tenant(company, 8+(60-8)*i/(len(companies)-1)))
	}
	return w
}

// Grow adds a tenant of the name with so many people, to worlds that need one of
// another size. The same name and number give the same tenant.
func (w *World) Grow(name string, people int, signInLog bool) *Tenant {
	t := w.tenant(company{name: name, country: "US", signInLog: signInLog}, people)
	w.Tenants = append(w.Tenants, t)
	return t
}

func (w *World) tenant(company company, people int) *Tenant {
	d := w.dice("tenant", company.name)
	label := strings.ToLower(strings.ReplaceAll(company.name, " ", ""))
	t := &Tenant{
		Name:            company.name,
		Domain:          label + ".example",
		OnMicrosoftName: label + ".onmicrosoft.com",
		ID:              d.uuid(),
		SignInLog:       company.signInLog,
		country:         countries[company.country],
	}
	t.offset = t.country.offset
	t.office = t.country.offices.pick(d).address
	t.forest = fmt.Sprintf("%sPR%02dA%03d.PROD.OUTLOOK.COM", t.country.forest, 1+d.IntN(9), 1+d.IntN(20))
	t.server = fmt.Sprintf("%s%dPR%02dMB%04d (15.20.%d.%03d)",
		d.letters(2), d.IntN(10), 1+d.IntN(9), d.IntN(10000), 7000+d.IntN(900), d.IntN(40))
	if company.vpn {
		t.vpn = companyVPN.pick(d).address
	}
	names := d.people(people)
	for j, name := range names {
		a := w.person(t, j, name)
		a.Administrator = j%15 == 0
		a.traveller = j == 2 || j%20 == 12
		a.onVPN = t.vpn.IsValid() && j%3 != 2
		t.Accounts = append(t.Accounts, a)
	}
	if company.automation {
		t.Accounts = append(t.Accounts, w.automation(t))
	}
	if w.isOdd {
		w.odd(t, len(w.Tenants))
	}
	return t
}

func (w *World) person(t *Tenant, index int, name [2]string) *Account {
	d := w.dice("account", t.Name, name[0], name[1])
	isp := t.country.homes[d.IntN(len(t.country.homes))]
	a := &Account{
		UserPrincipalName: name[0] + "." + name[1] + "@" + t.Domain,
		DisplayName:       name[0] + " " + name[1],
		home:              isp.pick(d),
		carrier:           t.country.carrier,
		officeDay:         []float64{0, 0.4, 0.6, 0.8, 1}[d.IntN(5)],
		start:             7*time.Hour + 30*time.Minute + d.upTo(2*time.Hour),
		skew:              d.IntN(24),
	}
	if index%3 == 0 {
		// Half the directories of the world were typed in lower case.
		a.UserPrincipalName = strings.ToLower(a.UserPrincipalName)
	}
	a.identify(d)
	a.laptop = laptops[d.IntN(len(laptops))].of(d, name[0])
	apple := d.chance(0.6)
	for range phoneGenerations {
		models := androids
		if apple {
			models = iphones
		}
		a.phones = append(a.phones, models[d.IntN(len(models))].of(d, name[0]))
	}
	a.relay = apple && d.chance(0.35)
	return a
}

// automation is the account under which an administrator's script runs every night.
func (w *World) automation(t *Tenant) *Account {
	d := w.dice("automation", t.Name)
	a := &Account{
		UserPrincipalName: "svc-reports@" + t.Domain,
		DisplayName:       "Reports (service)",
		Administrator:     true,
		Automation:        true,
		home:              place{address: t.office, country: t.country.code, city: t.country.city},
		laptop:            script,
	}
	a.identify(d)
	return a
}

func (a *Account) identify(d dice) {
	a.ObjectID = d.uuid()
	a.PUID = fmt.Sprintf("10032%03X%08X", d.IntN(0x1000), d.Uint32())
	a.sid = fmt.Sprintf("S-1-5-21-%d-%d-%d-%d", 1e9+d.IntN(9e8), 1e9+d.IntN(3e9), 1e9+d.IntN(9e8), 1e7+d.IntN(9e7))
	a.mailbox = d.uuid()
}

// times scales a number of routine acts with the world's intensity, keeping
// the mean exact: what is left of a fraction falls to chance.
func (w *World) times(d dice, n float64) int {
	whole, rest := math.Modf(n * w.intensity)
	if d.chance(rest) {
		whole++
	}
	return int(whole)
}
