package detect

import (
	"fmt"
	"slices"
)

// What joins a strand: marks that rules noted, and what was done by the dozen.

// actReach is how long after a strand's last use an act that names neither
// address nor session joins it; one that owners do every day must be nearer.
const (
	actReach  = 2*hour + coarse // the last use is known to the hour
	poorReach = hour / 2
)

func reach(m *Mark) moment {
	if m.Weight < weightBad {
		return poorReach
	}
	return actReach
}

// verdict says what a strand supports.
type verdict uint8

const (
	verdictNothing  verdict = iota
	verdictUncommon         // odd, and judged benign
	verdictIncident
)

// verdict weighs the signs against what they need: few open alone, and the
// rest needs company.
func (s *strand) verdict() verdict {
	n := len(s.entry)
	if (s.known || s.wanders) && n > 0 {
		n--
	}
	holds := s.holds()
	switch {
	case s.alone != "":
		return verdictIncident
	case s.young: // nothing is new: a rented network and what is bad by itself
		if n >= 1 && slices.ContainsFunc(s.hold, func(m *Mark) bool { return m.Weight >= weightBad }) {
			return verdictIncident
		}
		return verdictNothing
	case n >= 1 && holds >= 1 && (!s.weak || s.grave()):
		return verdictIncident
	case n >= 2 && len(s.use) > 0, n >= 1 && !s.usual && len(s.use) > 1:
		return verdictIncident
	case !s.wanders && (len(s.entry) == 0 && !s.known || n == 0 && !s.usual) && holds >= 1 && holds+len(s.use) >= 2:
		return verdictIncident // a network that is only new, or the owner's provider with one sign
	case n >= 2 && !s.usual || n >= 1 && holds+len(s.use) > 0:
		return verdictUncommon
	}
	return verdictNothing
}

// holds counts the kinds of what was left behind.
func (s *strand) holds() int {
	rules := make(map[string]bool)
	for _, m := range s.hold {
		rules[m.Rule] = true
	}
	return len(rules)
}

// grave says that something left behind is bad by itself. With a known client
// and one sign, a new second factor is a telephone set up in a hotel, and a rule
// that moves one sender's mail is tidying there.
func (s *strand) grave() bool {
	return slices.ContainsFunc(s.hold, func(m *Mark) bool { return m.Weight >= weightBad })
}

// attach joins the month's marks and tallies to the strands.
func (v *accountView) attach() {
	if len(v.strands) == 0 {
		return
	}
	for i := range v.cur.Marks {
		m := &v.cur.Marks[i]
		role := v.pass.engine.roles[m.Rule]
		if m.Weight < weightPoor || role != StageHold && role != StageUse {
			continue
		}
		s := v.strandOf(m)
		switch {
		case s == nil:
		case role == StageHold:
			s.hold = append(s.hold, m)
		default:
			s.addUse(v.pass.engine.titles[m.Rule], m)
		}
	}
	for _, s := range v.strands {
		v.count(s)
	}
}

func (s *strand) addUse(what string, marks ...*Mark) {
	for i := range s.use {
		if s.use[i].what == what {
			s.use[i].marks = append(s.use[i].marks, marks...)
			return
		}
	}
	s.use = append(s.use, use{what, marks})
}

// strandOf returns the stranger's strand a mark joins: that of its session and
// network, of a session that began strange whatever the network, of its network
// where it names no session; and, where it names neither, the last that was
// active within the hours before and has more than one sign to be doubted for.
func (v *accountView) strandOf(m *Mark) *strand {
	place := v.place(m.Place)
	var best *strand
	for _, s := range v.strands {
		if m.At < s.began() {
			continue
		}
		session := m.Session != "" && s.session == fullID(m.Session)
		switch {
		case session && place != nil && place.Prefix == s.seen[0].place.Prefix:
			return s
		case session && (place == nil || s.home == nil && !v.usedPrefix(place, m.At)):
			best = s
		case m.Session != "" && s.session != "":
		case place != nil:
			if place.Prefix == s.seen[0].place.Prefix && m.At <= s.last+daySpan {
				best = s
			}
		case m.Session == "" && m.At <= s.last+reach(m) && v.doubted(s, m):
			best = s
		}
	}
	return best
}

// doubted says that an act that names neither address nor session is rather the
// strand's than the owner's: the strand has more than one sign to be doubted
// for and the owner was not at work that day, or one and the act is as bad as they come.
func (v *accountView) doubted(s *strand, m *Mark) bool {
	if s.alone != "" || len(s.entry) > 0 && s.grave() {
		return true
	}
	return len(s.entry) > 0 && m.Weight == weightWorst || len(s.entry) > 1 && !v.atWork(m.At)
}

// atWork says that the account was used that day at a place of its own.
func (v *accountView) atWork(t moment) bool {
	if t < periodStart(v.period) {
		return false
	}
	for i := range v.cur.Places {
		if p := &v.cur.Places[i]; p.Days&dayBit(t) != 0 && v.usedPrefix(p, t) {
			return true
		}
	}
	return false
}

// count adds what was done by the dozen at the strand's places since it began.
func (v *accountView) count(s *strand) {
	start := periodStart(v.period).day()
	var read, sent, down int
	for i := range v.cur.Tallies {
		t := &v.cur.Tallies[i]
		day := start + int(t.Day) - 1
		if day < s.began().day() || day > s.last.day() || !slices.ContainsFunc(s.seen, func(w where) bool { return w.Place == t.Place }) {
			continue
		}
		switch n := int(t.Count); t.Kind {
		case tallyRead:
			read = max(read, n)
		case tallySent:
			sent = max(sent, n)
		case tallyDownload:
			down = max(down, n)
		case tallyDeleted:
		}
	}
	if read >= massRead && !s.synchronises() {
		s.addUse(fmt.Sprintf("%d messages were read in a day", read))
	}
	if sent >= massSent {
		s.addUse(fmt.Sprintf("%d messages were sent in a day", sent))
	}
	if down >= massDownload {
		s.addUse(fmt.Sprintf("%d files were downloaded in a day", down))
	}
	s.read = read
}

// synchronises says that only mail programs, which fetch all there is, were at work.
func (s *strand) synchronises() bool {
	return !s.clients(func(a Agent) bool {
		f := a.Family()
		return f != FamilyOffice && f != FamilyMailClient
	})
}

// consented opens a strand in which a program reads in bulk from a rented
// machine after the account consented to an application that may.
func (v *accountView) consented(s *strand) {
	if s.read < bulkRead || !rented(s.seen[0].place.Kind.kind()) {
		return
	}
	for _, m := range append(marksOf(v.prev, consentRule), marksOf(v.cur, consentRule)...) {
		if m.At < s.began() && m.Weight >= weightBad && m.Fact("everybody") == "" {
			s.open(SeverityHigh, "the account had consented on "+when(m.At)+" to an application that reads mail, and mail was read in bulk from a rented machine")
			s.hold = append(s.hold, m)
			return
		}
	}
}

// refusedReach is how long before the approval refused prompts belong to it.
const (
	refusedReach   = hour
	promptsRefused = 3
)

// refusedBefore counts the prompts refused at the strand's prefix in the hour
// before it began. Two logs tell of one prompt.
func (v *accountView) refusedBefore(s *strand) int {
	times := make(map[moment]bool)
	for _, m := range append(marksOf(v.prev, promptRule), marksOf(v.cur, promptRule)...) {
		p := v.place(m.Place)
		// Whoever shows a device of the tenant is its owner, asleep.
		if p != nil && p.Device == 0 && p.Prefix == s.seen[0].place.Prefix && m.At <= s.began() && m.At >= s.began()-refusedReach {
			times[m.At/(hour/3600)] = true
		}
	}
	return len(times)
}

// codeReach is how long a device code is good for (Microsoft: 15 minutes).
const codeReach = hour / 4

// codeElsewhere returns the approval of a device code on another network
// shortly before the strand began with a token: the code was somebody else's.
func (v *accountView) codeElsewhere(s *strand) *Mark {
	if s.signs&signSignIn == 0 || !s.clients(func(a Agent) bool { return a.OS() != OSiOS && a.OS() != OSAndroid }) {
		return nil
	}
	for _, m := range append(marksOf(v.prev, codeRule), marksOf(v.cur, codeRule)...) {
		p, q := v.place(m.Place), s.seen[0].place
		if p != nil && p.Prefix != q.Prefix && (p.Number != q.Number || p.Country != q.Country) && m.At <= s.began() && m.At >= s.began()-codeReach {
			return m
		}
	}
	return nil
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
