package format_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// TestBrokenWithin: a record broken in any way, anywhere in lists and pages
// that stand on one line, costs itself.
func TestBrokenWithin(t *testing.T) {
	t.Parallel()
	breaks := map[string]func(string) string{
		"no comma":            func(s string) string { return strings.Replace(s, `,"Operation"`, `"Operation"`, 1) },
		"no colon":            func(s string) string { return strings.Replace(s, `"Operation":`, `"Operation"`, 1) },
		"text without end":    func(s string) string { return strings.Replace(s, `"Exchange"`, `"Exchange`, 1) },
		"text without begin":  func(s string) string { return strings.Replace(s, `"Exchange"`, `Exchange"`, 1) },
		"no last brace":       func(s string) string { return s[:len(s)-1] },
		"no inner brace":      func(s string) string { return s[:len(s)-2] + "}" },
		"a brace too many":    func(s string) string { return s[:len(s)-1] + `],"x":1}` },
		"cut in a name":       func(s string) string { return s[:strings.Index(s, "Workload")+4] },
		"cut in a value":      func(s string) string { return s[:strings.Index(s, "Exchange")+4] },
		"cut behind a name":   func(s string) string { return s[:strings.Index(s, `"Workload":`)+10] },
		"bytes that are none": func(s string) string { return strings.Replace(s, `"Workload"`, "\x01\x02", 1) },
	}
	groups := map[string]func(a, b, c, d string) string{
		"list":        func(a, b, c, d string) string { return "[" + a + "," + b + "," + c + "," + d + "]" },
		"list, last":  func(a, b, c, d string) string { return "[" + a + "," + c + "," + b + "]\n[" + d + "]" },
		"list, first": func(a, b, c, d string) string { return "[" + b + "," + a + "," + c + "," + d + "]" },
		"page": func(a, b, c, d string) string {
			return `{"value":[` + a + "," + b + "," + c + `],"n":"x"}{"value":[` + d + "]}"
		},
		"page, last": func(a, b, c, d string) string {
			return `{"value":[` + a + "," + c + "," + b + "]}\n" + `{"@odata.context":"c","value":[` + d + "]}"
		},
		"pages, no line": func(a, b, c, d string) string {
			return `{"value":[` + a + "," + b + `]}{"n":1,"value":[` + c + "," + d + "]}"
		},
		"batch": func(a, b, c, d string) string {
			return `{"responses":[{"body":{"value":[` + a + "," + b + `]}},{"id":"2","body":{"value":[` + c + "," + d + "]}}]}"
		},
		"lines":          func(a, b, c, d string) string { return a + "\n" + b + "\n" + c + "\n" + d },
		"braces in line": func(a, b, c, d string) string { return "[ " + a + ",\n" + b + ",\n" + c + ", " + d + " ]" },
	}
	for group, join := range groups {
		for name, spoil := range breaks {
			t.Run(group+"/"+name, func(t *testing.T) {
				t.Parallel()
				text := join(audit(1), spoil(audit(2)), audit(3), audit(4))
				for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
					out := readAll(t, "log", r, format.Limits{})
					require.NoError(t, out.failed)
					require.Equal(t, []string{"n1", "n3", "n4"}, subjects(out), "%s\n%v", text, out.rejected)
					require.NotEmpty(t, out.rejected)
					require.LessOrEqual(t, len(out.rejected), 2, "%v", out.rejected)
				}
			})
		}
	}
}

// counted counts how often what it holds is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// TestHostileShapes reads texts made to be read again and again; where that
// were not bounded, none of them would end within the life of the test.
func TestHostileShapes(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	for name, piece := range map[string]string{
		"beginnings of records":    `{"CreationTime":"x","Operation":"y","z":`,
		"beginnings of lists":      `{"CreationTime":"x","Operation":"y","z":[`,
		"beginnings of wrappers":   `{"value":[`,
		"passages":                 `{"body":{`,
		"carriers":                 `{"AuditData":`,
		"commas":                   `{"a":1},{"a" 1`,
		"objects nobody knows":     `{"a":{"b":{"c":{"d":"e"}}}},{`,
		"texts without end":        `{"Operation":"a,{`,
		"marks":                    "\ufeff",
		"quotes":                   `"{\"a\":`,
		"what PowerShell cuts off": `{"CreationTime":"2025-03-04T05:06:07","Id":"1","Operation":"x","Parameters":"@{@{@{} @{"},`,
		"broken records":           `{"CreationTime":"x" "Operation":"y"},`,
		"rows":                     "a,\"b\n",
		"columns":                  `{"columns":["a","b"],"rows":[[1],[2],[3]]},`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, before := range []string{"", "[", audit(1) + "\n", "AuditData\n"} {
				text := before + strings.Repeat(piece, size/len(piece))
				source := &counted{r: strings.NewReader(text)}
				out := readAll(t, "log", source, format.Limits{})
				require.LessOrEqual(t, source.n, int64(len(text)))
				require.LessOrEqual(t, len(out.records)+len(out.rejected), len(text))
			}
		})
	}
}

// A table of few cells must not become large by the names of its columns.
func TestTableGrowth(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	text.WriteString(`{"columns":["Operation","CreationTime","Id","` + strings.Repeat("x", 100_000) + `"],"rows":[["a","b","c",1]`)
	for range 20_000 {
		text.WriteString(`,["a","b","c",1]`)
	}
	text.WriteString("]}")
	size := int64(0)
	out := readAll(t, "log", &text, format.Limits{})
	for _, rec := range out.records {
		size += int64(len(rec.Raw))
	}
	require.Less(t, size, int64(20<<20))
	require.NotEmpty(t, out.rejected)
}
