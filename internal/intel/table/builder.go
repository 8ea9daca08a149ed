package table

import (
	"container/heap"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Builder collects ranges, in any order and overlapping, into a Map.
type Builder struct {
	v4, v6 []span
}

type span struct {
	first, last point
	value       uint32
}

// MaxRanges is how many ranges a Builder takes: several times the largest
// public table, and still no danger to memory.
const MaxRanges = 4_000_000

// ErrTooLarge says that there were more than MaxRanges ranges.
var ErrTooLarge = errors.New("too many ranges")

// Add adds a range, both ends included. The ends must be of one family and in
// order. A value of 0 cuts a hole into wider ranges.
func (b *Builder) Add(first, last netip.Addr, value uint32) error {
	first, last = first.Unmap().WithZone(""), last.Unmap().WithZone("")
	if !first.IsValid() || !last.IsValid() || first.Is4() != last.Is4() {
		return errors.New("the two ends are not addresses of one family")
	}
	if last.Less(first) {
		return fmt.Errorf("the range ends (%s) before it begins (%s)", last, first)
	}
	spans := &b.v6
	if first.Is4() {
		spans = &b.v4
	}
	s := span{pointOf(first), pointOf(last), value}
	if n := len(*spans); n > 0 && (*spans)[n-1] == s {
		return nil
	}
	if len(b.v4)+len(b.v6) >= MaxRanges {
		return fmt.Errorf("%w: the limit is %d", ErrTooLarge, MaxRanges)
	}
	*spans = append(*spans, s)
	return nil
}

// AddPrefix adds all addresses of a prefix; its host bits are ignored.
func (b *Builder) AddPrefix(prefix netip.Prefix, value uint32) error {
	if !prefix.IsValid() {
		return errors.New("not a prefix")
	}
	addr, length := prefix.Addr(), prefix.Bits()
	if addr.Is4In6() && length >= 96 {
		addr, length = addr.Unmap(), length-96
	}
	first := netip.PrefixFrom(addr, length).Masked().Addr()
	p := pointOf(first)
	switch {
	case first.Is4():
		p.lo |= lastV4 >> length
	case length < 64:
		p.hi |= ^uint64(0) >> length
		p.lo = ^uint64(0)
	default:
		p.lo |= ^uint64(0) >> (length - 64)
	}
	return b.Add(first, p.addr(first.Is4()), value)
}

// Build makes the map. Where ranges overlap, the smallest one decides; of two
// equal ones, the one added last.
func (b *Builder) Build() *Map {
	return newMap(flatten(b.v4, true), flatten(b.v6, false))
}

// flatten sweeps over the ends of the spans and keeps the open ones in a heap,
// the smallest on top.
func flatten(spans []span, is4 bool) line {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return spans[i].first.compare(spans[j].first) })
	out, end := newLine(is4, len(spans)), lastPoint(is4)
	open := smallest{spans: spans}
	at := point{} // the sweep's place: out says everything before it
	out.add(at, 0)
	for n := 0; ; {
		for n < len(order) && (len(open.heap) == 0 || spans[order[n]].first == at) {
			at = spans[order[n]].first
			heap.Push(&open, order[n])
			n++
		}
		if len(open.heap) == 0 {
			break
		}
		top := spans[open.heap[0]]
		if top.last.less(at) {
			heap.Pop(&open)
			if len(open.heap) == 0 {
				out.set(at, 0)
			}
			continue
		}
		out.set(at, top.value)
		switch {
		case n < len(order) && !top.last.less(spans[order[n]].first):
			at = spans[order[n]].first
		case top.last == end:
			return out.clip()
		default:
			at = top.last.next()
		}
	}
	return out.clip()
}

// smallest is a heap of spans by size, of equal ones the later first.
type smallest struct {
	spans []span
	heap  []int
}

func (s *smallest) Len() int { return len(s.heap) }

func (s *smallest) Less(i, j int) bool {
	a, b := s.spans[s.heap[i]], s.spans[s.heap[j]]
	if by := a.last.minus(a.first).compare(b.last.minus(b.first)); by != 0 {
		return by < 0
	}
	return s.heap[i] > s.heap[j]
}

func (s *smallest) Swap(i, j int) { s.heap[i], s.heap[j] = s.heap[j], s.heap[i] }
func (s *smallest) Push(x any)    { s.heap = append(s.heap, x.(int)) } //nolint:forcetypeassert // container/heap gives back what it was given

func (s *smallest) Pop() any {
	n := len(s.heap) - 1
	x := s.heap[n]
	s.heap = s.heap[:n]
	return x
}
