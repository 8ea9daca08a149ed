package detect

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// Witness is the record by which something is known.
type Witness struct {
	At      moment
	Order   uint32 // of the vendor's id: see compare
	ID      activityID
	Address netip.Addr // invalid where the record has none
}

func witness(a *activity.Activity) (Witness, error) {
	id, err := parseActivityID(a.ID)
	return Witness{At: at(a.OccurredAt), Order: uint32(hashText(a.VendorID) >> 32), ID: id, Address: a.Address}, err
}

// compare orders records by time. Of several of one moment the one with an
// address tells more, and comes first; then what the vendor wrote decides, so
// that every installation tells the same story: activity ids differ from one
// tenant's id to another's.
func (w *Witness) compare(o *Witness) int {
	if w.At != o.At {
		return cmp.Compare(w.At, o.At)
	}
	if w.Address.IsValid() != o.Address.IsValid() {
		if w.Address.IsValid() {
			return -1
		}
		return 1
	}
	return cmp.Or(w.Address.Compare(o.Address), cmp.Compare(w.Order, o.Order), bytes.Compare(w.ID[:], o.ID[:]))
}

// activityID is an activity's id without its prefix.
type activityID [16]byte

func parseActivityID(id string) (activityID, error) {
	u, err := typeid.Parse(activity.IDPrefix, id)
	return activityID(u), err
}

func (id activityID) String() string { return typeid.FromUUID(activity.IDPrefix, [16]byte(id)) }

// maxIDLength is how much of an id a book keeps; whole ids are far shorter.
const maxIDLength = 128

// compactID writes an id shorter: a lower-case GUID as a zero byte and its 16
// bytes, any other id as it is. What is longer than maxIDLength ends in a hash
// of the whole instead.
func compactID(id string) string {
	if b, ok := guidBytes(id); ok {
		return string(b[:])
	}
	if len(id) > maxIDLength {
		return fmt.Sprintf("%s…%016x", id[:maxIDLength-19], hashText(id))
	}
	return strings.Clone(id)
}

// guidBytes reads a lower-case GUID into the bytes behind a zero byte.
func guidBytes(id string) (out [17]byte, ok bool) {
	if len(id) != 36 {
		return out, false
	}
	j, digits := 1, 0
	for i := range 36 {
		c := id[i]
		var v byte
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return out, false
			}
			continue
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'f':
			v = c - 'a' + 10
		default:
			return out, false
		}
		out[j] = out[j]<<4 | v
		if digits++; digits%2 == 0 {
			j++
		}
	}
	return out, true
}

// fullID undoes compactID.
func fullID(id string) string {
	if len(id) != 17 || id[0] != 0 {
		return id
	}
	const hexDigits = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i := 1; i < 17; i++ {
		if i == 5 || i == 7 || i == 9 || i == 11 {
			out = append(out, '-')
		}
		out = append(out, hexDigits[id[i]>>4], hexDigits[id[i]&15])
	}
	return string(out)
}
