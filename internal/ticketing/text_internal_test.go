package ticketing

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/literal"
)

// Ensure what was made literal is no link, image or markup where Markdown is rendered.
func TestMarked(t *testing.T) {
	t.Parallel()
	require.Equal(t, `!\[x]\(hxxps[://]evil[.]example)`, marked(literal.Text("![x](https://evil.example)"), psa.MarkupMarkdown))
	require.Equal(t, `\<img src=x> [a]\[b] [b]\: c`, marked(literal.Text("<img src=x> [a][b] [b]: c"), psa.MarkupMarkdown))
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

// Ensure nothing that anybody writes into a log is a link or an image in Markdown.
func FuzzMarked(f *testing.F) {
	for _, s := range []string{"https://evil.example", "![a](http://x.example)", "[a][b]", "[a]: b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if m := marked(literal.Text(s), psa.MarkupMarkdown); strings.Contains(m, "](") || strings.Contains(m, "![") {
			t.Fatalf("%q is still Markdown: %q", s, m)
		}
	})
}
