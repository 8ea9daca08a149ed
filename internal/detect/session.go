package detect

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Session is a sign-in session or a token and the places it was used at.
type Session struct {
	Key   uint64 // see sessionKey
	Token bool
	ID    string // compact: see compactID
	// Carried says that a month beside this one has the session, too: what is
	// learned of it here matters there.
	Carried bool
	Seen    []Sighting // by place
}

// Sighting is the use of one session at one place.
type Sighting struct {
	Place uint64 // key of the place
	First Witness
	Last  moment // as lastSeen rounds it: see last
	Signs sign   // of all its records
}

// last is the last use, to the precision of lastSeen.
func (x *Sighting) last() moment { return max(x.First.At, x.Last) }

// sessionKey orders sessions. Their ids are Microsoft's to choose, so nobody
// can choose a place in the order.
func sessionKey(token bool, compact string) uint64 {
	return mix(hashText(compact), sessionKind(token))
}

// keyOfID is sessionKey of an id as the log writes it; most are known already
// and need not be made compact first.
func keyOfID(token bool, id string) uint64 {
	if b, ok := guidBytes(id); ok {
		return mix(hashText(b[:]), sessionKind(token))
	}
	return sessionKey(token, compactID(id))
}

func sessionKind(token bool) uint64 {
	if token {
		return 1
	}
	return 0
}

func (b *AccountBook) foldSession(a *activity.Activity, token bool, id string, place uint64, t moment, signs sign) (change, error) {
	key := keyOfID(token, id)
	i, ok := find(b.Sessions, key, func(s *Session) uint64 { return s.Key })
	if !ok {
		b.Sessions = slices.Insert(b.Sessions, i, Session{Key: key, Token: token, ID: compactID(id)})
	}
	s := &b.Sessions[i]
	j, ok := find(s.Seen, place, func(x *Sighting) uint64 { return x.Place })
	c := change(0)
	if ok {
		x := &s.Seen[j]
		if x.Signs|signs != x.Signs {
			x.Signs |= signs
			c = changed | judge
		}
		if t > x.First.At {
			if lastSeen(t) <= x.Last || j == b.spare(s) {
				return c, nil
			}
			x.Last = lastSeen(t)
			if len(s.Seen) > 1 || s.Carried {
				return changed | judge, nil
			}
			return c | changed, nil
		}
	}
	w, err := witness(a)
	if err != nil {
		return 0, err
	}
	if !ok {
		s.Seen = slices.Insert(s.Seen, j, Sighting{Place: place, First: w, Last: lastSeen(t), Signs: signs})
		b.trimSightings(s)
		return changed | judge, nil
	}
	x := &s.Seen[j]
	if w.compare(&x.First) >= 0 {
		return c, nil
	}
	x.First = w
	b.trimSightings(s) // another may be the first now
	return changed | judge, nil
}

// look is what tells one user of a session from another, beside the network.
func (p *Place) look() uint64 {
	if p == nil {
		return 0
	}
	return mix(mix(hashText(p.Country), uint64(p.Agent)), p.Device)
}

// trimSightings drops the sightings of a session that are too many. A telephone
// shows one look on dozens of networks in a month, and a few of them tell as
// much as all; an intruder has another look. So the first networks of every
// look stay before the second ones, and so on. The first sighting of all stays
// besides: it is the owner's, and whoever stole the session could push it out
// with looks and networks of their own choice. The order rests on the places
// and the first use alone: what stays is the same in whatever order they come.
func (b *AccountBook) trimSightings(s *Session) {
	if len(s.Seen) <= maxSightings {
		return
	}
	order, looks := b.rankSightings(s)
	if looks > maxSightings {
		b.Excess |= excessLooks
	}
	first := s.first()
	keep := order[:maxSightings]
	if !slices.Contains(keep, first) {
		// When it was last used is not known where it was dropped before.
		s.Seen[first].Last = lastSeen(s.Seen[first].First.At)
		keep = append(keep, first)
	}
	slices.Sort(keep)
	seen := s.Seen[:0]
	for _, i := range keep {
		seen = append(seen, s.Seen[i])
	}
	clear(s.Seen[len(seen):])
	s.Seen = seen
}

// spare returns the sighting that stays for being the first alone, -1 where there is none.
func (b *AccountBook) spare(s *Session) int {
	if len(s.Seen) <= maxSightings {
		return -1
	}
	order, _ := b.rankSightings(s)
	return order[maxSightings]
}

// rankSightings returns the sightings' indexes, those that tell most first, and
// how many looks there are.
func (b *AccountBook) rankSightings(s *Session) (order []int, looks int) {
	type rank struct {
		nth  int
		look uint64
	}
	ranks := make([]rank, len(s.Seen))
	seen := make(map[uint64]int, len(s.Seen))
	for i := range s.Seen {
		look := b.place(s.Seen[i].Place).look()
		ranks[i] = rank{seen[look], look}
		seen[look]++
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(ranks[i].nth, ranks[j].nth), cmp.Compare(ranks[i].look, ranks[j].look))
	})
	return order, len(seen)
}

// first returns the sighting with the first use.
func (s *Session) first() int {
	first := 0
	for i := range s.Seen {
		if s.Seen[i].First.compare(&s.Seen[first].First) < 0 {
			first = i
		}
	}
	return first
}

// carry marks the sessions that both months have, in both. changed says whether a mark is new.
func (b *AccountBook) carry(prev *AccountBook) (changed bool) {
	for i, j := 0, 0; i < len(b.Sessions) && j < len(prev.Sessions); {
		x, y := &b.Sessions[i], &prev.Sessions[j]
		switch {
		case x.Key == y.Key:
			changed = changed || !x.Carried || !y.Carried
			x.Carried, y.Carried = true, true
			i++
			j++
		case x.Key < y.Key:
			i++
		default:
			j++
		}
	}
	return changed
}

// placeSession stands for the session of records that name none: one network
// prefix within a day.
func placeSession(prefix netip.Prefix, t moment) string {
	return sessionless + prefix.String() + "@" + strconv.Itoa(t.day())
}

// sessionless begins the ids placeSession makes; Microsoft's never do.
const sessionless = "@"

// tense says that the session was used at two places with more between them
// than one network: only the account's habits could explain that.
func (b *AccountBook) tense(s *Session) bool {
	for i := range s.Seen {
		for j := range i {
			x, y := b.place(s.Seen[i].Place), b.place(s.Seen[j].Place)
			if x != nil && y != nil && x.Prefix != y.Prefix && x.Number != y.Number &&
				(x.Country != y.Country || x.Agent.OS() != y.Agent.OS() || x.Agent.Family() != y.Agent.Family()) {
				return true
			}
		}
	}
	return false
}
