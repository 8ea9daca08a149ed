package simulator

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// The rhythms of a person's life, in weeks. Each is shifted by the account's
// skew, so that in any month some account travels, changes its password or its
// phone.
const (
	sessionLife      = 2  // a browser session on the laptop
	tripEvery        = 4  // a traveller is away one week in so many
	passwordLife     = 12 // a multiple of sessionLife: a new password ends the session
	phoneLife        = 8  // of those who like gadgets
	phoneGenerations = 3
)

// week counts weeks from a Monday; days count from Monday too.
func week(date time.Time) (week, weekday int) {
	days := int(date.Unix()/86400) + 3 // 1970-01-01 was a Thursday
	return days / 7, days % 7
}

// away says whether the account travels in the week, and where it stays.
func (w *World) away(t *Tenant, a *Account, week int) (place, bool) {
	if !a.traveller || (week+a.skew)%tripEvery != 0 {
		return place{}, false
	}
	d := w.dice("trip", t.Name, a.UserPrincipalName, strconv.Itoa(week))
	return destinations[d.IntN(len(destinations))].pick(d), true
}

// session is the id of the account's session on a client in a period of its life.
func (w *World) session(a *Account, client string, period int) uuid.UUID {
	return w.dice("session", a.ObjectID.String(), client, strconv.Itoa(period)).uuid()
}

// phone is the account's phone in the week and how many it has had before.
func (a *Account) phone(week int) (client, int) {
	if a.skew%10 != 0 {
		return a.phones[0], 0
	}
	generation := (week + a.skew) / phoneLife
	return a.phones[generation%phoneGenerations], generation
}

// atLaptop is the account at its laptop in the place, in the session of that week.
func (w *World) atLaptop(a *Account, at place, week int) presence {
	return presence{account: a, client: a.laptop, place: at, session: w.session(a, "laptop", (week+a.skew)/sessionLife)}
}

// person writes one day of somebody's life.
func (s *scribe) person(a *Account, date time.Time) {
	w, t := s.world, s.tenant
	number, weekday := week(date)
	fresh := weekday == 0 && (number+a.skew)%sessionLife == 0
	midnight := t.day(date)
	hotel, away := w.away(t, a, number)
	home := a.home
	if away {
		home = hotel
	}
	phone, generation := a.phone(number)
	s.onPhone(a, phone, generation, midnight, home, weekday == 0 && a.skew%10 == 0 && (number+a.skew)%phoneLife == 0)
	if weekday > 4 || (!fresh && s.chance(0.04)) {
		return
	}
	where := home
	switch {
	case away:
	case s.chance(a.officeDay):
		where = place{address: t.office, number: t.country.offices.number, country: t.country.code, city: t.country.city}
	case a.onVPN && s.chance(0.7):
		where = place{address: t.vpn, number: companyVPN.number, country: companyVPN.country, city: companyVPN.city}
		if w.isOdd {
			where = w.exit(t, number)
		}
	}
	start := midnight.Add(a.start + s.upTo(20*time.Minute))
	who := w.atLaptop(a, where, number)
	s.work(who, start, fresh, (number+a.skew)%passwordLife == 0)
	if w.isOdd {
		s.oddDay(a, who, midnight, number, weekday, away)
	}
}

// work is a day at the laptop.
func (s *scribe) work(who presence, start time.Time, fresh, newPassword bool) {
	a, w := who.account, s.world
	switch {
	case fresh && newPassword:
		s.changePassword(start, who)
		s.passwordSignIn(start.Add(2*time.Minute), who, officeHome, officeHome)
	case fresh:
		s.passwordSignIn(start, who, officeHome, officeHome)
	case s.chance(0.5):
		s.signIn(signIn{at: start, who: who, app: officeHome, resource: officeHome, proof: byClaim})
	}
	if s.chance(0.1) {
		s.signIn(signIn{at: start.Add(4 * time.Minute), who: who, app: owa, resource: exchange, code: silentFailed, proof: byClaim})
	}
	during := func() time.Time { return start.Add(10*time.Minute + s.upTo(8*time.Hour)) }
	for range w.times(s.dice, 7) {
		to := []signIn{
			{app: office, resource: exchange},
			{app: teams, resource: sharePoint},
			{app: owa, resource: exchange},
			{app: office, resource: graph},
		}[s.IntN(4)]
		to.at, to.who, to.renewal = during(), who, true
		s.signIn(to)
	}
	for range w.times(s.dice, 5) {
		if who.client.outlook != "" && s.chance(0.3) {
			s.syncMail(during(), who)
		} else {
			s.readMail(during(), who, 1+s.IntN(8))
		}
	}
	for range w.times(s.dice, 3) {
		s.sendMail(during(), who, subjects[s.IntN(len(subjects))])
	}
	for range w.times(s.dice, 2) {
		s.deleteMail(during(), who, []string{"MoveToDeletedItems", "SoftDelete"}[s.IntN(2)], subjects[s.IntN(len(subjects))])
	}
	for range w.times(s.dice, 6) {
		s.file(during(), who, []string{"FileAccessed", "FileAccessed", "FileModified", "FileDownloaded", "FileUploaded", "FilePreviewed"}[s.IntN(6)])
	}
	for range w.times(s.dice, 3) {
		s.chat(during(), who)
	}
	s.seldom(who, during)
	if a.Administrator {
		s.administer(who, during)
	}
}

// seldom is what a person does a few times a year.
func (s *scribe) seldom(who presence, during func() time.Time) {
	a := who.account
	if s.chance(0.03) {
		s.ownFolder(during(), who)
	}
	if s.chance(0.012) {
		s.cmdlet(during(), who, exchange, "New-InboxRule", s.tenant.hosted("/"+a.alias()+`\Newsletters`),
			nameValue{"AlwaysDeleteOutlookRulesBlob", "False"}, nameValue{"Force", "False"}, nameValue{"Name", "Newsletters"},
			nameValue{"From", "news@gardenweekly.example"}, nameValue{"MoveToFolder", "Newsletters"},
			nameValue{"StopProcessingRules", "True"})
	}
	if s.chance(0.006) {
		name := signInApps[s.IntN(len(signInApps))]
		app := application{s.world.dice("app", name).uuid().String(), name}
		s.consent(during(), who, app, "openid profile email User.Read", "https://"+lower(name)+".example/signin")
	}
}

// onPhone is a day of the phone in the pocket: it wanders between Wi-Fi and
// carrier within one session.
func (s *scribe) onPhone(a *Account, phone client, generation int, midnight time.Time, home place, isNew bool) {
	w := s.world
	who := presence{account: a, client: phone, place: home, session: w.session(a, "phone", generation)}
	if isNew {
		at := midnight.Add(6*time.Hour + 40*time.Minute)
		s.passwordSignIn(at, who, outlookApp, exchange)
		s.directory(at.Add(3*time.Minute), who, directoryAct{
			operation: "Update user.", category: "User", object: a.UserPrincipalName, target: a.target(),
			changes: []modified{
				{
					Name:     "StrongAuthenticationPhoneAppDetail",
					NewValue: fmt.Sprintf("[\r\n  {\r\n    \"DeviceName\": %q\r\n  }\r\n]", phone.os), OldValue: "[]",
				},
				{Name: "Included Updated Properties", NewValue: "StrongAuthenticationPhoneAppDetail"},
				{Name: "TargetId.UserType", NewValue: "Member"},
			},
		})
	}
	for range w.times(s.dice, 4) {
		at := midnight.Add(6*time.Hour + 50*time.Minute + s.upTo(15*time.Hour))
		who.place = home
		if s.chance(0.4) {
			who.place = a.carrier.pick(s.dice)
		}
		s.signIn(signIn{at: at, who: who, app: outlookApp, resource: exchange, renewal: true})
		if s.chance(0.6) {
			s.readMail(at.Add(20*time.Second), who, 1+s.IntN(3))
		}
	}
	if a.relay && s.chance(0.4) {
		// Safari has a session of its own, and all of it goes through the relay.
		at := midnight.Add(20*time.Hour + s.upTo(2*time.Hour))
		safari := presence{
			account: a, client: phone, place: s.tenant.country.relay.pick(s.dice), session: w.session(a, "safari", generation),
		}
		s.signIn(signIn{at: at, who: safari, app: officeHome, resource: officeHome, proof: byClaim})
		s.file(at.Add(time.Minute), safari, "FilePreviewed")
	}
}

// changePassword writes a password change and the stale grant that follows it.
func (s *scribe) changePassword(at time.Time, who presence) {
	a, request := who.account, s.uuid()
	for i, operation := range []string{"Change user password.", "Update StsRefreshTokenValidFrom Timestamp."} {
		s.directory(at.Add(time.Duration(i)*time.Second), who, directoryAct{
			operation: operation, category: "User", object: a.UserPrincipalName, target: a.target(), request: request,
		})
	}
	s.signIn(signIn{at: at.Add(40 * time.Second), who: who, app: office, resource: exchange, renewal: true, code: grantExpired})
}

// administer is the administrators' share of a day.
func (s *scribe) administer(who presence, during func() time.Time) {
	other := s.tenant.Accounts[s.IntN(len(s.tenant.Accounts))]
	if s.chance(0.3) {
		s.directory(during(), who, directoryAct{
			operation: "Update user.", category: "User", object: other.UserPrincipalName, target: other.target(),
			agent: "Microsoft Azure Graph Client Library 1.0",
			changes: []modified{
				{Name: "JobTitle", NewValue: listed("Coordinator"), OldValue: "[]"},
				{Name: "Included Updated Properties", NewValue: "JobTitle"},
				{Name: "TargetId.UserType", NewValue: "Member"},
			},
		})
	}
	if s.chance(0.1) {
		s.directory(during(), who, directoryAct{
			operation: "Add member to group.", category: "Group", object: other.UserPrincipalName, target: other.target(),
			changes: []modified{
				{Name: "Group.ObjectID", NewValue: s.world.dice("group", s.tenant.Name).uuid().String()},
				{Name: "Group.DisplayName", NewValue: "Everybody"},
				{Name: "Group.WellKnownObjectName"},
			},
		})
	}
	if s.chance(0.05) && other != who.account {
		s.directory(during(), who, directoryAct{
			operation: "Reset user password.", category: "User", object: other.UserPrincipalName, target: other.target(),
		})
	}
}
