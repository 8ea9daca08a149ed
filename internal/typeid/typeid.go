// Package typeid makes and checks Cairn's identifiers: a type prefix, an
// underscore and a UUID in 26 characters of Crockford's base 32, as the TypeID
// specification (github.com/jetify-com/typeid, version 0.3) writes them. The same string stands
// in the API, the database, logs and URLs.
//
// What may not live here: anything that knows what a prefix means.
package typeid

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/google/uuid"
)

// alphabet is Crockford's base 32 in lower case (crockford.com/base32.html).
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// suffixLen is the number of characters a UUID takes: 128 bits, five a character.
const suffixLen = 26

// ErrMalformed is returned for a string that is no identifier of the wanted type.
var ErrMalformed = errors.New("malformed id")

// New returns a fresh identifier over a UUIDv7, so that identifiers of one
// type sort by the time they were made. It panics when the system has no
// randomness left, which no caller could mend.
func New(prefix string) string {
	return encode(prefix, uuid.Must(uuid.NewV7()))
}

// Derived returns the identifier that belongs to a natural key: always the
// same for the same parts. It lies over a UUIDv8 (RFC 9562, section 5.8)
// filled from SHA-256, so a record that arrives twice, through whichever door
// and in whichever order, has one identifier without anybody looking it up.
func Derived(prefix string, parts ...string) string {
	return encode(prefix, derive(sha256.New(), parts))
}

// DerivedAt is Derived for what happened at a time that belongs to its key. The
// first four bytes count the hours since 1970, so that what happened together
// lies together in an index, and ids sort by time, to the hour.
func DerivedAt(prefix string, at time.Time, parts ...string) string {
	u := derive(sha256.New(), parts)
	binary.BigEndian.PutUint32(u[:4], uint32(at.Unix()/3600)) // before 1970 it wraps: still the same for the same time
	return encode(prefix, u)
}

func derive(h hash.Hash, parts []string) uuid.UUID {
	var length [4]byte
	for _, p := range parts {
		n := len(p)
		length = [4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		h.Write(length[:])
		h.Write([]byte(p))
	}
	var u uuid.UUID
	copy(u[:], h.Sum(nil))
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u
}

// Prefix returns the type prefix of id, or "" where there is none.
func Prefix(id string) string {
	i := strings.LastIndexByte(id, '_')
	if i < 0 {
		return ""
	}
	return id[:i]
}

// Check says whether id is a well-formed identifier with the given prefix.
func Check(prefix, id string) error {
	_, err := Parse(prefix, id)
	return err
}

// Parse returns the UUID inside id. The error wraps ErrMalformed and does not
// repeat the input, which may be hostile.
func Parse(prefix, id string) (uuid.UUID, error) {
	suffix, ok := strings.CutPrefix(id, prefix+"_")
	if !ok {
		return uuid.Nil, fmt.Errorf("%w: not a %s id", ErrMalformed, prefix)
	}
	u, ok := decode(suffix)
	if !ok {
		return uuid.Nil, fmt.Errorf("%w: not a %s id", ErrMalformed, prefix)
	}
	return u, nil
}

// FromUUID writes u as an identifier with the given prefix.
func FromUUID(prefix string, u uuid.UUID) string { return encode(prefix, u) }

func encode(prefix string, u uuid.UUID) string {
	buf := make([]byte, len(prefix)+1+suffixLen)
	copy(buf, prefix)
	buf[len(prefix)] = '_'
	out := buf[len(prefix)+1:]
	// 130 bits for 128: the first character carries three, and so on down.
	var acc uint
	bits := 2 // two leading zero bits pad to a multiple of five
	j := 0
	for _, b := range u {
		acc = acc<<8 | uint(b)
		bits += 8
		for bits >= 5 {
			bits -= 5
			out[j] = alphabet[acc>>bits&31]
			j++
		}
		acc &= 1<<bits - 1
	}
	return string(buf)
}

func decode(s string) (uuid.UUID, bool) {
	var u uuid.UUID
	if len(s) != suffixLen || s[0] > '7' {
		return u, false
	}
	var acc uint
	bits := -2
	j := 0
	for i := range len(s) {
		v := strings.IndexByte(alphabet, s[i])
		if v < 0 {
			return u, false
		}
		acc = acc<<5 | uint(v)
		bits += 5
		if bits >= 8 {
			bits -= 8
			u[j] = byte(acc >> bits)
			j++
			acc &= 1<<bits - 1
		}
	}
	return u, true
}
