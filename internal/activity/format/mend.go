package format

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// mended rewrites what is nearly JSON as JSON: control characters and single
// backslashes in texts, NaN, Infinity, Python's None and True, commas too many,
// blanks that are none to JSON. What else is wrong stays wrong.
func mended(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+len(raw)/16+16)
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '"':
			out, i = mendText(out, raw, i)
		case c == ',':
			next := i + 1
			for next < len(raw) && (raw[next] == ',' || raw[next] <= ' ') {
				next++
			}
			if next >= len(raw) || (raw[next] != '}' && raw[next] != ']') {
				out = append(out, ',')
			}
			i = next
		case letter(c), c == '-' && i+1 < len(raw) && letter(raw[i+1]):
			end := i + 1
			for end < len(raw) && letter(raw[end]) {
				end++
			}
			out = append(out, literal(string(raw[i:end]))...)
			i = end
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(raw[i:])
			if isBlank(r) {
				out = append(out, ' ')
			} else {
				out = append(out, raw[i:i+size]...)
			}
			i += size
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}

// mendText copies the string that begins at i.
func mendText(out, raw []byte, i int) (text []byte, end int) {
	out = append(out, '"')
	for i++; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			return append(out, '"'), i + 1
		case c == '\\' && !escapes(raw[i+1:]):
			out = append(out, `\\`...)
		case c == '\\':
			out = append(out, c, raw[i+1])
			i++
		case c < ' ':
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return out, i
}

// escapes says whether what follows a backslash makes an escape.
func escapes(rest []byte) bool {
	if len(rest) == 0 || !escape[rest[0]] {
		return false
	}
	if rest[0] != 'u' {
		return true
	}
	for i := 1; i <= 4; i++ {
		if i >= len(rest) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(rest[i])) {
			return false
		}
	}
	return true
}

// literal returns the JSON literal that a word means; the word itself where it
// means none.
func literal(s string) string {
	switch lower := strings.ToLower(strings.TrimPrefix(s, "-")); lower {
	case "true", "false":
		return lower
	case "null", "nan", "none", "nil", "undefined", "infinity", "inf":
		return "null"
	}
	return s
}

// isBlank says whether a character between records says nothing: what Unicode
// calls space, byte-order marks in the middle, and the separator of JSON text
// sequences.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' || r == '\u2060' || r == '\x1e'
}
