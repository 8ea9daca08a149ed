package graph

import (
	"encoding/base64"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/typeid"
)

// place is where an item stands in an ordered list: its key, and its id among
// items of one key. A key is a time.Time, an int or a string.
type place struct {
	key any
	id  string
}

// moment is the key of a list ordered by time.
func (p *place) moment() time.Time {
	t, _ := p.key.(time.Time)
	return t
}

// keyKind says which of these an order's keys are.
type keyKind uint8

const (
	moment keyKind = iota
	number
	text
)

// cursorVersion starts every cursor; a cursor of another version is refused.
const cursorVersion = "1"

// maxCursor is longer than any cursor of ours: names have 320 characters at most.
const maxCursor = 4096

var (
	errNoCursor      = errors.New("this is no cursor of this API; take one from pageInfo or edges")
	errForeignCursor = errors.New("this cursor is from another list or another order; it fits only the list, orderBy and direction it was taken from")
)

// encode writes the cursor of a place in the named list.
func (p *place) encode(list string) string {
	var key string
	switch k := p.key.(type) {
	case time.Time:
		key = strconv.FormatInt(k.UnixMicro(), 10)
	case int:
		key = strconv.Itoa(k)
	case string:
		key = k
	}
	payload := strings.Join([]string{list, p.id, key}, "|")
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + "|" + checksum(payload) + "|" + payload))
}

// checksum tells a cursor that lost something on its way from a whole one. It
// is no protection: a cursor gives nobody more than its list does.
func checksum(payload string) string {
	return strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(payload))), 16)
}

// decodeCursor reads a cursor of the named list.
func decodeCursor(cursor, list string, kind keyKind) (place, error) {
	if len(cursor) > maxCursor {
		return place{}, errNoCursor
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return place{}, errNoCursor
	}
	envelope := strings.SplitN(string(raw), "|", 3)
	if len(envelope) != 3 || envelope[0] != cursorVersion || envelope[1] != checksum(envelope[2]) {
		return place{}, errNoCursor
	}
	parts := strings.SplitN(envelope[2], "|", 3) // the key comes last: it may hold anything
	if len(parts) != 3 {
		return place{}, errNoCursor
	}
	if parts[0] != list {
		return place{}, errForeignCursor
	}
	key, p := parts[2], place{id: parts[1]}
	if typeid.Check(typeid.Prefix(p.id), p.id) != nil {
		return place{}, errNoCursor
	}
	switch kind {
	case moment:
		micros, err := strconv.ParseInt(key, 10, 64)
		if t := time.UnixMicro(micros).UTC(); err == nil && t.Year() >= 1 && t.Year() <= 9999 {
			p.key = t
			return p, nil
		}
	case number:
		if n, err := strconv.ParseInt(key, 10, 32); err == nil {
			p.key = int(n)
			return p, nil
		}
	case text:
		// PostgreSQL takes neither; no name of ours has them.
		if !strings.Contains(key, "\x00") && strings.ToValidUTF8(key, "") == key {
			p.key = key
			return p, nil
		}
	}
	return place{}, errNoCursor
}
