package detect

import (
	"errors"
	"fmt"
	"sort"
	"unsafe"
)

// BookTenant keeps what is true of the tenant as a whole. There is one, with
// subject "" and period 0.
const BookTenant BookKind = "tenant"

// Book is what is remembered of one subject in one month. Exactly one field is set.
type Book struct {
	Account *AccountBook
	Source  *SourceBook
	Tenant  *TenantBook
}

// bookVersion is the first byte of every encoded book.
const bookVersion = 3

// ErrBook is returned for bytes that are no book this version can read.
var ErrBook = errors.New("unreadable book")

// beside says which of the months next to a book's have one, too: most have
// none, and looking for it would cost more than all else.
type beside uint8

const (
	besideBefore beside = 1 << iota
	besideAfter
)

func newBook(kind BookKind) *Book {
	switch kind {
	case BookAccount:
		return &Book{Account: &AccountBook{}}
	case BookSource:
		return &Book{Source: &SourceBook{}}
	case BookTenant:
		return &Book{Tenant: &TenantBook{}}
	}
	return &Book{}
}

// EncodeBook writes a book as bytes: a version, then its fields (codec.go).
func EncodeBook(b *Book) ([]byte, error) {
	if b == nil {
		return nil, fmt.Errorf("encode book: %w: none", ErrBook)
	}
	w := writer{b: make([]byte, 1, 64+b.Size()/2)} // about what it takes
	w.b[0] = bookVersion
	switch {
	case b.Account != nil:
		b.Account.encode(&w)
	case b.Source != nil:
		b.Source.encode(&w)
	case b.Tenant != nil:
		b.Tenant.encode(&w)
	default:
		return nil, fmt.Errorf("encode book: %w: empty", ErrBook)
	}
	return w.b, nil
}

// DecodeBook reads what EncodeBook wrote. The error wraps ErrBook. The book
// keeps nothing of data.
func DecodeBook(kind BookKind, data []byte) (*Book, error) {
	b := newBook(kind)
	if len(data) == 0 || data[0] != bookVersion {
		return nil, fmt.Errorf("decode %s book: %w: unknown version", kind, ErrBook)
	}
	r := reader{b: data[1:]}
	switch {
	case b.Account != nil:
		b.Account.decode(&r)
	case b.Source != nil:
		b.Source.decode(&r)
	case b.Tenant != nil:
		b.Tenant.decode(&r)
	default:
		return nil, fmt.Errorf("decode book: %w: unknown kind %q", ErrBook, kind)
	}
	if len(r.b) > 0 {
		r.fail("bytes after the end")
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode %s book: %w", kind, r.err)
	}
	return b, nil
}

// Size returns about how many bytes of memory the book takes, for a cache to count.
func (b *Book) Size() int {
	n := int(unsafe.Sizeof(*b))
	switch {
	case b.Account != nil:
		n += b.Account.size()
	case b.Source != nil:
		n += b.Source.size()
	case b.Tenant != nil:
		n += b.Tenant.size()
	}
	return n
}

// keep inserts v into the sorted slice s at i and drops what exceeds limit at
// the end. Because the order is one that never changes for an element, the
// smallest that fit remain whatever the order of arrival.
func keep[T any](s []T, i int, v T, limit int) ([]T, bool) {
	if i >= limit {
		return s, false
	}
	s = append(s, v)
	copy(s[i+1:], s[i:])
	s[i] = v
	if len(s) > limit {
		var zero T
		s[limit] = zero
		s = s[:limit]
	}
	return s, true
}

// find returns where the element with key k stands or would stand in s.
func find[T any, K interface {
	~string | ~uint64 | ~uint32 | ~uint16 | ~uint8
}](s []T, k K, key func(*T) K) (int, bool) {
	i := sort.Search(len(s), func(i int) bool { return key(&s[i]) >= k })
	return i, i < len(s) && key(&s[i]) == k
}
