package detect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// A book is stored as its fields one after another. Numbers are varints; times
// are differences from the time before; a text that comes often is written
// once. What a book's encode writes, its decode reads in the same order.

// writer appends values to bytes.
type writer struct {
	b     []byte
	last  moment
	words map[string]int
}

func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) int(v int)     { w.b = binary.AppendVarint(w.b, int64(v)) }
func (w *writer) fixed(v uint64) {
	w.b = binary.LittleEndian.AppendUint64(w.b, v)
}

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) moment(m moment) {
	w.b = binary.AppendVarint(w.b, int64(m-w.last))
	w.last = m
}

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// word writes a text that comes often.
func (w *writer) word(s string) {
	if i, ok := w.words[s]; ok {
		w.uint(uint64(i)) //nolint:gosec // a length
		return
	}
	if w.words == nil {
		w.words = make(map[string]int)
	}
	w.uint(uint64(len(w.words)))
	w.words[s] = len(w.words)
	w.text(s)
}

func (w *writer) address(a netip.Addr) {
	data := a.WithZone("").AsSlice()
	w.b = append(w.b, byte(len(data))) //nolint:gosec // at most 16
	w.b = append(w.b, data...)
}

func (w *writer) prefix(p netip.Prefix) {
	w.address(p.Addr())
	w.b = append(w.b, byte(max(p.Bits(), 0))) //nolint:gosec // at most 128
}

func (w *writer) witness(x *Witness) {
	w.moment(x.At)
	w.b = binary.LittleEndian.AppendUint32(w.b, x.Order)
	w.b = append(w.b, x.ID[:]...)
	w.address(x.Address)
}

// reader takes values from bytes. After bytes that say nothing it returns
// zeros, and err says so.
type reader struct {
	b     []byte
	last  moment
	words []string
	err   error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrBook, what)
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail("cut short")
		return nil
	}
	data := r.b[:n]
	r.b = r.b[n:]
	return data
}

func (r *reader) byte() byte {
	if data := r.take(1); data != nil {
		return data[0]
	}
	return 0
}

func (r *reader) bool() bool { return r.byte() != 0 }

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("no number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("no number")
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) fixed() uint64 {
	if data := r.take(8); data != nil {
		return binary.LittleEndian.Uint64(data)
	}
	return 0
}

func (r *reader) moment() moment {
	r.last += moment(r.int())
	return r.last
}

// list makes room for a list, each element of which takes at least size bytes:
// a wrong number takes no memory.
func list[T any](r *reader, size int) []T {
	n := r.uint()
	if n > uint64(len(r.b)/size) { //nolint:gosec // a length
		r.fail("a list longer than the book")
		return nil
	}
	if n == 0 {
		return nil
	}
	return make([]T, n)
}

func (r *reader) text() string {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail("a text longer than the book")
		return ""
	}
	return string(r.take(int(n))) //nolint:gosec // a length
}

func (r *reader) word() string {
	i := r.uint()
	switch {
	case i < uint64(len(r.words)):
		return r.words[i]
	case i > uint64(len(r.words)):
		r.fail("a word not yet known")
		return ""
	}
	s := r.text()
	r.words = append(r.words, s)
	return s
}

func (r *reader) address() netip.Addr {
	n := int(r.byte())
	a, ok := netip.AddrFromSlice(r.take(n))
	if !ok && n > 0 {
		r.fail("no address")
	}
	return a
}

func (r *reader) prefix() netip.Prefix {
	return netip.PrefixFrom(r.address(), int(r.byte()))
}

func (r *reader) witness() Witness {
	var w Witness
	w.At = r.moment()
	if data := r.take(4); data != nil {
		w.Order = binary.LittleEndian.Uint32(data)
	}
	copy(w.ID[:], r.take(len(w.ID)))
	w.Address = r.address()
	return w
}

// witnessSize is what a witness takes at the least.
const witnessSize = 1 + 4 + 16 + 1
