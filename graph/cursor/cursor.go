// Package cursor writes and reads the cursors of connections: where an item
// stands in an ordered list, as text nobody outside is to read.
//
// What may not live here: knowledge of the lists; the API names them.
package cursor

import (
	"encoding/base64"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/typeid"
)

// Place is where an item stands in an ordered list: its key, and its id among
// items of one key. A key is a time.Time, an int or a string.
type Place struct {
	Key any
	ID  string
}

// Moment is the key of a list ordered by time.
func (p *Place) Moment() time.Time {
	t, _ := p.Key.(time.Time)
	return t
}

// Kind says which of these an order's keys are.
type Kind uint8

// The kinds.
const (
	Moment Kind = iota // time.Time, to the microsecond
	Number             // int
	Text               // string
)

// version starts every cursor; a cursor of another version is refused.
const version = "1"

// longest is longer than any cursor of ours: names have 320 characters at most.
const longest = 4096

// What Decode refuses; their texts are for whoever sent the cursor.
var (
	ErrNone    = errors.New("this is no cursor of this API; take one from pageInfo or edges")
	ErrForeign = errors.New("this cursor is from another list or another order; it fits only the list, orderBy and direction it was taken from")
)

// Encode returns the cursor of a place in the named list.
func (p *Place) Encode(list string) string {
	var key string
	switch k := p.Key.(type) {
	case time.Time:
		key = strconv.FormatInt(k.UnixMicro(), 10)
	case int:
		key = strconv.Itoa(k)
	case string:
		key = k
	}
	payload := strings.Join([]string{list, p.ID, key}, "|")
	return base64.RawURLEncoding.EncodeToString([]byte(version + "|" + checksum(payload) + "|" + payload))
}

// checksum tells a cursor that lost something on its way from a whole one. It
// is no protection: a cursor gives nobody more than its list does.
func checksum(payload string) string {
	return strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(payload))), 16)
}

// Decode reads a cursor of the named list, whose keys are of the kind. It
// returns ErrNone or ErrForeign where it is none.
func Decode(cursor, list string, kind Kind) (Place, error) {
	if len(cursor) > longest {
		return Place{}, ErrNone
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return Place{}, ErrNone
	}
	envelope := strings.SplitN(string(raw), "|", 3)
	if len(envelope) != 3 || envelope[0] != version || envelope[1] != checksum(envelope[2]) {
		return Place{}, ErrNone
	}
	parts := strings.SplitN(envelope[2], "|", 3) // the key comes last: it may hold anything
	if len(parts) != 3 {
		return Place{}, ErrNone
	}
	if parts[0] != list {
		return Place{}, ErrForeign
	}
	key, p := parts[2], Place{ID: parts[1]}
	if typeid.Check(typeid.Prefix(p.ID), p.ID) != nil {
		return Place{}, ErrNone
	}
	switch kind {
	case Moment:
		micros, err := strconv.ParseInt(key, 10, 64)
		if t := time.UnixMicro(micros).UTC(); err == nil && t.Year() >= 1 && t.Year() <= 9999 {
			p.Key = t
			return p, nil
		}
	case Number:
		if n, err := strconv.ParseInt(key, 10, 32); err == nil {
			p.Key = int(n)
			return p, nil
		}
	case Text:
		// PostgreSQL takes neither; no name of ours has them.
		if !strings.Contains(key, "\x00") && strings.ToValidUTF8(key, "") == key {
			p.Key = key
			return p, nil
		}
	}
	return Place{}, ErrNone
}
