package format

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// text is a scalar that some exports write as text and others as a number or
// a boolean; null is empty.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	if len(raw) > 1 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		*t = text(raw[1 : len(raw)-1])
		return nil
	}
	s, err := flatten(raw)
	*t = text(s)
	return err
}

// flatten writes any JSON value as text: strings as they are, booleans as
// Exchange writes them, objects and lists as JSON.
func flatten(raw []byte) (string, error) {
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0, string(raw) == "null":
		return "", nil
	case string(raw) == "true":
		return "True", nil
	case string(raw) == "false":
		return "False", nil
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	}
	return string(raw), nil
}

// embedded is a value that some exports write as JSON in a string.
type embedded[T any] struct{ value T }

// UnmarshalJSON implements json.Unmarshaler.
func (e *embedded[T]) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		if s = strings.TrimSpace(s); s == "" {
			return nil
		}
		raw = []byte(s)
	}
	return json.Unmarshal(raw, &e.value)
}

// pairs is a list of names and values in any of the ways records hold one: a
// list of objects, the same as JSON in a string, an object, a command line.
type pairs []activity.Parameter

// UnmarshalJSON implements json.Unmarshaler.
func (p *pairs) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case raw[0] == '{':
		var err error
		eachMember(raw, func(name, value []byte) bool {
			var v string
			if v, err = flatten(value); err == nil {
				*p = append(*p, activity.Parameter{Name: string(name), Value: v})
			}
			return err == nil
		})
		return err
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		inner := strings.TrimSpace(s)
		if (strings.HasPrefix(inner, "[") || strings.HasPrefix(inner, "{")) && json.Valid([]byte(inner)) {
			return p.UnmarshalJSON([]byte(inner))
		}
		*p = append(*p, commandLine(s)...)
		return nil
	}
	var list []struct {
		Name  text `json:"Name"`
		Key   text `json:"key"` // Graph's additionalDetails
		Value text `json:"Value"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, item := range list {
		if item.Name == "" {
			item.Name = item.Key
		}
		*p = append(*p, activity.Parameter{Name: string(item.Name), Value: string(item.Value)})
	}
	return nil
}

// get returns the value of the named pair, "" where there is none.
func (p pairs) get(name string) string {
	for i := range p {
		if strings.EqualFold(p[i].Name, name) {
			return p[i].Value
		}
	}
	return ""
}

// commandLine reads the arguments of a cmdlet: -Name value -Name "quoted
// value" -Switch -Switch:$true. Values lose the quotation marks around them.
func commandLine(s string) []activity.Parameter {
	var (
		out   []activity.Parameter
		quote byte
		depth int
		start = -1 // where the present argument's name begins
	)
	flush := func(end int) {
		if start < 0 {
			return
		}
		name, value := s[start:end], ""
		if i := strings.IndexAny(name, " \t:"); i >= 0 {
			name, value = name[:i], strings.TrimSpace(name[i+1:])
		}
		if value == "" { // a switch; an empty value has quotation marks
			value = "True"
		}
		out = append(out, activity.Parameter{Name: name, Value: unquote(value)})
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '`' && quote == '"':
			i++ // PowerShell's escape
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '{':
			depth++
		case (c == ')' || c == '}') && depth > 0:
			depth--
		case c == '-' && depth == 0 && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') && i+1 < len(s) && letter(s[i+1]):
			flush(i)
			start = i + 1
		}
	}
	flush(len(s))
	return out
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func unquote(s string) string {
	switch {
	case strings.EqualFold(s, "$true"):
		return "True"
	case strings.EqualFold(s, "$false"):
		return "False"
	case len(s) < 2 || s[0] != s[len(s)-1] || (s[0] != '"' && s[0] != '\''):
		return s
	case strings.Count(s, s[:1]) == 2:
		return s[1 : len(s)-1]
	case strings.Count(s[1:len(s)-1], s[:1]) == 2*strings.Count(s[1:len(s)-1], s[:1]+s[:1]):
		return strings.ReplaceAll(s[1:len(s)-1], s[:1]+s[:1], s[:1])
	}
	return s // several quoted values
}

// moment reads a time as records write it, and as old PowerShell does: /Date(1684580000000)/.
func moment(s string) (time.Time, bool) {
	if inner, ok := strings.CutPrefix(s, "/Date("); ok {
		inner, _, _ = strings.Cut(inner, ")")
		ms, err := strconv.ParseInt(inner, 10, 64)
		if err != nil || ms < 946684800000 || ms > 253402300799999 { // years 2000 to 9999
			return time.Time{}, false
		}
		return time.UnixMilli(ms).UTC(), true
	}
	return activity.ParseTime(s)
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
