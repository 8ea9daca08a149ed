package format_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// TestScalars checks that what is JSON and no object is counted, one by one,
// and costs nothing but itself.
func TestScalars(t *testing.T) {
	t.Parallel()
	a, b := audit(1), audit(2)
	for name, test := range map[string]struct {
		text     string
		rejected []string // line: reason
	}{
		"lines": {
			a + "\nnull\n\"words\"\n42\n-1.5e3\ntrue\n[1,2]\n[]\n[null]\n" + b,
			[]string{"2: found null", `3: found the text "words"`, "4: found 42", "5: found -1.5e3", "6: found true", "7: found 1", "7: found 2", "9: found null"},
		},
		"elements": {
			"[" + a + `,1,null,"words",[2],` + b + "]",
			[]string{"1: found 1", "1: found null", `1: found the text "words"`, "1: found 2"},
		},
		"after garbage":          {a + "\nhello there\nnull\n\"words\"\n" + b, []string{"2: found 'h'", "3: found null", `4: found the text "words"`}},
		"between broken records": {a + "\n{\"a\":[1\nfalse\n" + b, []string{"2: want a comma", "3: found false"}},
		"no word of JSON":        {a + "\nnil\n" + b, []string{"2: found 'n'"}},
		"no end of digits":       {a + "\n" + strings.Repeat("1", 100_000) + "\n" + b, []string{"2: found '1'"}},
		"the last":               {a + "\n" + b + "\nnull", []string{"3: found null"}},
		"in a list of a wrapper": {`{"value":[` + a + `,7,` + b + `]}`, []string{"1: found 7"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{strings.NewReader(test.text), iotest.OneByteReader(strings.NewReader(test.text))} {
				out := readAll(t, "log", r, format.Limits{})
				require.NoError(t, out.failed)
				require.Equal(t, []string{"n1", "n2"}, subjects(out))
				var got []string
				for _, e := range out.rejected {
					got = append(got, fmt.Sprintf("%d: %s", e.Line, e.Reason))
				}
				require.Len(t, got, len(test.rejected), "%q", got)
				for i, want := range test.rejected {
					line, reason, _ := strings.Cut(want, ": ")
					require.True(t, strings.HasPrefix(got[i], line+": "), "%q: %q", want, got[i])
					require.Contains(t, got[i], reason)
				}
			}
		})
	}
}

// TestReasons checks what is said of a record with a wrong value.
func TestReasons(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"a": nope}`: "the record is no JSON: invalid character 'o' in literal null (expecting 'u')",
		`{"a": 1}`:    `a record of no known kind, with the members "a"`,
		strings.Replace(audit(1), `"Send"`, `{"a":1}`, 1):       "the record does not say what was done (no operation)",
		strings.Replace(audit(1), `"Send"`, `[[]]`, 1):          "the record does not say what was done (no operation)",
		strings.Replace(audit(1), `"Id":"`, `"Id":[],"x":"`, 1): "the record has no Id",
		`["CreationTime","Operation"]`:                          "the record is no JSON object with members",
	} {
		_, err := format.Parse([]byte(raw))
		require.EqualError(t, err, want, raw)
	}
}

// TestTextBytes checks that a look at a file's beginning ends where it is told.
func TestTextBytes(t *testing.T) {
	t.Parallel()
	lines := strings.Repeat(audit(1)+"\n", 100)
	for _, text := range []string{lines, gz(t, lines)} {
		out := readAll(t, "log", strings.NewReader(text), format.Limits{TextBytes: int64(3 * len(audit(1)+"\n"))})
		require.NoError(t, out.failed)
		require.Len(t, out.activities, 3)
	}
}
