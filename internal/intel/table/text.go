package table

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxRunes is how long a cleaned text is at the most.
const maxRunes = 128

// CleanText makes a name from an outside table fit to be shown: no control or
// formatting characters (which include those that turn text round), nothing
// that is not UTF-8, white space folded, not long.
func CleanText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxRunes {
		s = strings.TrimSpace(string(runes[:maxRunes]))
	}
	return s
}
