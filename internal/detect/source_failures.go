package detect

import (
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// SourceFailures are the failed sign-ins of one account from the source.
type SourceFailures struct {
	Account string // account id; "?" and the name tried where no account has it
	Days    []FailureDay
}

// FailureDay counts the failures that one log holds of one day: the sign-in log
// and the unified audit log tell of the same attempts. All but Counts is about wrong
// passwords only: right ones stopped later are people's daily bread.
type FailureDay struct {
	Day    uint8 // of the month, from 1
	SignIn bool  // of the sign-in log
	First  moment
	Last   moment
	Counts [failureClasses]uint32
	Slots  []Slot // by number
	Agents []AgentCount
	IDs    []Witness // the earliest
}

// Slot counts the wrong passwords of five minutes.
type Slot struct {
	Number uint16 // slot of the day
	Count  uint32
}

// AgentCount counts the failures with one agent.
type AgentCount struct {
	Agent Agent
	Count uint32
}

// DayTotal counts the wrong passwords of one day, also of accounts a book has no room for.
type DayTotal struct {
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
	switch activity.SignInError(number).Class { //nolint:exhaustive // the other classes say nothing about a password
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
		b.Failing = slices.Insert(b.Failing, i, SourceFailures{Account: strings.Clone(account)})
	}
	f := &b.Failing[i]
	j, ok := find(f.Days, dayKey(day, log), func(d *FailureDay) uint8 { return dayKey(int(d.Day), d.SignIn) })
	if !ok {
		f.Days = slices.Insert(f.Days, j, FailureDay{Day: uint8(day), SignIn: log}) //nolint:gosec // a day of the month
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
		d.Slots = slices.Insert(d.Slots, x, Slot{Number: n})
	}
	d.Slots[x].Count++
	w, err := witness(a)
	if err != nil {
		return 0, err
	}
	x, _ = slices.BinarySearchFunc(d.IDs, &w, func(y Witness, w *Witness) int { return y.compare(w) })
	d.IDs, _ = keep(d.IDs, x, w, maxFailureIDs)
	return changed | judge, nil
}

func (b *SourceBook) addTotal(day int, log bool, t moment) {
	i, ok := find(b.Failures, dayKey(day, log), func(d *DayTotal) uint8 { return dayKey(int(d.Day), d.SignIn) })
	if !ok {
		total := DayTotal{Day: uint8(day), SignIn: log, First: t, Last: t} //nolint:gosec // a day of the month
		b.Failures = slices.Insert(b.Failures, i, total)
	}
	d := &b.Failures[i]
	d.Count++
	d.First, d.Last = min(d.First, t), max(d.Last, t)
}

// named says that the account is a name nobody has.
func (f *SourceFailures) named() bool { return strings.HasPrefix(f.Account, "?") }

// overflowFailures drops what is beyond the caps: made-up names first, then the
// days of the accounts that come last, then when on a day it was. What of them
// is known then is in the totals, and how many passwords an account saw.
func (b *SourceBook) overflowFailures() {
	names, days, slots := 0, 0, 0
	for i := range b.Failing {
		f := &b.Failing[i]
		if f.named() {
			names++
		}
		days += len(f.Days)
		for j := range f.Days {
			slots += len(f.Days[j].Slots)
		}
	}
	if names <= maxFailingNames && days <= maxFailureDays && slots <= maxFailureSlots {
		return
	}
	if names > maxFailingNames {
		b.Excess |= excessNames
		b.Failing = dropLast(b.Failing, names-maxFailingNames, (*SourceFailures).named)
	}
	days, slots = 0, 0
	for _, named := range []bool{false, true} {
		lost := excessFailed
		if named {
			lost = excessNames
		}
		for i := range b.Failing {
			f := &b.Failing[i]
			if f.named() != named {
				continue
			}
			if n := min(len(f.Days), maxFailureDays-days); n < len(f.Days) {
				b.Excess |= lost
				f.Days = slices.Delete(f.Days, n, len(f.Days))
			}
			days += len(f.Days)
			for j := range f.Days {
				d := &f.Days[j]
				if slots+len(d.Slots) > maxFailureSlots {
					b.Excess |= lost
					d.Slots = nil
				}
				slots += len(d.Slots)
			}
		}
	}
	b.Failing = slices.DeleteFunc(b.Failing, func(f SourceFailures) bool { return len(f.Days) == 0 })
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
