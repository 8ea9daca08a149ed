package ticketing

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
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
		require.Equal(t, want, literal(in), "%q", in)
	}
	require.Equal(t, `!\[x]\(hxxps[://]evil[.]example)`, marked(literal("![x](https://evil.example)"), psa.MarkupMarkdown))
	require.Equal(t, `\<img src=x> [a]\[b] [b]\: c`, marked(literal("<img src=x> [a][b] [b]: c"), psa.MarkupMarkdown))
	require.Equal(t, "<b>", marked("<b>", psa.MarkupPlain))
}

// Ensure a cut loses neither the marker by which a text is found nor whole characters.
func TestFit(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "short\n", strings.Repeat("🧨", 100_000), strings.Repeat("\u05d0", 40_000), strings.Repeat("e\u0301", 20_000)} {
		for _, limit := range []int{0, 80, 32_000} {
			out := fit(text, "[cairn ticket_x/1]", limit)
			require.True(t, utf8.ValidString(out))
			require.True(t, strings.HasSuffix(out, "[cairn ticket_x/1]"))
			if limit > 0 {
				require.LessOrEqual(t, utf8.RuneCountInString(out), limit)
			}
		}
	}
	require.Equal(t, "12345", cut("12345", 5))
	require.Equal(t, "1234…", cut("123456", 5))
}

var link = regexp.MustCompile(`(?i)(https?|ftp)://|\bwww\.[a-z]|javascript:`)

// Ensure nothing that anybody writes into a log becomes a link or a command of
// a terminal, and that what was made literal stays so.
func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"https://evil.example", "![a](http://x.example)", "www.www.evil.example", "hthttps://tps://evil.example", "a\u202eb", "\xff", "@evil.example", "x@y.example/z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := literal(s)
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
		if m := marked(out, psa.MarkupMarkdown); strings.Contains(m, "](") || strings.Contains(m, "![") {
			t.Fatalf("%q is still Markdown: %q", s, m)
		}
	})
}
