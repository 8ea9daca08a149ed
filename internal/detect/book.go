package detect

import (
	"errors"
	"fmt"
	"sort"
	"unsafe"

	"github.com/fxamacker/cbor/v2"
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
const bookVersion = 1

// ErrBook is returned for bytes that are no book this version can read.
var ErrBook = errors.New("unreadable book")

var bookEncoding, bookDecoding = func() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{NilContainers: cbor.NilContainerAsEmpty}.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	// Compact ids are bytes in a string, and names from logs may be anything.
	dec, err := cbor.DecOptions{MaxArrayElements: 1 << 20, MaxNestedLevels: 16, UTF8: cbor.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}()

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

// EncodeBook writes a book as bytes: a version, then CBOR arrays.
func EncodeBook(b *Book) ([]byte, error) {
	var v any
	switch {
	case b == nil:
	case b.Account != nil:
		v = b.Account
	case b.Source != nil:
		v = b.Source
	case b.Tenant != nil:
		v = b.Tenant
	}
	if v == nil {
		return nil, fmt.Errorf("encode book: %w: empty", ErrBook)
	}
	data, err := bookEncoding.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode book: %w", err)
	}
	return append([]byte{bookVersion}, data...), nil
}

// DecodeBook reads what EncodeBook wrote. The error wraps ErrBook.
func DecodeBook(kind BookKind, data []byte) (*Book, error) {
	b := newBook(kind)
	if len(data) == 0 || data[0] != bookVersion {
		return nil, fmt.Errorf("decode %s book: %w: unknown version", kind, ErrBook)
	}
	var err error
	switch {
	case b.Account != nil:
		if err = bookDecoding.Unmarshal(data[1:], b.Account); err == nil {
			b.Account.restore()
		}
	case b.Source != nil:
		err = bookDecoding.Unmarshal(data[1:], b.Source)
	case b.Tenant != nil:
		err = bookDecoding.Unmarshal(data[1:], b.Tenant)
	default:
		return nil, fmt.Errorf("decode book: %w: unknown kind %q", ErrBook, kind)
	}
	if err != nil {
		return nil, fmt.Errorf("decode %s book: %w: %w", kind, ErrBook, err)
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
