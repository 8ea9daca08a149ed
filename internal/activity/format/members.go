package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

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

// eachElement does the same for the elements of the list raw.
func eachElement(raw []byte, visit func(element []byte) bool) {
	i := blank(raw, 0)
	if i >= len(raw) || raw[i] != '[' {
		return
	}
	for {
		i = blank(raw, i+1)
		end := valueEnd(raw, i)
		if end <= i || !visit(raw[i:end]) {
			return
		}
		if i = blank(raw, end); i >= len(raw) || raw[i] != ',' {
			return
		}
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
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "the record is no JSON: " + syntax.Error()
	}
	return err.Error()
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) }
