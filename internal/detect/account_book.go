package detect

import (
	"math/bits"
	"slices"
	"strings"
	"unsafe"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// maxOwners caps the network owners an account's month knows by name: wording only.
const maxOwners = 64

// AccountBook is one account's month. Its caps, and what holds beyond them,
// are in full.go.
type AccountBook struct {
	Beside   beside
	Reported bool      // the last review was not empty
	Excess   excess    // what did not fit
	Days     uint32    // bit n: used with success on day n+1 of the month, at whatever place
	Places   []Place   // by key
	Owners   []Owner   // by number
	Sessions []Session // by key
	Marks    []Mark    // by witness, then rule
	Tallies  []Tally   // by key
}

// Owner is the name of an autonomous system.
type Owner struct {
	Number uint32
	Name   string
}

// change says what a fold did to a book.
type change uint8

const (
	changed change = 1 << iota // the book must be stored
	judge                      // its judgement, or its neighbour's, may differ
)

// fold takes in one record of the account. marks are the rules' notes on it;
// again says that an earlier version of it was counted.
func (b *AccountBook) fold(a *activity.Activity, agent Agent, marks []Mark, again bool) (change, error) {
	var c change
	t := at(a.OccurredAt)
	var place Place
	if placed(a) {
		place = Place{
			Number: a.Network.Number, Country: a.Country, Kind: codeOf(a.Network.Kind),
			Prefix: activity.Prefix(a.Address), Agent: agent, Device: hashText(a.Device.ID),
		}
		place.key = place.computeKey()
		if a.AccountID != "" && used(a) {
			d, err := b.foldUse(a, &place, t)
			if err != nil {
				return d, err
			}
			c = d
			if kind, n := tallyOf(a); n > 0 && !again {
				c |= b.addTally(place.key, a.OccurredAt.UTC().Day(), kind, n)
			}
		}
	}
	for i := range marks {
		m := marks[i]
		m.Place = place.key
		if place.key != 0 {
			// The mark's place must be known even where the act was no use of the account.
			c |= b.addPlace(&place, t, a.Network.Owner, false)
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
	b.Days |= dayBit(t)
	id := a.SessionID
	if id == "" && a.TokenID == "" {
		id = placeSession(p.Prefix, t)
	}
	signs := signsOf(a, p.Agent)
	if id != "" {
		d, err := b.foldSession(a, false, id, p.key, t, signs)
		if err != nil {
			return c, err
		}
		c |= d
	}
	// A token matters where it is the only tie, and at a person's sign-in, which
	// ties it to the session; others come by the thousand.
	if a.TokenID != "" && (a.SessionID == "" || a.SignIn && a.Interactive) {
		d, err := b.foldSession(a, true, a.TokenID, p.key, t, signs)
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
		bit = dayBit(t)
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
	b.Places = slices.Insert(b.Places, i, n)
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

// interesting says that a judgement of this book could find anything.
func (b *AccountBook) interesting() bool {
	if b == nil {
		return false
	}
	if len(b.Marks) > 0 || b.Reported || b.Excess&excessLoud != 0 {
		return true
	}
	return len(b.Sessions) > 0
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

func (b *AccountBook) size() int {
	n := int(unsafe.Sizeof(*b)) + cap(b.Places)*int(unsafe.Sizeof(Place{})) + cap(b.Owners)*48 +
		cap(b.Tallies)*int(unsafe.Sizeof(Tally{})) + cap(b.Sessions)*int(unsafe.Sizeof(Session{}))
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
	if b == nil || b.Days == 0 {
		return 0, false
	}
	return periodStart(period).day() + bits.TrailingZeros32(b.Days), true
}
