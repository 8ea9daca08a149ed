package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// envelopes are the objects in which exports wrap a record: the name, in its
// quotes, of the member that holds it, as an object or as JSON in a string.
var envelopes = map[string]bool{
	`"AuditData"`: true, // Search-UnifiedAuditLog | ConvertTo-Json
	`"auditData"`: true, // Graph audit log search
}

// unwrap takes the record out of its envelope, if it is in one.
func unwrap(raw []byte) ([]byte, error) {
	for range 3 { // a string that holds an envelope that holds a string
		switch {
		case len(raw) > 0 && raw[0] == '"':
			inner, err := quoted(raw)
			if err != nil {
				return nil, err
			}
			raw = inner
		case len(raw) > 0 && raw[0] == '{':
			inner, ok := enveloped(raw)
			if !ok {
				return raw, nil
			}
			if len(inner) == 0 || (inner[0] != '{' && inner[0] != '"') {
				return nil, reject("AuditData is neither an object nor a text: %q", cut(string(inner), 40))
			}
			raw = inner
		default:
			return nil, reject("want a JSON object, found %q", cut(string(raw), 40))
		}
	}
	return nil, reject("the record is wrapped too often")
}

// quoted returns the JSON text that a JSON string holds.
func quoted(raw []byte) ([]byte, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil, reject("%s", jsonReason(err))
	}
	inner := bytes.TrimSpace([]byte(text))
	switch {
	case len(inner) == 0:
		return nil, reject("AuditData is empty")
	case inner[0] != '{':
		return nil, reject("want a JSON object, found the text %q", cut(text, 40))
	}
	return Tidy(inner), nil
}

// enveloped returns the wrapped value, and whether raw is an envelope at all.
func enveloped(raw []byte) (inner json.RawMessage, ok bool) {
	eachMember(raw, func(name, value []byte) bool {
		if ok = envelopes[`"`+string(name)+`"`]; ok {
			inner = bytes.Clone(value)
		}
		return !ok
	})
	return inner, ok
}

// eachMember calls visit with the name (as it stands between its quotes) and
// the value of each member of the object raw, until it returns false. It
// expects well-formed JSON and stops, without harm, where it is not.
func eachMember(raw []byte, visit func(name, value []byte) bool) {
	i := blank(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return
	}
	i++
	for {
		i = blank(raw, i)
		if i >= len(raw) || raw[i] != '"' {
			return
		}
		end := stringEnd(raw, i)
		name := raw[i+1 : max(i+1, end-1)]
		i = blank(raw, end)
		if i >= len(raw) || raw[i] != ':' {
			return
		}
		i = blank(raw, i+1)
		end = valueEnd(raw, i)
		if !visit(name, raw[i:end]) {
			return
		}
		i = blank(raw, end)
		if i >= len(raw) || raw[i] != ',' {
			return
		}
		i++
	}
}

func blank(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\r' || raw[i] == '\t') {
		i++
	}
	return i
}

// stringEnd returns the index behind the string that begins at i.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		for i < len(raw) && plain[raw[i]] {
			i++
		}
		if i >= len(raw) {
			break
		}
		switch raw[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(raw)
}

// valueEnd returns the index behind the value that begins at i.
func valueEnd(raw []byte, i int) int {
	depth := 0
	for i < len(raw) {
		switch c := raw[i]; {
		case c == '"':
			i = stringEnd(raw, i)
		case c == '{' || c == '[':
			depth++
			i++
			continue
		case c == '}' || c == ']':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case bare[c]:
			for i < len(raw) && bare[raw[i]] {
				i++
			}
		default:
			i++
			continue
		}
		if depth == 0 {
			return i
		}
	}
	return len(raw)
}

var nulEscape = []byte(`\u0000`)

// replaceNUL replaces escaped NULs, which text columns refuse, and leaves an
// escaped backslash before "u0000" alone.
func replaceNUL(raw []byte) []byte {
	out := bytes.Clone(raw)
	for i := 0; i < len(out); i++ {
		if out[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(out[i:], nulEscape) {
			copy(out[i+2:], "fffd")
		}
		i++
	}
	return out
}

func compact(raw []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(raw))
	if json.Compact(&out, raw) != nil {
		return raw // no JSON: its parser will say so
	}
	return out.Bytes()
}

func jsonReason(err error) string {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong):
		found, _, _ := strings.Cut(wrong.Value, " ") // of numbers the value follows
		member := "a member"
		if wrong.Field != "" {
			member = "the member " + wrong.Field
		}
		return member + " holds " + jsonKind(found) + ", want " + jsonKind(wrong.Type.Kind().String())
	case errors.As(err, &syntax):
		return "the record is no JSON: " + syntax.Error()
	}
	return err.Error()
}

// jsonKind names, with its article, what encoding/json or reflect calls kind.
func jsonKind(kind string) string {
	switch kind {
	case "string":
		return "a text"
	case "object", "struct", "map":
		return "an object"
	case "array", "slice":
		return "a list"
	case "bool":
		return "true or false"
	}
	return "a number"
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) }
