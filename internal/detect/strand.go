package detect

import (
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// strand is the use of an account under one session from one network: what is
// judged. One session belongs to one device, on whatever networks it is, so
// that a strand is tried against what the account, its session and the tenant
// were before it: the newcomer is tried, and never what was there first.
//
// Only strands in a place that is not cleared are made: the account's own
// device, a prefix it has used on prefixDays days, or one colleagues have, clear.
type strand struct {
	session string // as findings name it; "" where its records name none
	token   bool
	seen    []where // its places, oldest first
	home    *where  // where the session began, if elsewhere; nil where it began here
	last    moment
	signs   sign
	entry   []string // entry signs, for people
	known   bool     // on a network of the account's, so that one sign more is asked
	wanders bool     // the session's own device on another network, which asks for one more, too
	usual   bool     // nothing speaks against the client
	young   bool     // nothing can be new: only what is absolute counts
	alone   string   // what opens alone, "" where nothing does
	grade   Severity // of what opens alone
	hold    []*Mark
	use     []use
	read    int  // messages of the busiest day, where read by the dozen
	weak    bool // all it has is one weak sign and a client that is known, or it is a telephone's
}

// use is something done with the account for which intruders come.
type use struct {
	what  string
	marks []*Mark
}

// prefixDays is on how many earlier days a prefix must have been used to clear.
const prefixDays = 2

// Half of what is a mass of anything elsewhere is one in a strange strand.
const (
	massRead     = 25 // messages a day, by the dozen
	massSent     = 15
	massDownload = 25
	bulkRead     = 50 // of a consented application, from a rented machine
)

// strangers returns the strands of both months that nothing clears, by the time
// they began. Marks are attached to them.
func (v *accountView) strangers() ([]*strand, error) {
	if v.strandsKnown {
		return v.strands, nil
	}
	v.strandsKnown = true
	for _, tokens := range []bool{false, true} {
		for i := range v.cur.Sessions {
			s := &v.cur.Sessions[i]
			if s.Token != tokens {
				continue
			}
			if err := v.strandsOf(s); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(v.strands, func(a, b *strand) int { return a.seen[0].First.compare(&b.seen[0].First) })
	v.strands = v.once(v.strands)
	for _, s := range v.strands {
		v.weigh(s)
	}
	v.attach()
	for _, s := range v.strands {
		v.consented(s)
	}
	return v.strands, nil
}

// once drops what tokens, and records without a session, say again of a prefix
// that a session's strand tells of.
func (v *accountView) once(all []*strand) []*strand {
	named := make([]*strand, 0, len(all))
	for _, s := range all {
		if !s.token && s.session != "" {
			named = append(named, s)
		}
	}
	return slices.DeleteFunc(all, func(s *strand) bool {
		return (s.token || s.session == "") && slices.ContainsFunc(named, func(o *strand) bool {
			return o.seen[0].place.Prefix == s.seen[0].place.Prefix && s.began() <= o.last+daySpan && o.began() <= s.last+daySpan
		})
	})
}

func (s *strand) began() moment { return s.seen[0].First.At }

// where is a session's use of one place over both months.
type where struct {
	Sighting
	place *Place
}

// sightings returns where the session was used in both months, oldest first.
// The slice is good until the next call.
func (v *accountView) sightings(s *Session) []where {
	all := v.scratch[:0]
	defer func() { v.scratch = all }()
	add := func(b *AccountBook, key uint64) {
		if b == nil {
			return
		}
		i, ok := find(b.Sessions, key, func(s *Session) uint64 { return s.Key })
		if !ok {
			return
		}
		for _, x := range b.Sessions[i].Seen {
			j := slices.IndexFunc(all, func(w where) bool { return w.Place == x.Place })
			if j >= 0 {
				all[j].Last, all[j].Signs = max(all[j].Last, x.Last), all[j].Signs|x.Signs
				continue
			}
			if p := v.place(x.Place); p != nil {
				all = append(all, where{x, p})
			}
		}
	}
	if s.Carried {
		add(v.prev, s.Key) // first, for the earlier month has the first use
	}
	add(v.cur, s.Key)
	slices.SortFunc(all, func(a, b where) int { return a.First.compare(&b.First) })
	return all
}

// strandsOf makes the strands of a session that nothing clears.
func (v *accountView) strandsOf(s *Session) error {
	if !s.Carried && v.plain(s) {
		return nil
	}
	seen := slices.Clone(v.sightings(s))
	name := fullID(s.ID)
	if strings.HasPrefix(name, sessionless) {
		name = ""
	}
	all := seen
	for len(seen) > 0 {
		prefix := seen[0].place.Prefix
		n := &strand{session: name, token: s.Token}
		rest := seen[:0:0]
		for _, w := range seen {
			if w.place.Prefix == prefix {
				n.seen, n.last, n.signs = append(n.seen, w), max(n.last, w.last()), n.signs|w.Signs
			} else {
				rest = append(rest, w)
			}
		}
		seen = rest
		cleared, err := v.cleared(n, all)
		if err != nil {
			return err
		}
		if cleared {
			continue
		}
		if all[0].place.Prefix != prefix {
			home := all[0]
			n.home = &home
		}
		v.strands = append(v.strands, n)
	}
	return nil
}

// plain says that nothing of a session could be strange: all of it is where
// the account was on earlier days. Most sessions are, and this is asked of all.
func (v *accountView) plain(s *Session) bool {
	for i := range s.Seen {
		p := v.cur.place(s.Seen[i].Place)
		if p == nil || !v.usedPrefix(p, s.Seen[i].First.At) {
			return false
		}
	}
	return true
}

// usedPrefix says that the prefix was the account's own before t's day.
func (v *accountView) usedPrefix(p *Place, t moment) bool {
	return v.used(t, func(q *Place) bool { return q.Prefix == p.Prefix }) >= prefixDays
}

// cleared says that the strand's place is the account's own or the tenant's, or
// its device the account's own.
func (v *accountView) cleared(s *strand, session []where) (bool, error) {
	first := &s.seen[0]
	if v.usedPrefix(first.place, first.First.At) {
		return true, nil
	}
	if (v.ownDevice(s) || s.sessionsDevice(session)) && v.codeElsewhere(s) == nil {
		return true, nil
	}
	return v.gateway(first.place.Prefix, first.First.At)
}

// ownDevice says that the strand shows a device that the account used on an earlier day.
func (v *accountView) ownDevice(s *strand) bool {
	return slices.ContainsFunc(s.seen, func(w where) bool {
		return w.place.Device != 0 && v.used(s.began(), func(q *Place) bool { return q.Device == w.place.Device }) > 0
	})
}

// sessionsDevice says that the strand shows a device the session had before, elsewhere.
func (s *strand) sessionsDevice(session []where) bool {
	return slices.ContainsFunc(s.seen, func(w where) bool {
		return w.place.Device != 0 && slices.ContainsFunc(session, func(x where) bool {
			return x.place.Prefix != w.place.Prefix && x.place.Device == w.place.Device && x.First.At < s.began()
		})
	})
}

// otherDevice says that the strand shows another device than the session began with.
func (s *strand) otherDevice() bool {
	had := s.home.place.Device
	return had != 0 && slices.ContainsFunc(s.seen, func(w where) bool { return w.place.Device != 0 && w.place.Device != had })
}

// clients are the clients of a strand.
func (s *strand) clients(match func(Agent) bool) bool {
	return slices.ContainsFunc(s.seen, func(w where) bool { return match(w.place.Agent) })
}

// weigh looks for the strand's entry signs, and for what opens alone.
func (v *accountView) weigh(s *strand) {
	t, p := s.began(), s.seen[0].place
	s.young = v.history(t) < youngDays
	kind := p.Kind.kind()
	edge := kind == activity.NetworkGateway || kind == activity.NetworkSatellite || relayed(p)
	phone := !s.clients(func(a Agent) bool { return a.OS() != OSiOS && a.OS() != OSAndroid }) // wanders, and keeps its carrier abroad
	foreign := false
	if rented(kind) || kind == activity.NetworkRelay && !relayed(p) {
		foreign = true
		s.sign("it came from " + kindNames[kind])
	}
	if !s.young && !edge && (!phone || s.home == nil) && p.Country != "" && v.used(t, func(q *Place) bool { return q.Country == p.Country }) == 0 {
		foreign = true
		s.sign("the country, " + p.Country + ", was new for the account")
		if !phone && !rented(kind) && v.elsewhere(s) {
			s.sign("the account was at work in another country at the same time")
		}
	}
	newClient, signedIn := v.newClient(s)
	if newClient {
		s.sign("the client, " + s.client().String() + ", was new for the account")
	}
	missing := !s.young && s.signs&signBrowser != 0 && v.deviceMissing(s)
	if missing {
		s.sign("the sign-in showed no device, which the account's always had")
	}
	program := s.clients(func(a Agent) bool { return v.foreignProgram(a, t) })
	if program {
		s.sign("a program, " + s.client().String() + ", acted instead of a person's client")
	}
	if len(s.entry) > 0 && v.doubled(s) {
		s.sign("the owner's browser went on elsewhere in the session it had")
	}
	if s.signs&signRisk != 0 && len(s.entry) > 0 {
		s.sign("Microsoft rated the sign-in a risk")
	}
	s.known = !edge && p.Number != 0 && v.used(t, func(q *Place) bool { return q.Number == p.Number && q.Country == p.Country && q.Kind == p.Kind }) > 0
	// Programs of one device share its session; a sign-in elsewhere is another matter.
	if s.home != nil && !program && v.sameSystem(s) && (!newClient || !signedIn && !rented(kind)) {
		s.wanders = true
	}
	s.usual = !newClient && !program && !missing
	s.weak = s.usual && len(s.entry) <= 1 || phone
	v.opening(s, foreign, newClient, program)
}

func (s *strand) sign(text string) { s.entry = append(s.entry, text) }

func (s *strand) open(grade Severity, why string) {
	if s.alone == "" {
		s.alone, s.grade = why, grade
	}
}

// roams says that the place may be a telephone's: abroad it keeps an address of
// its carrier at home, so it doesn't say where its owner is.
func (p *Place) roams() bool {
	os := p.Agent.OS()
	return os == OSiOS || os == OSAndroid || p.Kind.kind() == activity.NetworkMobile
}

// sedentary says that the place is surely where its user is.
func (p *Place) sedentary() bool { return p.Agent.OS() != OSUnknown && !p.roams() }

// travelGap is the least time a person needs between two countries.
const travelGap = 2 * hour

// elsewhere says that a client of the account that is where its user is was at
// work in another country around the time the strand began.
func (v *accountView) elsewhere(s *strand) bool {
	for _, b := range []*AccountBook{v.prev, v.cur} {
		if b == nil {
			continue
		}
		for i := range b.Sessions {
			for j := range b.Sessions[i].Seen {
				x := &b.Sessions[i].Seen[j]
				p := b.place(x.Place)
				if p != nil && p.Country != "" && p.Country != s.seen[0].place.Country && p.atDesk() && s.meets(x) && v.usedPrefix(p, s.began()) {
					return true
				}
			}
		}
	}
	return false
}

// atDesk says that the place is a home or an office, and its client no telephone.
func (p *Place) atDesk() bool {
	return p.sedentary() && peoples(p.Kind.kind()) && p.Kind.kind() != activity.NetworkSatellite
}

// meets says that the sighting's first or last use lies so near the strand that nobody travels in between.
func (s *strand) meets(x *Sighting) bool {
	for _, t := range []moment{x.First.At, x.last()} {
		if t >= s.began()-travelGap && t <= s.last+travelGap {
			return true
		}
	}
	return false
}
