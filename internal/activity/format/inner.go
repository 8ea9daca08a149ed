package format

import (
	"encoding/json"
	"strings"
)

// innerJSON returns the JSON object or list that a text holds, nil where it
// holds none. Exports write one with its quotes escaped once or several times,
// doubled, or both, and with raw control characters.
func innerJSON(text string) []byte {
	for range maxInner {
		text = strings.TrimFunc(text, isBlank)
		if text == "" {
			return nil
		}
		inside := strings.TrimLeft(text[1:], " \r\n\t[{")
		switch {
		case text[0] == '"':
			inner := unquoted(mended([]byte(text)))
			if inner == "" || inner == text {
				return nil
			}
			text = inner
		case text[0] != '{' && text[0] != '[':
			return nil
		case strings.HasPrefix(inside, `\"`), strings.HasPrefix(inside, `\\"`):
			inner := unquoted(mended([]byte(`"` + text + `"`)))
			if inner == "" {
				return nil
			}
			text = inner
		case strings.HasPrefix(inside, `""`) && !strings.HasPrefix(strings.TrimLeft(inside[2:], " "), ":"):
			text = strings.ReplaceAll(text, `""`, `"`)
		default:
			raw := Tidy([]byte(text))
			if !json.Valid(raw) {
				if raw = mended(raw); !json.Valid(raw) {
					return nil
				}
			}
			return raw
		}
	}
	return nil
}

// powerShellObjects reads what PowerShell puts in place of objects that lie
// deeper than ConvertTo-Json was told to go: "@{Name=a; Value=b}", several of
// them with blanks between, or "class Status {\n  ErrorCode: 0\n}" of the older
// module. The result is an object of texts each; nil where the text is neither.
func powerShellObjects(text string) [][]byte {
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "class "); ok {
		_, body, ok := strings.Cut(rest, "{")
		if !ok {
			return nil
		}
		var names []string
		for line := range strings.Lines(strings.TrimSuffix(strings.TrimSpace(body), "}")) {
			names = append(names, strings.TrimSpace(line))
		}
		return [][]byte{objectOf(names, ":")}
	}
	var out [][]byte
	for {
		body, ok := strings.CutPrefix(text, "@{")
		if !ok {
			return out
		}
		end, next := strings.Index(body, "} @{"), 2
		if end < 0 {
			if end = strings.LastIndexByte(body, '}'); end < 0 {
				return out
			}
			next = 1
		}
		var members []string
		for part := range strings.SplitSeq(body[:end], "; ") {
			name, _, named := strings.Cut(part, "=")
			if len(members) > 0 && (!named || !word(name)) {
				members[len(members)-1] += "; " + part // a semicolon in a value
				continue
			}
			members = append(members, part)
		}
		out = append(out, objectOf(members, "="))
		if next += end; next > len(body) {
			return out
		}
		text = strings.TrimLeft(body[next-1:], " ,;}")
	}
}

// objectOf writes members, each a name, the separator and a value, as a JSON object.
func objectOf(members []string, separator string) []byte {
	out := []byte{'{'}
	for _, member := range members {
		name, value, ok := strings.Cut(member, separator)
		if !ok || name == "" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendMember(out, strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return append(out, '}')
}

// appendMember appends a name and a text to a JSON object that is being written.
func appendMember(out []byte, name, value string) []byte {
	return append(append(append(out, quote(name)...), ':'), quote(value)...)
}

// quote writes a text as a JSON string.
func quote(s string) []byte {
	out, err := json.Marshal(s)
	if err != nil { // of a string there is no way to fail
		return []byte(`""`)
	}
	return out
}

// word says whether s is a name as properties have one.
func word(s string) bool {
	for i := range len(s) {
		if c := s[i]; !letter(c) && c != '_' && c != '.' && c != '@' && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
