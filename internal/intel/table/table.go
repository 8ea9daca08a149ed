// Package table holds maps from ranges of addresses to small numbers: building
// them from overlapping ranges, laying one over another, searching them, and
// the file they are kept in (file.go). It knows addresses and numbers only;
// what a number means (a country, an owner, a kind of network) is its
// caller's. What may not live here: reading of anybody else's formats.
package table

import (
	"cmp"
	"encoding/binary"
	"iter"
	"math/bits"
	"net/netip"
	"slices"
)

// Map says which value each address has; 0 means none. A Map never changes
// once made and is safe for concurrent use.
type Map struct {
	v4, v6 line
}

// line is the whole of one address family cut into segments: segment i
// reaches from start(i) to just before start(i+1) and has values[i]. start(0)
// is the family's first address, neighbours differ in value. The halves of the
// starts stand apart because a search is mostly waiting for memory, and hardly
// ever needs the lower one.
type line struct {
	keys   []uint64 // v4: the address; v6: its upper half
	lows   []uint64 // v6: its lower half; v4: nil
	values []uint32
	coarse []uint32 // see find; large lines have one
}

func (l *line) len() int { return len(l.values) }

func (l *line) start(i int) point {
	if l.lows == nil {
		return point{lo: l.keys[i]}
	}
	return point{l.keys[i], l.lows[i]}
}

// newLine returns an empty line of one family with room for n segments.
func newLine(is4 bool, n int) line {
	l := line{keys: make([]uint64, 0, n), values: make([]uint32, 0, n)}
	if !is4 {
		l.lows = make([]uint64, 0, n)
	}
	return l
}

// add appends a segment, joining it to the one before if the values are equal.
func (l *line) add(start point, value uint32) {
	if n := l.len(); n > 0 && l.values[n-1] == value {
		return
	}
	if l.lows == nil {
		l.keys = append(l.keys, start.lo)
	} else {
		l.keys, l.lows = append(l.keys, start.hi), append(l.lows, start.lo)
	}
	l.values = append(l.values, value)
}

// set is add for a sweep that may come back to the place it wrote last.
func (l *line) set(start point, value uint32) {
	if n := l.len(); n > 0 && l.start(n-1) == start {
		l.keys, l.values = l.keys[:n-1], l.values[:n-1]
		if l.lows != nil {
			l.lows = l.lows[:n-1]
		}
	}
	l.add(start, value)
}

// clip gives back the room a line was made with and did not need.
func (l *line) clip() line {
	return line{keys: slices.Clone(l.keys), lows: slices.Clone(l.lows), values: slices.Clone(l.values)}
}

// point is an address as a number; the hi of a v4 address is 0.
type point struct{ hi, lo uint64 }

func (p point) less(q point) bool { return p.hi < q.hi || p.hi == q.hi && p.lo < q.lo }

func (p point) compare(q point) int {
	return cmp.Or(cmp.Compare(p.hi, q.hi), cmp.Compare(p.lo, q.lo))
}

func (p point) next() point {
	lo, carry := bits.Add64(p.lo, 1, 0)
	return point{p.hi + carry, lo}
}

func (p point) minus(q point) point {
	lo, borrow := bits.Sub64(p.lo, q.lo, 0)
	hi, _ := bits.Sub64(p.hi, q.hi, borrow)
	return point{hi, lo}
}

func (p point) plus(q point) (point, bool) {
	lo, carry := bits.Add64(p.lo, q.lo, 0)
	hi, over := bits.Add64(p.hi, q.hi, carry)
	return point{hi, lo}, over == 0
}

const lastV4 = 1<<32 - 1

func lastPoint(is4 bool) point {
	if is4 {
		return point{lo: lastV4}
	}
	return point{^uint64(0), ^uint64(0)}
}

func pointOf(addr netip.Addr) point {
	if addr.Is4() {
		b := addr.As4()
		return point{lo: uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := addr.As16()
	return point{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (p point) addr(is4 bool) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], p.hi)
	binary.BigEndian.PutUint64(b[8:], p.lo)
	if is4 {
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrFrom16(b)
}

// Find returns the value of the address, 0 where it has none or is invalid.
// A v4 address in v6 clothes is the v4 address.
func (m *Map) Find(addr netip.Addr) uint32 {
	if !addr.IsValid() {
		return 0
	}
	addr = addr.Unmap()
	p := pointOf(addr)
	if addr.Is4() {
		return m.v4.find(p, p.lo>>16)
	}
	if p.hi>>61 == 1 { // 2000::/3, all that is routed
		return m.v6.find(p, p.hi>>45&0xffff)
	}
	return m.v6.search(p, 0, m.v6.len())
}

// find looks only at the segments that begin in the address's bucket, one of
// 65536, and the one that reaches into it.
func (l *line) find(p point, bucket uint64) uint32 {
	if l.coarse == nil {
		return l.search(p, 0, l.len())
	}
	return l.search(p, int(l.coarse[bucket]), int(l.coarse[bucket+1])+1)
}

// search finds the last of the segments from to to-1 that does not start
// behind p; the first of them is known not to.
func (l *line) search(p point, from, to int) uint32 {
	key := p.hi
	if l.lows == nil {
		key = p.lo
	}
	for to-from > 1 {
		middle := int(uint(from+to) >> 1)
		if k := l.keys[middle]; k > key || k == key && l.lows != nil && l.lows[middle] > p.lo {
			to = middle
		} else {
			from = middle
		}
	}
	return l.values[from]
}

// index fills coarse: for every bucket the last segment not behind its first address.
func (l *line) index(first func(bucket uint64) point) {
	l.coarse = make([]uint32, 1<<16+1)
	at := 0
	for bucket := range uint64(1 << 16) {
		for at+1 < l.len() && !first(bucket).less(l.start(at+1)) {
			at++
		}
		l.coarse[bucket] = uint32(at)
	}
	l.coarse[1<<16] = uint32(l.len() - 1)
}

// indexFrom is the number of segments from which an index is worth its 256 KB.
const indexFrom = 4096

func newMap(v4, v6 line) *Map {
	m := &Map{v4, v6}
	if m.v4.len() >= indexFrom {
		m.v4.index(func(bucket uint64) point { return point{lo: bucket << 16} })
	}
	if m.v6.len() >= indexFrom {
		m.v6.index(func(bucket uint64) point { return point{hi: 1<<61 | bucket<<45} })
	}
	return m
}

// Len returns the number of ranges that have a value.
func (m *Map) Len() int {
	n := 0
	for _, values := range [][]uint32{m.v4.values, m.v6.values} {
		for _, v := range values {
			if v != 0 {
				n++
			}
		}
	}
	return n
}

// Range is a range of addresses of one family, both ends included.
type Range struct {
	First, Last netip.Addr
	Value       uint32
}

// All yields the ranges that have a value, in the order of addresses, v4 first.
func (m *Map) All() iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for _, is4 := range []bool{true, false} {
			l, end := &m.v6, lastPoint(is4)
			if is4 {
				l = &m.v4
			}
			for i, value := range l.values {
				last := end
				if i+1 < l.len() {
					last = l.start(i + 1).minus(point{lo: 1})
				}
				if value != 0 && !yield(Range{l.start(i).addr(is4), last.addr(is4), value}) {
					return
				}
			}
		}
	}
}

// Merge lays two maps over each other: every address gets choose(a's value, b's value).
func Merge(a, b *Map, choose func(a, b uint32) uint32) *Map {
	return newMap(merge(&a.v4, &b.v4, choose), merge(&a.v6, &b.v6, choose))
}

func merge(a, b *line, choose func(a, b uint32) uint32) line {
	out := newLine(a.lows == nil, a.len()+b.len())
	i, j := 0, 0
	for start := (point{}); ; {
		out.add(start, choose(a.values[i], b.values[j]))
		moreA, moreB := i+1 < a.len(), j+1 < b.len()
		switch {
		case !moreA && !moreB:
			return out.clip()
		case !moreB || moreA && a.start(i+1).less(b.start(j+1)):
			i++
			start = a.start(i)
		case !moreA || b.start(j+1).less(a.start(i+1)):
			j++
			start = b.start(j)
		default:
			i, j = i+1, j+1
			start = a.start(i)
		}
	}
}
