package literal_test

import (
	"regexp"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/literal"
)

// Ensure text from logs stands as it is, and nothing of it is a link, an image
// or markup wherever it is shown.
func TestLiteral(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain words, 10 %.":                   "plain words, 10 %.",
		"https://evil.example/a?b=c":           "hxxps[://]evil[.]example/a?b=c",
		"see evil.example/login now":           "see evil[.]example/login now",
		"www.evil.example":                     "www[.]evil[.]example",
		"EVIL.EXAMPLE":                         "EVIL[.]EXAMPLE",
		"xn--e1afmkfd.xn--p1ai":                "xn--e1afmkfd[.]xn--p1ai",
		"почта.рф":                             "почта[.]рф",
		"ann.lee@contoso.example":              "ann.lee@contoso.example",
		"192.0.2.7 and 2001:db8::7":            "192.0.2.7 and 2001:db8::7",
		"Chrome/120.0.0.0":                     "Chrome/120.0.0.0",
		"javascript:alert(1)":                  "javascript[:]alert(1)",
		`\\evil\share`:                         `[\\]evil\share`,
		"a\x00b\x1b[31mc\u202ed\u200be\tf\rg":  "ab[31mcde f g",
		"\xff\xfe":                             "\ufffd",
		"https://user:pass@evil.example:8443/": "hxxps[://]user:pass@evil[.]example:8443/",
	} {
		require.Equal(t, want, literal.Text(in), "%q", in)
	}
}

var link = regexp.MustCompile(`(?i)(https?|ftp)://|\bwww\.[a-z]|javascript:`)

// Ensure nothing that anybody writes into a log becomes a link or a command of
// a terminal, and that what was made literal stays so.
func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"https://evil.example", "![a](http://x.example)", "www.www.evil.example", "hthttps://tps://evil.example", "a\u202eb", "\xff", "@evil.example", "x@y.example/z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := literal.Text(s)
		if !utf8.ValidString(out) {
			t.Fatalf("not UTF-8: %q", out)
		}
		if found := link.FindString(out); found != "" {
			t.Fatalf("%q still links: %q", s, out)
		}
		for _, r := range out {
			if unicode.IsControl(r) && r != '\n' {
				t.Fatalf("%q still commands: %q", s, out)
			}
		}
	})
}
