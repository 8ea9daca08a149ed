package format

import (
	"bytes"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// pairs is a list of names and values in any of the ways records hold one: a
// list of objects, one of them alone, an object of many, each of these as JSON
// in a text, a command line, or what PowerShell makes of too deep a list.
type pairs []activity.Parameter

func readPairs(raw []byte, texts int) pairs {
	var out pairs
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0:
	case raw[0] == '{':
		return pairsOf(raw)
	case raw[0] == '[':
		eachElement(raw, func(element []byte) bool {
			if element[0] != '[' {
				out = append(out, readPairs(element, texts)...)
			}
			return true
		})
	case raw[0] == '"':
		text := unquoted(raw)
		if texts == 0 || nothing(text) {
			return nil
		}
		if inner := innerJSON(text); inner != nil {
			return readPairs(inner, texts-1)
		}
		objects := powerShellObjects(text)
		for _, object := range objects {
			out = append(out, pairsOf(object)...)
		}
		if len(objects) == 0 {
			return commandLine(text)
		}
	}
	return out
}

// pairsOf reads an object that is one pair, or whose members are one each.
func pairsOf(raw []byte) pairs {
	var (
		out  pairs
		pair activity.Parameter
		one  = true
	)
	eachMember(raw, func(name, value []byte) bool {
		v := flatten(value)
		switch {
		case strings.EqualFold(string(name), "Value"):
			pair.Value = v
		case strings.EqualFold(string(name), "Name"), strings.EqualFold(string(name), "Key"): // Key: Graph's additionalDetails
			if pair.Name == "" {
				pair.Name = v
			}
		case len(name) > 0 && name[0] == '@':
		default:
			one = false
		}
		out = append(out, activity.Parameter{Name: string(name), Value: v})
		return true
	})
	if one && pair.Name != "" {
		return pairs{pair}
	}
	return out
}

// get returns the value of the named pair, "" where there is none. The exact
// name counts before one in another case.
func (p pairs) get(name string) string {
	found := -1
	for i := range p {
		if p[i].Name == name {
			return p[i].Value
		}
		if found < 0 && len(p[i].Name) == len(name) && strings.EqualFold(p[i].Name, name) {
			found = i
		}
	}
	if found < 0 {
		return ""
	}
	return p[found].Value
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
