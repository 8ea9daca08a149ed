package detect

import (
	"math/bits"
	"net/netip"
	"sort"
	"strings"
	"unsafe"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// The caps of an account's month. A busy person has some forty places and as
// many sessions; the caps only stop what is made up to fill the memory. They
// are far beyond that, because what is dropped can be what mattered: whoever
// fills a book to hide in it must be louder than any rule.
const (
	maxPlaces    = 1024
	maxSessions  = 4096
	maxSightings = 16
	maxMarks     = 2048
	maxOwners    = 64
	maxIDLength  = 128
)

// AccountBook is one account's month.
type AccountBook struct {
	_        struct{}  `cbor:",toarray"`
	Next     bool      // the following month has a book
	Reported bool      // the last review was not empty
	Places   []Place   // by key
	Owners   []Owner   // by number
	Sessions []Session // by key
	Marks    []Mark    // by time, activity and rule
}

// Owner is the name of an autonomous system.
type Owner struct {
	_      struct{} `cbor:",toarray"`
	Number uint32
	Name   string
}

// Session is a sign-in session or a token and the places it was used at.
type Session struct {
	_     struct{} `cbor:",toarray"`
	Key   uint64   // hash of kind and id
	Token bool
	ID    string // compact: see compactID
	// Carried says that a month beside this one has the session, too: what is
	// learned of it here matters there.
	Carried bool
	Seen    []Sighting
}

// Sighting is the use of one session at one place.
type Sighting struct {
	_       struct{} `cbor:",toarray"`
	Place   uint64   // key of the place
	First   moment
	Last    moment // as lastSeen rounds it: see last
	FirstID activityID
	Address netip.Addr // of the first use
}

// last is the last use, to the precision of lastSeen.
func (x *Sighting) last() moment { return max(x.First, x.Last) }

// Mark is what a record rule noted.
type Mark struct {
	_       struct{} `cbor:",toarray"`
	At      moment
	ID      activityID
	Rule    string
	Place   uint64 // key of the place, 0 where the record has none
	Address netip.Addr
	Session string // compact
	Facts   []Fact
}

// Fact is one small thing a record rule wants to know when it judges.
type Fact struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Value string
}

// Fact returns the named fact, or "".
func (m *Mark) Fact(name string) string {
	for i := range m.Facts {
		if m.Facts[i].Name == name {
			return m.Facts[i].Value
		}
	}
	return ""
}

// change says what a fold did to a book.
type change uint8

const (
	changed change = 1 << iota // the book must be stored
	judge                      // its judgement, or its neighbour's, may differ
)

// fold takes in one record of the account. marks are the rules' notes on it.
func (b *AccountBook) fold(a *activity.Activity, agent Agent, marks []Mark) (change, error) {
	var c change
	t := at(a.OccurredAt)
	var place Place
	if placed(a) {
		place = Place{
			Number: a.Network.Number, Country: a.Country, Kind: codeOf(a.Network.Kind),
			Prefix: activity.Prefix(a.Address), Agent: agent, Device: hashText(a.Device.ID),
		}
		place.key = place.computeKey()
		if used(a) {
			d, err := b.foldUse(a, &place, t)
			if err != nil {
				return d, err
			}
			c = d
		}
	}
	for i := range marks {
		m := marks[i]
		m.Place = place.key
		if place.key != 0 {
			// The mark's place must be known even where the act was no use of the account.
			c |= b.addPlace(&place, t, a.Network.Owner, false)
			m.Address = a.Address
		}
		c |= b.addMark(m)
	}
	return c, nil
}

// used says that the account got something: what failed or stopped half-way teaches no habit.
func used(a *activity.Activity) bool {
	return (a.Result == activity.ResultSuccess || a.Result == activity.ResultUnknown && !a.SignIn) &&
		(a.Actor.Kind == activity.ActorUser || a.Actor.Kind == activity.ActorGuest)
}

// foldUse notes where, and under which session and token, the account was used.
func (b *AccountBook) foldUse(a *activity.Activity, p *Place, t moment) (change, error) {
	c := b.addPlace(p, t, a.Network.Owner, true)
	if a.SessionID != "" {
		d, err := b.foldSession(a, false, a.SessionID, p.key, t)
		if err != nil {
			return c, err
		}
		c |= d
	}
	// A token matters where it is the only tie, and at a person's sign-in, which
	// ties it to the session; others come by the thousand.
	if a.TokenID != "" && (a.SessionID == "" || a.SignIn && a.Interactive) {
		d, err := b.foldSession(a, true, a.TokenID, p.key, t)
		if err != nil {
			return c, err
		}
		c |= d
	}
	return c, nil
}

func (b *AccountBook) addPlace(p *Place, t moment, owner string, use bool) change {
	i, ok := find(b.Places, p.key, placeKey)
	bit := uint32(0)
	if use {
		bit = 1 << (t.time().Day() - 1)
	}
	if ok {
		q := &b.Places[i]
		if q.Days&bit == bit && q.First <= t {
			return 0
		}
		q.Days |= bit
		q.First = min(q.First, t)
		return changed | judge
	}
	n := *p
	n.Country, n.Days, n.First = strings.Clone(p.Country), bit, t
	places, kept := keep(b.Places, i, n, maxPlaces)
	if !kept {
		return 0
	}
	b.Places = places
	b.addOwner(p.Number, owner)
	return changed | judge
}

func placeKey(p *Place) uint64 { return p.key }

func (b *AccountBook) addOwner(number uint32, name string) {
	if number == 0 || name == "" {
		return
	}
	i, ok := find(b.Owners, number, func(o *Owner) uint32 { return o.Number })
	if ok {
		if name < b.Owners[i].Name { // tables change their mind about names: the same answer in any order
			b.Owners[i].Name = strings.Clone(name)
		}
		return
	}
	b.Owners, _ = keep(b.Owners, i, Owner{Number: number, Name: strings.Clone(name)}, maxOwners)
}

func (b *AccountBook) foldSession(a *activity.Activity, token bool, id string, place uint64, t moment) (change, error) {
	key := hashText(id)
	if token {
		key = mix(key, 1)
	}
	i, ok := find(b.Sessions, key, func(s *Session) uint64 { return s.Key })
	if !ok {
		if i >= maxSessions {
			return 0, nil
		}
		sessions, kept := keep(b.Sessions, i, Session{Key: key, Token: token, ID: compactID(id)}, maxSessions)
		if !kept {
			return 0, nil
		}
		b.Sessions = sessions
	}
	s := &b.Sessions[i]
	j, ok := find(s.Seen, place, func(x *Sighting) uint64 { return x.Place })
	if ok {
		x := &s.Seen[j]
		if t > x.First {
			if lastSeen(t) <= x.Last {
				return 0, nil
			}
			x.Last = lastSeen(t)
			if len(s.Seen) > 1 || s.Carried {
				return changed | judge, nil
			}
			return changed, nil
		}
	}
	activityID, err := parseActivityID(a.ID)
	if err != nil {
		return 0, err
	}
	if !ok {
		seen, kept := keep(s.Seen, j, Sighting{Place: place, First: t, Last: lastSeen(t), FirstID: activityID, Address: a.Address}, maxSightings)
		if !kept {
			return 0, nil
		}
		s.Seen = seen
		return changed | judge, nil
	}
	x := &s.Seen[j]
	if t == x.First && string(activityID[:]) >= string(x.FirstID[:]) {
		return 0, nil
	}
	x.First, x.FirstID, x.Address = t, activityID, a.Address
	return changed | judge, nil
}

func (b *AccountBook) addMark(m Mark) change {
	less := func(x, y *Mark) bool {
		if x.At != y.At {
			return x.At < y.At
		}
		if x.ID != y.ID {
			return string(x.ID[:]) < string(y.ID[:])
		}
		return x.Rule < y.Rule
	}
	i := sort.Search(len(b.Marks), func(i int) bool { return !less(&b.Marks[i], &m) })
	if i < len(b.Marks) && !less(&m, &b.Marks[i]) {
		b.Marks[i] = m // a fuller version of the record
		return changed | judge
	}
	var kept bool
	if b.Marks, kept = keep(b.Marks, i, m, maxMarks); !kept {
		return 0
	}
	return changed | judge
}

// interesting says that a judgement of this book could find anything.
func (b *AccountBook) interesting() bool {
	if b == nil {
		return false
	}
	if len(b.Marks) > 0 || b.Reported {
		return true
	}
	for i := range b.Sessions {
		if len(b.Sessions[i].Seen) > 1 || b.Sessions[i].Carried {
			return true
		}
	}
	return false
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

func (b *AccountBook) places() []Place {
	if b == nil {
		return nil
	}
	return b.Places
}

func (b *AccountBook) place(key uint64) *Place {
	if b == nil {
		return nil
	}
	if i, ok := find(b.Places, key, placeKey); ok {
		return &b.Places[i]
	}
	return nil
}

func (b *AccountBook) owner(number uint32) string {
	if b == nil {
		return ""
	}
	if i, ok := find(b.Owners, number, func(o *Owner) uint32 { return o.Number }); ok {
		return b.Owners[i].Name
	}
	return ""
}

// restore computes what is not stored.
func (b *AccountBook) restore() {
	for i := range b.Places {
		b.Places[i].key = b.Places[i].computeKey()
	}
}

func (b *AccountBook) size() int {
	n := int(unsafe.Sizeof(*b)) + cap(b.Places)*int(unsafe.Sizeof(Place{})) + cap(b.Owners)*48 + cap(b.Sessions)*int(unsafe.Sizeof(Session{}))
	for i := range b.Sessions {
		n += len(b.Sessions[i].ID) + cap(b.Sessions[i].Seen)*int(unsafe.Sizeof(Sighting{}))
	}
	for i := range b.Marks {
		n += int(unsafe.Sizeof(Mark{}))
		for _, f := range b.Marks[i].Facts {
			n += len(f.Name) + len(f.Value) + 32
		}
	}
	return n
}

// firstDay returns the absolute day of the account's first use in the month.
func (b *AccountBook) firstDay(period int) (int, bool) {
	if b == nil {
		return 0, false
	}
	var all uint32
	for i := range b.Places {
		all |= b.Places[i].Days
	}
	if all == 0 {
		return 0, false
	}
	return periodStart(period).day() + bits.TrailingZeros32(all), true
}
