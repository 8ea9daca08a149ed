package detect

import (
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// activityID is an activity's id without its prefix.
type activityID [16]byte

func parseActivityID(id string) (activityID, error) {
	u, err := typeid.Parse(activity.IDPrefix, id)
	return activityID(u), err
}

func (id activityID) String() string { return typeid.FromUUID(activity.IDPrefix, [16]byte(id)) }

// compactID writes an id shorter: a lower-case GUID as a zero byte and its 16
// bytes, any other id as it is, cut at maxIDLength.
func compactID(id string) string {
	if len(id) == 36 {
		var out [17]byte
		j, digits := 1, 0
		for i := range 36 {
			c := id[i]
			var v byte
			switch {
			case i == 8 || i == 13 || i == 18 || i == 23:
				if c != '-' {
					return strings.Clone(id)
				}
				continue
			case c >= '0' && c <= '9':
				v = c - '0'
			case c >= 'a' && c <= 'f':
				v = c - 'a' + 10
			default:
				return strings.Clone(id)
			}
			out[j] = out[j]<<4 | v
			if digits++; digits%2 == 0 {
				j++
			}
		}
		return string(out[:])
	}
	return strings.Clone(id[:min(len(id), maxIDLength)])
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
