package detect

import (
	"cmp"
	"slices"
	"strings"
)

// Mark is what a record rule noted. Its witness has the record's address only
// where that is a person's place.
type Mark struct {
	Witness
	Rule    string
	Weight  weight
	Place   uint64 // key of the place, 0 where the record has none
	Session string // compact
	Facts   []Fact
}

// Fact is one small thing a record rule wants to know when it judges.
type Fact struct {
	Name  string
	Value string
}

// weight says how bad what a mark notes can be, judged by the record alone.
// Where a book is full the heavier marks of a rule stay.
type weight uint8

// The weights.
const (
	weightless  weight = iota // nothing to note
	weightLight               // tells something of other marks, or is for information
	weightPoor                // bad beside something else
	weightBad
	weightWorst
)

// Fact returns the named fact, or "".
func (m *Mark) Fact(name string) string {
	for i := range m.Facts {
		if m.Facts[i].Name == name {
			return m.Facts[i].Value
		}
	}
	return ""
}

// about is what the mark is about: the sites mail goes to, who got a role, the
// application. Where a book is full one thing can't push out another.
func (m *Mark) about() string {
	if out := m.Fact(factOutside); out != "" {
		var sites []string
		for address := range strings.FieldsSeq(out) {
			sites = append(sites, site(domainOf(address)))
		}
		slices.Sort(sites)
		return strings.Join(slices.Compact(sites), " ")
	}
	return cmp.Or(m.Fact("to"), m.Fact("app"), m.Fact("principal"))
}

// site is the end of a domain that its owner can't choose freely, near enough:
// the last two labels.
func site(domain string) string {
	i := strings.LastIndexByte(domain, '.')
	if i < 0 {
		return domain
	}
	return domain[strings.LastIndexByte(domain[:i], '.')+1:]
}

func compareMarks(x, y *Mark) int {
	return cmp.Or(x.compare(&y.Witness), strings.Compare(x.Rule, y.Rule))
}

func (b *AccountBook) addMark(m Mark) change {
	// A fuller version of a record takes the place of the earlier one.
	b.Marks = slices.DeleteFunc(b.Marks, func(o Mark) bool { return o.At == m.At && o.ID == m.ID && o.Rule == m.Rule })
	i, _ := slices.BinarySearchFunc(b.Marks, m, func(x, y Mark) int { return compareMarks(&x, &y) })
	b.Marks = slices.Insert(b.Marks, i, m)
	return changed | judge
}
