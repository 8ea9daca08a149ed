// Package naming says what people may call the things they make:
// organizations, tenants, API keys. One rule for all, so that no name reaches
// the database that it would refuse in words of its own.
//
// What may not live here: names that come out of logs, and whether a name is
// in use.
package naming

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cairn-itdr/cairn/internal/refusal"
)

// MaxLength is the longest name, in characters; the columns hold as many.
const MaxLength = 200

// Check returns name without the blanks around it. A refusal (INVALID, of the
// input's field "name") says what is wrong with it; thing is what is named,
// with its article: "a tenant". Empty names pass: whether one is needed is for
// the caller to say.
func Check(thing, name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case !utf8.ValidString(name):
		return "", refusal.New(refusal.Invalid, []string{"name"}, "%s's name is UTF-8 text; this one is not", thing)
	case utf8.RuneCountInString(name) > MaxLength:
		return "", refusal.New(refusal.Invalid, []string{"name"},
			"%s's name has at most %d characters; this one has %d", thing, MaxLength, utf8.RuneCountInString(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", refusal.New(refusal.Invalid, []string{"name"}, "%s's name has no control characters, such as line breaks", thing)
	}
	return name, nil
}
