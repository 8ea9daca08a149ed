package detect

import (
	"math/bits"
	"slices"
	"strings"
	"unsafe"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// The caps of a source's month. Unlike an account's, all of them keep what
// comes first in an order that rests on accounts and days alone: which
// failures are listed is the same in whatever order they come.
const (
	maxSourceUsers    = 128 // beyond it the prefix is shared by that alone
	maxSourceGuests   = 128 // accounts that left no proof to be the tenant's people
	maxSuccessDays    = 3   // after three days an account is known at a source
	maxSuccessAgents  = 2
	maxFailingNames   = 256   // that no account has
	maxFailureDays    = 4096  // of all accounts together
	maxFailureSlots   = 16384 // of all days together
	maxFailureIDs     = 3
	maxFailureAgents  = 16
	maxPrincipalBytes = 128
)

// slotLength is the grain in which failures are counted: fine enough to tell
// the rounds of a spray apart.
const slotLength = hour / 12

// SourceBook is one network prefix's month in the tenant.
type SourceBook struct {
	Beside   beside
	Reported bool   // the last review was not empty
	Shared   bool   // more accounts than a book lists: a gateway from its first day
	Excess   excess // what did not fit
	Number   uint32
	Country  string
	Owner    string
	Kind     networkCode
	Users    []SourceUser     // who succeeded, by account; emptied when Shared
	Failing  []SourceFailures // who failed, by account
	Failures []DayTotal       // wrong passwords of a day, all accounts

	gateway      int // see gatewayDay
	gatewayKnown bool
}

// SourceUser is an account that was used from the source with success.
// Days after the one from which the source is a gateway are not kept; the
// account is, so that how many there are does not depend on the order.
type SourceUser struct {
	Account string
	Person  bool      // one of the tenant's own people: see proves
	Days    uint32    // bit n: day n+1 of the month
	Proved  uint32    // of these days, those with a record that proves it
	First   []Success // of the first maxSuccessDays days, by day and agent
}

// Success is the first use of an account from the source on one day with one agent.
type Success struct {
	Day   uint8 // of the month, from 1
	Agent Agent
	Witness
	Session string // compact
}

// proves says that the record was left by one of the tenant's own people: an
// account of its directory that signed in, or has a mailbox there. Guests,
// outsiders who chat, partners with delegated administration, and whoever opens
// a link that was sent around act in the tenant too; they make no address a
// gateway of it, and no domain its own.
func proves(a *activity.Activity) bool {
	if across, _ := a.Parameter("crossTenantAccessType"); across != "" && !strings.EqualFold(across, "none") {
		return false // the account is of another directory (Graph, signIn)
	}
	return a.AccountID != "" && a.Actor.Kind == activity.ActorUser && a.Result == activity.ResultSuccess &&
		(a.SignIn || a.Workload == "Exchange") && !strings.ContainsAny(a.Actor.Principal, "#:")
}

// fold takes in one record from the source.
func (b *SourceBook) fold(a *activity.Activity, agent Agent) (change, error) {
	var c change
	if code := codeOf(a.Network.Kind); b.Number == 0 && b.Kind == 0 || a.Network.Number < b.Number ||
		a.Network.Number == b.Number && (a.Country < b.Country || a.Country == b.Country && (code < b.Kind || code == b.Kind && a.Network.Owner < b.Owner)) {
		b.Number, b.Country, b.Owner, b.Kind = a.Network.Number, strings.Clone(a.Country), strings.Clone(a.Network.Owner), code
		c = changed
	}
	if a.SignIn && a.ErrorCode != 0 {
		class, ok := classify(a.ErrorCode)
		if !ok {
			return c, nil
		}
		d, err := b.foldFailure(a, agent, class)
		return c | d, err
	}
	if a.AccountID == "" || !used(a) {
		return c, nil
	}
	d, err := b.foldSuccess(a, agent)
	return c | d, err
}

func (b *SourceBook) foldSuccess(a *activity.Activity, agent Agent) (change, error) {
	if b.Shared {
		return 0, nil
	}
	day := a.OccurredAt.UTC().Day()
	since := b.gatewayDay()
	i, ok := find(b.Users, a.AccountID, func(u *SourceUser) string { return u.Account })
	var c change
	if !ok {
		b.Users = slices.Insert(b.Users, i, SourceUser{Account: strings.Clone(a.AccountID)})
		c = changed
	}
	u := &b.Users[i]
	bit := uint32(1) << (day - 1)
	proof := (!u.Person || u.Proved&bit == 0 && day <= since) && proves(a)
	if proof && !u.Person {
		if b.people() >= maxSourceUsers {
			b.Users, b.Shared, b.gatewayKnown = nil, true, false
			b.dropKnown(0)
			return changed | judge, nil
		}
		u.Person, c = true, changed
	}
	if day > since {
		return c, nil
	}
	if u.Days&bit == 0 || proof && u.Proved&bit == 0 {
		u.Days |= bit
		if proof {
			u.Proved |= bit
		}
		b.gatewayKnown = false
		c = changed | judge
	}
	d, err := u.note(a, agent, day)
	if err != nil {
		return c, err
	}
	if c&judge != 0 && b.gatewayDay() != since {
		b.forgetAfter(b.gatewayDay())
	}
	return c | d, nil
}

// note keeps the success where it is one of the account's first here.
func (u *SourceUser) note(a *activity.Activity, agent Agent, day int) (change, error) {
	t := at(a.OccurredAt)
	key := uint32(day)<<16 | uint32(agent) //nolint:gosec // a day of the month
	i, ok := find(u.First, key, func(s *Success) uint32 { return uint32(s.Day)<<16 | uint32(s.Agent) })
	if ok {
		s := &u.First[i]
		if t > s.At {
			return 0, nil
		}
	} else if bits.OnesCount32(u.Days&(1<<day-1)) > maxSuccessDays {
		return 0, nil
	}
	w, err := witness(a)
	if err != nil {
		return 0, err
	}
	s := Success{Day: uint8(day), Agent: agent, Witness: w, Session: compactID(a.SessionID)} //nolint:gosec // a day of the month
	if ok {
		if w.compare(&u.First[i].Witness) >= 0 {
			return 0, nil
		}
		u.First[i] = s
		return changed | judge, nil
	}
	u.First = slices.Insert(u.First, i, s)
	u.trim()
	return changed | judge, nil
}

// trim drops successes of later days and of agents beyond the caps.
func (u *SourceUser) trim() {
	kept := u.First[:0]
	days, agents, last := 0, 0, uint8(0)
	for _, s := range u.First {
		if s.Day != last {
			days, agents, last = days+1, 0, s.Day
		}
		if agents++; days <= maxSuccessDays && agents <= maxSuccessAgents {
			kept = append(kept, s)
		}
	}
	clear(u.First[len(kept):])
	u.First = kept
}

// forgetAfter drops what a gateway need not keep: what came after it was known.
func (b *SourceBook) forgetAfter(day int) {
	for i := range b.Users {
		u := &b.Users[i]
		mask := uint32(1)<<min(day, 31) - 1
		u.Days, u.Proved = u.Days&mask, u.Proved&mask
		first := u.First[:0]
		for _, s := range u.First {
			if int(s.Day) <= day {
				first = append(first, s)
			}
		}
		clear(u.First[len(first):])
		u.First = first
	}
	b.dropKnown(day)
}

// people counts the accounts that are known to be the tenant's own.
func (b *SourceBook) people() int {
	n := 0
	for i := range b.Users {
		if b.Users[i].Person {
			n++
		}
	}
	return n
}

// overflow drops what is beyond the caps.
func (b *SourceBook) overflow() {
	if guests := len(b.Users) - b.people(); guests > maxSourceGuests {
		b.Excess |= excessUsers
		b.Users = dropLast(b.Users, guests-maxSourceGuests, func(u *SourceUser) bool { return !u.Person })
	}
	b.overflowFailures()
}

// dropLast drops the last n of those that match.
func dropLast[T any](all []T, n int, match func(*T) bool) []T {
	for i := len(all) - 1; i >= 0 && n > 0; i-- {
		if match(&all[i]) {
			all = slices.Delete(all, i, i+1)
			n--
		}
	}
	return all
}

func (b *SourceBook) users() []SourceUser {
	if b == nil {
		return nil
	}
	return b.Users
}

func (b *SourceBook) user(account string) *SourceUser {
	if b == nil {
		return nil
	}
	if i, ok := find(b.Users, account, func(u *SourceUser) string { return u.Account }); ok {
		return &b.Users[i]
	}
	return nil
}

// interesting says that a judgement could find anything: somebody failed.
func (b *SourceBook) interesting() bool {
	return b != nil && (len(b.Failures) > 0 || b.Reported)
}

func (b *SourceBook) size() int {
	n := int(unsafe.Sizeof(*b)) + len(b.Owner)
	for i := range b.Users {
		n += int(unsafe.Sizeof(SourceUser{})) + len(b.Users[i].Account) + cap(b.Users[i].First)*(int(unsafe.Sizeof(Success{}))+17)
	}
	for i := range b.Failing {
		n += int(unsafe.Sizeof(SourceFailures{})) + len(b.Failing[i].Account)
		for j := range b.Failing[i].Days {
			d := &b.Failing[i].Days[j]
			n += int(unsafe.Sizeof(*d)) + cap(d.Slots)*int(unsafe.Sizeof(Slot{})) +
				cap(d.Agents)*int(unsafe.Sizeof(AgentCount{})) + cap(d.IDs)*int(unsafe.Sizeof(Witness{}))
		}
	}
	return n
}
