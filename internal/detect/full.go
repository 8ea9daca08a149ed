package detect

import (
	"cmp"
	"math/bits"
	"slices"
)

// The caps of an account's month. A busy person has some forty places and sixty
// sessions; shared mailboxes and programs have more, and whoever is in an
// account can make as many as they like. A book at its caps takes at most two
// megabytes (TestFullBooks).
const (
	maxPlaces    = 1024
	maxSessions  = 1024
	maxSightings = 16  // a session, and its first
	maxMarks     = 128 // a rule
	allMarks     = 600 // of all rules together: those of the heaviest stay, every rule's first before any rule's second
)

// excess says what of a book did not fit and was dropped, ever.
type excess uint8

const (
	excessSessions excess = 1 << iota
	excessPlaces
	excessLooks  // more looks of one session than sightings are kept
	excessMarks  // that could matter by themselves
	excessNotes  // that could not
	excessUsers  // of a source: who succeeded
	excessFailed // of a source: failures of accounts of the tenant, now in the totals alone
	excessNames  // of a source: failures of names nobody has, now in the totals alone

	// excessLoud is what no person causes.
	excessLoud = excessSessions | excessPlaces | excessLooks | excessMarks
	// excessLost is what could have supported a finding.
	excessLost = excessLoud | excessNotes | excessUsers | excessFailed
)

// overflow notes what does not fit, so that the judgement knows. It is judged
// with all there is; trim drops the rest only then: nothing is dropped that was
// not judged at least once.
func (b *AccountBook) overflow() {
	if len(b.Sessions) > maxSessions {
		b.Excess |= excessSessions
	}
	if len(b.Places) > maxPlaces {
		b.Excess |= excessPlaces
	}
	if len(b.Marks) > allMarks {
		b.Excess |= excessNotes
	}
	if len(b.Marks) <= maxMarks {
		return
	}
	marks := make(map[string]int)
	heavy := make(map[string]int)
	for i := range b.Marks {
		m := &b.Marks[i]
		marks[m.Rule]++
		if m.Weight > weightLight {
			heavy[m.Rule]++
		}
		if heavy[m.Rule] > maxMarks {
			b.Excess |= excessMarks
		}
		if marks[m.Rule] > maxMarks {
			b.Excess |= excessNotes
		}
	}
}

// trim drops what is beyond the caps: of everything what tells least.
func (b *AccountBook) trim() {
	b.trimMarks()
	b.trimSessions()
	b.trimTallies()
	b.trimPlaces()
}

// trimMarks keeps of every rule the heaviest marks, and of equal ones the first
// about everything before the second about anything: a hundred rules that send
// mail to a colleague do not hide the one that sends it out. It rests on the
// marks alone: what stays is the same in whatever order they come.
func (b *AccountBook) trimMarks() {
	if len(b.Marks) <= maxMarks {
		return
	}
	type ranked struct {
		*Mark
		nth int
	}
	type subject struct {
		rule, about string
		weight      weight
	}
	rules := make(map[string][]ranked)
	nth := make(map[subject]int)
	for i := range b.Marks {
		m := &b.Marks[i]
		s := subject{m.Rule, m.about(), m.Weight}
		rules[m.Rule] = append(rules[m.Rule], ranked{m, nth[s]})
		nth[s]++
	}
	var kept []ranked
	for _, marks := range rules {
		slices.SortFunc(marks, func(x, y ranked) int {
			return cmp.Or(cmp.Compare(y.Weight, x.Weight), cmp.Compare(x.nth, y.nth), compareMarks(x.Mark, y.Mark))
		})
		for i, m := range marks[:min(len(marks), maxMarks)] {
			m.nth = i
			kept = append(kept, m)
		}
	}
	if len(kept) > allMarks {
		slices.SortFunc(kept, func(x, y ranked) int {
			return cmp.Or(cmp.Compare(y.Weight, x.Weight), cmp.Compare(x.nth, y.nth), compareMarks(x.Mark, y.Mark))
		})
		kept = kept[:allMarks]
	}
	slices.SortFunc(kept, func(x, y ranked) int { return compareMarks(x.Mark, y.Mark) })
	all := make([]Mark, len(kept))
	for i := range kept {
		all[i] = *kept[i].Mark
	}
	b.Marks = all
}

// trimSessions keeps the sessions that could be stolen ones by what is known of
// them, then those of more than one place. Of the many that were used at one
// place only, chance decides: their ids are Microsoft's.
func (b *AccountBook) trimSessions() {
	if len(b.Sessions) <= maxSessions {
		return
	}
	rank := make(map[uint64]int)
	for i := range b.Sessions {
		s := &b.Sessions[i]
		switch {
		case s.Carried || b.tense(s):
			rank[s.Key] = 2
		case len(s.Seen) > 1:
			rank[s.Key] = 1
		}
	}
	b.Sessions = keepBest(b.Sessions, maxSessions, func(s *Session) uint64 { return s.Key },
		func(s *Session) int { return rank[s.Key] })
}

// trimPlaces keeps the places that what may be a finding was seen at, then
// those of any session; of equal ones the places used on more days, which are
// what the account's habits are known by.
func (b *AccountBook) trimPlaces() {
	if len(b.Places) <= maxPlaces {
		return
	}
	const session, suspect = 32, 64 // above any number of days
	rank := make(map[uint64]int)
	for i := range b.Sessions {
		s := &b.Sessions[i]
		r := session
		if s.Carried || b.tense(s) {
			r = suspect
		}
		for j := range s.Seen {
			rank[s.Seen[j].Place] = max(rank[s.Seen[j].Place], r)
		}
	}
	for i := range b.Marks {
		if b.Marks[i].Weight > weightLight {
			rank[b.Marks[i].Place] = suspect
		}
	}
	b.Places = keepBest(b.Places, maxPlaces, placeKey, func(p *Place) int { return rank[p.key] + bits.OnesCount32(p.Days) })
}

// keepBest keeps the n best of what is sorted by key, sorted; of equal ones
// those of the smaller keys.
func keepBest[T any](all []T, n int, key func(*T) uint64, rank func(*T) int) []T {
	slices.SortFunc(all, func(x, y T) int { return cmp.Or(cmp.Compare(rank(&y), rank(&x)), cmp.Compare(key(&x), key(&y))) })
	kept := slices.Clone(all[:min(n, len(all))])
	slices.SortFunc(kept, func(x, y T) int { return cmp.Compare(key(&x), key(&y)) })
	return kept
}
