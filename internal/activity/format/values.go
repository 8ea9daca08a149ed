package format

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// scalar writes a value as text: strings as they are, booleans as Exchange
// writes them, whole numbers without a fraction; of a list the first that says
// something, of an object its "value". Null, and "null", are empty.
func scalar(raw []byte) string {
	switch raw[0] {
	case '"':
		s := unquoted(raw)
		if nothing(s) {
			return ""
		}
		return s
	case 't':
		return "True"
	case 'f':
		return "False"
	case 'n':
		return ""
	case '[':
		var found string
		eachElement(raw, func(element []byte) bool {
			if element[0] != '[' {
				found = scalar(element)
			}
			return found == ""
		})
		return found
	case '{':
		return scalarOf(raw, "value", "#text", "name")
	}
	return whole(string(raw))
}

// scalarOf returns the first of the named members (in lower case) of an object
// that is a scalar and says something.
func scalarOf(raw []byte, names ...string) string {
	var found string
	best := len(names)
	eachMember(raw, func(name, value []byte) bool {
		for i := range best {
			if len(value) > 0 && value[0] != '{' && value[0] != '[' && strings.EqualFold(string(name), names[i]) {
				if s := scalar(value); s != "" {
					found, best = s, i
				}
				break
			}
		}
		return best > 0
	})
	return found
}

// scalars is scalar, with all values of a list.
func scalars(raw []byte) string {
	if raw[0] != '[' {
		return scalar(raw)
	}
	var all []string
	eachElement(raw, func(element []byte) bool {
		all = append(all, scalar(element))
		return true
	})
	return strings.Join(all, ", ")
}

// instant is scalar for a moment. PowerShell writes one as an object whose
// value is exact and whose DateTime is for people.
func instant(raw []byte) string {
	switch raw[0] {
	case '{':
		return scalarOf(raw, "value", "$date", "datetime", "date", "utcdatetime")
	case '"':
		if s := unquoted(raw); strings.HasPrefix(s, "{") && json.Valid([]byte(s)) {
			return scalarOf([]byte(s), "value", "$date", "datetime", "date", "utcdatetime")
		}
	}
	return scalar(raw)
}

// flag reads a boolean; ok is false where the value says neither.
func flag(raw []byte) (yes, ok bool) {
	switch strings.ToLower(scalar(raw)) {
	case "true", "1", "yes", "$true":
		return true, true
	case "false", "0", "no", "$false":
		return false, true
	}
	return false, false
}

func yes(b *bool) bool { return b != nil && *b }

// nothing says whether a text stands for no value: a null that became a text,
// or the name of a type in place of what ConvertTo-Json cut off.
func nothing(s string) bool {
	switch {
	case s == "", len(s) == 4 && strings.EqualFold(s, "null"), len(s) == 6 && strings.EqualFold(s, "<null>"):
		return true
	case strings.HasPrefix(s, "System."):
		return strings.HasSuffix(s, "[]") || strings.HasSuffix(s, "Object") || strings.HasSuffix(s, "Hashtable") || strings.HasPrefix(s, "System.Collections.")
	}
	return strings.HasPrefix(s, "Microsoft.Graph.PowerShell.Models.") || strings.HasPrefix(s, "Microsoft.Open.MSGraph.Model.")
}

// whole drops the fraction of a number that has none: 15.0.
func whole(s string) string {
	if n, zeros, ok := strings.Cut(s, "."); ok && n != "" && strings.Trim(zeros, "0") == "" && strings.Trim(n, "-0123456789") == "" {
		return n
	}
	return s
}

// number reads an error number; ok is false where there is none.
func number(s string) (n int, ok bool) {
	n, err := strconv.Atoi(whole(strings.TrimSpace(s)))
	if err != nil || n < 0 {
		return 0, false
	}
	return n, true
}

// unquoted returns what a JSON string holds.
func unquoted(raw []byte) string {
	if len(raw) > 1 && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// flatten writes any JSON value as text: objects and lists as JSON, and null as
// nothing.
func flatten(raw []byte) string {
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0, string(raw) == "null":
		return ""
	case string(raw) == "true":
		return "True"
	case string(raw) == "false":
		return "False"
	case raw[0] == '"':
		return unquoted(raw)
	}
	return string(raw)
}

// maxMoment is more than any time has characters.
const maxMoment = 64

// moment reads a time as records write it, as old PowerShell does
// (/Date(1684580000000)/), and as the number of seconds, milliseconds or
// microseconds since 1970.
func moment(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxMoment {
		return time.Time{}, false
	}
	if inner, ok := strings.CutPrefix(s, "/Date("); ok {
		inner, _, _ = strings.Cut(inner, ")")
		inner, _, _ = strings.Cut(inner, "+") // the zone it was shown in
		ms, err := strconv.ParseInt(inner, 10, 64)
		return within(time.UnixMilli(ms), err == nil)
	}
	if t, ok := activity.ParseTime(s); ok {
		return t, true
	}
	seconds, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	switch len(seconds) {
	case 10:
		micros, err := strconv.ParseInt((fraction + "000000")[:6], 10, 64)
		return within(time.Unix(n, micros*1000), err == nil && micros >= 0)
	case 13:
		return within(time.UnixMilli(n), true)
	case 16:
		return within(time.UnixMicro(n), true)
	}
	return time.Time{}, false
}

// within refuses what lies outside the years 2000 to 9999.
func within(t time.Time, ok bool) (time.Time, bool) {
	if t = t.UTC(); !ok || t.Year() < 2000 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

// identifier returns a GUID in lower case, and what is none as it stands.
func identifier(s string) string {
	if !isGUID(s) {
		return s
	}
	return strings.ToLower(s)
}

// guid returns s in lower case where it is a GUID that names something, else "".
func guid(s string) string {
	if !isGUID(s) || s == "00000000-0000-0000-0000-000000000000" {
		return ""
	}
	return strings.ToLower(s)
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func firstGUID(values ...string) string {
	for _, v := range values {
		if v = guid(v); v != "" {
			return v
		}
	}
	return ""
}
