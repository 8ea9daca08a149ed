package detect

import (
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"unsafe"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// The caps of a source's month.
const (
	maxSourceUsers    = 128 // beyond it the prefix is shared by that alone
	maxSuccessDays    = 3   // after three days an account is known at a source
	maxSuccessAgents  = 2
	maxFailingUsers   = 512
	maxFailureSlots   = 24 // a day, per account
	maxFailureIDs     = 3
	maxFailureAgents  = 4
	maxPrincipalBytes = 128
)

// slotLength is the grain in which failures are counted: fine enough to tell
// the rounds of a spray apart.
const slotLength = hour / 12

// neverShared is the day from which a source that is no gateway is one.
const neverShared = math.MaxInt

// SourceBook is one network prefix's month in the tenant.
type SourceBook struct {
	_        struct{} `cbor:",toarray"`
	Next     bool     // the following month has a book
	Reported bool     // the last review was not empty
	Shared   bool     // more accounts than a book lists: a gateway from its first day
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
	_       struct{} `cbor:",toarray"`
	Account string
	Days    uint32    // bit n: day n+1 of the month
	First   []Success // of the first maxSuccessDays days, by day and agent
}

// Success is the first use of an account from the source on one day with one agent.
type Success struct {
	_       struct{} `cbor:",toarray"`
	Day     uint8    // of the month, from 1
	Agent   Agent
	At      moment
	Last    moment
	ID      activityID
	Address netip.Addr
	Session string // compact
}

// SourceFailures are the failed sign-ins of one account from the source.
type SourceFailures struct {
	_       struct{} `cbor:",toarray"`
	Account string   // account id; "?" and the name tried where no account has it
	Days    []FailureDay
}

// FailureDay counts the failures that one log holds of one day: the sign-in log
// and the unified audit log tell of the same attempts. All but Counts is about wrong
// passwords only: right ones stopped later are people's daily bread.
type FailureDay struct {
	_       struct{} `cbor:",toarray"`
	Day     uint8    // of the month, from 1
	SignIn  bool     // of the sign-in log
	First   moment
	Last    moment
	Counts  [failureClasses]uint32
	Slots   []Slot // by number
	Agents  []AgentCount
	IDs     []Attempt // the earliest
	Address netip.Addr
}

// Slot counts the wrong passwords of five minutes.
type Slot struct {
	_      struct{} `cbor:",toarray"`
	Number uint16   // slot of the day
	Count  uint32
}

// AgentCount counts the failures with one agent.
type AgentCount struct {
	_     struct{} `cbor:",toarray"`
	Agent Agent
	Count uint32
}

// Attempt is one failure.
type Attempt struct {
	_  struct{} `cbor:",toarray"`
	At moment
	ID activityID
}

// DayTotal counts the wrong passwords of one day, also of accounts beyond maxFailingUsers.
type DayTotal struct {
	_      struct{} `cbor:",toarray"`
	Day    uint8
	SignIn bool
	Count  uint32
	First  moment
	Last   moment
}

// dayKey orders what is kept by day and log.
func dayKey(day int, signIn bool) uint8 {
	key := uint8(day) << 1 //nolint:gosec // a day of the month
	if signIn {
		key |= 1
	}
	return key
}

// failureClass says what a failed sign-in tells of the password.
type failureClass uint8

const (
	classWrong   failureClass = iota // wrong password
	classLocked                      // account locked, or the address blocked
	classUnknown                     // no such user
	classRight                       // password right, stopped later
	failureClasses
)

// classify splits what Entra's error number says of the password.
// ok is false for what says nothing about it.
func classify(number int) (class failureClass, ok bool) {
	switch activity.SignInError(number).Class {
	case activity.SignInPasswordRight:
		return classRight, true
	case activity.SignInWrongPassword:
		switch number {
		case 50053:
			return classLocked, true
		case 50034, 50064, 51004:
			return classUnknown, true
		}
		return classWrong, true
	}
	return 0, false
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
	if !ok {
		if len(b.Users) >= maxSourceUsers {
			b.Users, b.Shared, b.gatewayKnown = nil, true, false
			b.dropKnown(0)
			return changed | judge, nil
		}
		b.Users, _ = keep(b.Users, i, SourceUser{Account: strings.Clone(a.AccountID)}, maxSourceUsers)
	}
	var c change
	if !ok {
		c = changed
	}
	if day > since {
		return c, nil
	}
	u := &b.Users[i]
	if bit := uint32(1) << (day - 1); u.Days&bit == 0 {
		u.Days |= bit
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
	key := uint32(day)<<16 | uint32(agent)
	i, ok := find(u.First, key, func(s *Success) uint32 { return uint32(s.Day)<<16 | uint32(s.Agent) })
	if ok {
		s := &u.First[i]
		if t > s.At {
			if t > s.Last {
				s.Last = t
				return changed, nil
			}
			return 0, nil
		}
	} else if bits.OnesCount32(u.Days&(1<<day-1)) > maxSuccessDays {
		return 0, nil
	}
	id, err := parseActivityID(a.ID)
	if err != nil {
		return 0, err
	}
	s := Success{
		Day: uint8(day), Agent: agent, At: t, Last: t, ID: id, Address: a.Address, Session: compactID(a.SessionID), //nolint:gosec // a day of the month
	}
	if ok {
		old := u.First[i]
		if t == old.At && string(id[:]) >= string(old.ID[:]) {
			return 0, nil
		}
		s.Last = old.Last
		u.First[i] = s
		return changed | judge, nil
	}
	u.First, _ = keep(u.First, i, s, len(u.First)+1)
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

// gatewayDay returns the day of the month by which this month alone has shown
// the source to be a gateway, neverShared where it has not.
func (b *SourceBook) gatewayDay() int {
	if !b.gatewayKnown {
		b.gateway, b.gatewayKnown = 0, true
		if !b.Shared {
			days := make([]int, 0, len(b.Users))
			for i := range b.Users {
				days = append(days, nthDay(uint64(b.Users[i].Days), gatewayDays))
			}
			b.gateway = secondSmallest(days)
		}
	}
	return b.gateway
}

// secondSmallest returns the day by which gatewayAccounts accounts are known.
func secondSmallest(days []int) int {
	first, second := neverShared, neverShared
	for _, d := range days {
		if d < first {
			first, second = d, first
		} else if d < second {
			second = d
		}
	}
	return second
}

// nthDay returns the number, from 1, of the n-th set bit of days.
func nthDay(days uint64, n int) int {
	if bits.OnesCount64(days) < n {
		return neverShared
	}
	for range n - 1 {
		days &= days - 1
	}
	return bits.TrailingZeros64(days) + 1
}

// forgetAfter drops what a gateway need not keep: what came after it was known.
func (b *SourceBook) forgetAfter(day int) {
	for i := range b.Users {
		u := &b.Users[i]
		u.Days &= uint32(1)<<min(day, 31) - 1
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

// dropKnown drops the right passwords stopped later that came after day: at a
// known gateway they are people on their way in.
func (b *SourceBook) dropKnown(day int) {
	failing := b.Failing[:0]
	for _, f := range b.Failing {
		days := f.Days[:0]
		for _, d := range f.Days {
			if int(d.Day) > day {
				d.Counts[classRight] = 0
				if d.wrong() == 0 {
					continue
				}
			}
			days = append(days, d)
		}
		if f.Days = days; len(days) > 0 {
			failing = append(failing, f)
		}
	}
	clear(b.Failing[len(failing):])
	b.Failing = failing
}

func (d *FailureDay) wrong() uint32 {
	return d.Counts[classWrong] + d.Counts[classLocked] + d.Counts[classUnknown]
}

func (b *SourceBook) foldFailure(a *activity.Activity, agent Agent, class failureClass) (change, error) {
	t := at(a.OccurredAt)
	day, log := a.OccurredAt.UTC().Day(), a.Source == activity.SourceSignIn
	if class == classRight && day > b.gatewayDay() {
		return 0, nil
	}
	if class != classRight {
		b.addTotal(day, log, t)
	}
	account := a.AccountID
	if account == "" {
		account = "?" + a.Actor.Principal[:min(len(a.Actor.Principal), maxPrincipalBytes)]
	}
	i, ok := find(b.Failing, account, func(f *SourceFailures) string { return f.Account })
	if !ok {
		failing, kept := keep(b.Failing, i, SourceFailures{Account: strings.Clone(account)}, maxFailingUsers)
		if !kept {
			return changed | judge, nil
		}
		b.Failing = failing
	}
	f := &b.Failing[i]
	j, ok := find(f.Days, dayKey(day, log), func(d *FailureDay) uint8 { return dayKey(int(d.Day), d.SignIn) })
	if !ok {
		f.Days, _ = keep(f.Days, j, FailureDay{Day: uint8(day), SignIn: log}, 2*31) //nolint:gosec // a day of the month
	}
	d := &f.Days[j]
	d.Counts[class]++
	if class == classRight {
		return changed | judge, nil
	}
	if d.wrong() == 1 {
		d.First, d.Last = t, t
	}
	d.First, d.Last = min(d.First, t), max(d.Last, t)
	k, ok := find(d.Agents, uint16(agent), func(c *AgentCount) uint16 { return uint16(c.Agent) })
	if !ok {
		d.Agents, ok = keep(d.Agents, k, AgentCount{Agent: agent}, maxFailureAgents)
	}
	if ok {
		d.Agents[k].Count++
	}
	n := uint16((t % daySpan) / slotLength) //nolint:gosec // below 288
	x, ok := find(d.Slots, n, func(s *Slot) uint16 { return s.Number })
	if !ok {
		d.Slots, ok = keep(d.Slots, x, Slot{Number: n}, maxFailureSlots)
	}
	if ok {
		d.Slots[x].Count++
	}
	id, err := parseActivityID(a.ID)
	if err != nil {
		return 0, err
	}
	x = 0
	for x < len(d.IDs) && (d.IDs[x].At < t || d.IDs[x].At == t && string(d.IDs[x].ID[:]) < string(id[:])) {
		x++
	}
	if x == 0 {
		d.Address = a.Address
	}
	d.IDs, _ = keep(d.IDs, x, Attempt{At: t, ID: id}, maxFailureIDs)
	return changed | judge, nil
}

func (b *SourceBook) addTotal(day int, log bool, t moment) {
	i, ok := find(b.Failures, dayKey(day, log), func(d *DayTotal) uint8 { return dayKey(int(d.Day), d.SignIn) })
	if !ok {
		total := DayTotal{Day: uint8(day), SignIn: log, First: t, Last: t} //nolint:gosec // a day of the month
		b.Failures, _ = keep(b.Failures, i, total, 2*31)
	}
	d := &b.Failures[i]
	d.Count++
	d.First, d.Last = min(d.First, t), max(d.Last, t)
}

// merge joins what the two logs tell of one day: each may miss attempts, neither
// invents any, so of every count the larger one is nearer the truth.
func (d *FailureDay) merge(o *FailureDay) *FailureDay {
	if d.wrong() == 0 || o.wrong() > d.wrong() {
		d, o = o, d
	}
	m := *d
	for i := range m.Counts {
		m.Counts[i] = max(d.Counts[i], o.Counts[i])
	}
	if o.wrong() == 0 {
		return &m
	}
	m.First, m.Last = min(d.First, o.First), max(d.Last, o.Last)
	m.Slots = slices.Clone(d.Slots)
	for _, s := range o.Slots {
		i, ok := find(m.Slots, s.Number, func(s *Slot) uint16 { return s.Number })
		if ok {
			m.Slots[i].Count = max(m.Slots[i].Count, s.Count)
		} else {
			m.Slots = slices.Insert(m.Slots, i, s)
		}
	}
	return &m
}

// gatewayDays and gatewayAccounts make a known gateway: two colleagues on it
// for three days (detections.md, "What detection must not flag").
const (
	gatewayDays     = 3
	gatewayAccounts = 2 // built into secondSmallest
)

// gatewaySince returns the absolute day by which the source has shown itself a
// gateway of the tenant, judged from a month and the one before it (either may
// be nil), or neverShared. What happens later than that day happens at a known gateway.
func gatewaySince(prev, cur *SourceBook, period int) int {
	if prev != nil {
		if d := prev.gatewayDay(); d != neverShared {
			return periodStart(period-1).day() + d - 1
		}
	}
	if cur == nil {
		return neverShared
	}
	if cur.Shared {
		return periodStart(period).day() - 1
	}
	start := periodStart(period - 1).day()
	shift := periodStart(period).day() - start
	var nth []int
	for i := range cur.Users {
		u := &cur.Users[i]
		days := uint64(u.Days) << shift
		if v := prev.user(u.Account); v != nil {
			days |= uint64(v.Days)
		}
		if d := nthDay(days, gatewayDays); d != neverShared {
			nth = append(nth, d)
		}
	}
	// An account seen in the month before only may be the second.
	for i := range prev.users() {
		u := &prev.Users[i]
		if cur.user(u.Account) == nil {
			if d := nthDay(uint64(u.Days), gatewayDays); d != neverShared {
				nth = append(nth, d)
			}
		}
	}
	second := secondSmallest(nth)
	if second == neverShared {
		return neverShared
	}
	return start + second - 1
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
			n += int(unsafe.Sizeof(*d)) + cap(d.Slots)*8 + cap(d.Agents)*8 + cap(d.IDs)*24
		}
	}
	return n
}
