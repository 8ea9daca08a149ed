package detect

import (
	"math/bits"
	"slices"
)

// What a strand is doubted for.

// opening looks for what opens alone (the place is not cleared).
func (v *accountView) opening(s *strand, foreign, newClient, program bool) {
	if m := v.codeElsewhere(s); m != nil {
		s.open(SeverityCritical, "a device code was approved from another network on "+when(m.At)+", and its token was used here")
	}
	for _, w := range s.seen {
		if w.Signs&(signPortal|signSignIn) == signPortal|signSignIn && tool(w.place.Agent.Family()) && v.foreignProgram(w.place.Agent, s.began()) {
			s.open(SeverityHigh, w.place.Agent.String()+", a program, signed in where only people do")
		}
	}
	fumbling := s.home != nil && v.sameSystem(s) && !newClient && !program // the owner's session, in the owner's client
	if n := v.refusedBefore(s); n >= promptsRefused && s.signs&signSignIn != 0 && !fumbling {
		s.open(SeverityHigh, plural(n, "prompt")+" for a second factor were refused there before one was approved")
	}
	if s.signs&signLegacy != 0 && !s.young && (foreign || v.used(s.began(), func(q *Place) bool { return q.Agent.Family() == FamilyLegacy }) < youngDays) {
		s.open(SeverityHigh, "the password alone was enough, by legacy authentication or handed over by a program")
	}
	if s.home == nil {
		return
	}
	severity := SeverityHigh
	if program && rented(s.seen[0].place.Kind.kind()) {
		severity = SeverityCritical
	}
	switch moved := v.unrelatedNetwork(s); {
	case moved && v.otherSystem(s):
		s.open(severity, "the session belongs to "+osNames[s.home.place.Agent.OS()]+" and went on with "+s.client().String())
	case moved && s.otherDevice():
		s.open(severity, "the session belongs to another device")
	case moved && program:
		s.open(severity, "the session went on in a program")
	case moved && newClient && foreign && !s.wanders:
		s.open(severity, "the session went on with a client that neither it nor the account had before")
	case moved && !s.young && s.signs&signDeveloper != 0 && !v.developer(s.began()):
		s.open(severity, "the session went on with a developer's tool, which the account does not use")
	}
}

// unrelatedNetwork says that network or country are not those the session began on.
func (v *accountView) unrelatedNetwork(s *strand) bool {
	a, b := s.home.place, s.seen[0].place
	return a.Number != b.Number || a.Number == 0 || a.Country != b.Country
}

// otherSystem says that the strand shows an operating system that the session
// did not have elsewhere: sessions do not change the device.
func (v *accountView) otherSystem(s *strand) bool {
	had := s.home.place.Agent.OS()
	return had != OSUnknown && s.clients(func(a Agent) bool { return a.OS() != OSUnknown && a.OS() != had }) &&
		!s.clients(func(a Agent) bool { return a.OS() == had })
}

// sameSystem says that the strand shows no operating system but the one the session began with.
func (v *accountView) sameSystem(s *strand) bool {
	home := s.home.place.Agent
	return !s.clients(func(a Agent) bool {
		return a.OS() != OSUnknown && home.OS() != OSUnknown && a.OS() != home.OS()
	})
}

func (v *accountView) usedClient(a Agent, t moment) bool {
	return v.used(t, func(q *Place) bool { return q.Agent == a }) > 0
}

// newClient says that a browser with its system is new for the account and for
// the session. Other programs share a device's session, and tell nothing.
func (v *accountView) newClient(s *strand) (isNew, signedIn bool) {
	if s.young {
		return false, false
	}
	for _, w := range s.seen {
		if a := w.place.Agent; a.Family().browser() && a.OS() != OSUnknown && (s.home == nil || s.home.place.Agent != a) && !v.usedClient(a, s.began()) {
			isNew, signedIn = true, signedIn || w.Signs&signSignIn != 0
		}
	}
	return isNew, signedIn
}

// foreignProgram says that a program is none the account is used by.
func (v *accountView) foreignProgram(a Agent, t moment) bool {
	return a.Family().programmatic() && v.used(t, func(q *Place) bool { return q.Agent.Family() == a.Family() }) < prefixDays
}

// tool says that the family is a kit's or a script's; administrators sign in with PowerShell.
func tool(f Family) bool { return f.programmatic() && f != FamilyPowerShell }

// client is the client that tells most: a program, else a browser, else the first.
func (s *strand) client() Agent {
	best := s.seen[0].place.Agent
	for _, w := range s.seen {
		switch f := w.place.Agent.Family(); {
		case f.programmatic():
			return w.place.Agent
		case f.browser() && !best.Family().browser():
			best = w.place.Agent
		}
	}
	return best
}

// withDevice is on how many sign-ins a device must have been shown to be missed.
const withDevice = 3

// deviceMissing says that the account's sign-ins with a browser always showed a device, and the strand's do not.
func (v *accountView) deviceMissing(s *strand) bool {
	if slices.ContainsFunc(s.seen, func(w where) bool { return w.place.Device != 0 }) {
		return false
	}
	with := 0
	for _, b := range []*AccountBook{v.prev, v.cur} {
		if b == nil {
			continue
		}
		for i := range b.Sessions {
			for j := range b.Sessions[i].Seen {
				x := &b.Sessions[i].Seen[j]
				p := b.place(x.Place)
				if x.Signs&signBrowser == 0 || p == nil || x.First.At.day() >= s.began().day() {
					continue
				}
				if p.Device == 0 {
					return false
				}
				with += bits.OnesCount32(p.Days & (dayBit(x.last())*2 - 1))
			}
		}
	}
	return with >= withDevice
}

// doubled says that the owner's browser, of the same kind, went on elsewhere in a
// session of its own after this one was begun: whoever travels takes the session
// along, and does not sign in anew beside it.
func (v *accountView) doubled(s *strand) bool {
	if s.home != nil || s.young || s.signs&signBrowser == 0 {
		return false
	}
	for _, b := range []*AccountBook{v.prev, v.cur} {
		if b == nil {
			continue
		}
		for i := range b.Sessions {
			for j := range b.Sessions[i].Seen {
				x := &b.Sessions[i].Seen[j]
				p := b.place(x.Place)
				if p != nil && x.First.At < s.began() && x.last() >= s.began()+hour && p.Agent == s.client() && v.usedPrefix(p, s.began()) {
					return true
				}
			}
		}
	}
	return false
}

// developer says that the account used a developer's tool on an earlier day.
func (v *accountView) developer(t moment) bool {
	for _, b := range []*AccountBook{v.prev, v.cur} {
		if b == nil {
			continue
		}
		for i := range b.Sessions {
			for j := range b.Sessions[i].Seen {
				if x := &b.Sessions[i].Seen[j]; x.Signs&signDeveloper != 0 && x.First.At.day() < t.day() {
					return true
				}
			}
		}
	}
	return false
}
