package format_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairn-itdr/cairn/internal/activity/format"
)

func audit(n int) string {
	return fmt.Sprintf(`{"CreationTime":"2025-03-04T05:06:07","Id":"%08d-1111-4222-8333-444455556666","Operation":"Send","RecordType":2,"Workload":"Exchange","UserId":"alva@contoso.example","Item":{"Subject":"n%d"}}`, n, n)
}

func pretty(t testing.TB, s string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, json.Indent(&out, []byte(s), "", "    "))
	return out.String()
}

func gz(t testing.TB, parts ...string) string {
	t.Helper()
	var out bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&out)
		_, err := w.Write([]byte(p))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	return out.String()
}

func wide(s string, order binary.AppendByteOrder, mark bool) string {
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	var out []byte
	for _, u := range units {
		out = order.AppendUint16(out, u)
	}
	return string(out)
}

// csvOf writes rows as Export-Csv does: every cell in quotation marks.
func csvOf(rows ...[]string) string {
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

func inString(t testing.TB, s string) string {
	t.Helper()
	out, err := json.Marshal(s)
	require.NoError(t, err)
	return string(out)
}

// subjects are what audit numbered its records by.
func subjects(out outcome) []string {
	var s []string
	for _, a := range out.activities {
		s = append(s, a.Subject)
	}
	return s
}

func TestContainers(t *testing.T) {
	t.Parallel()
	a, b, c := audit(1), audit(2), audit(3)
	lines := a + "\n" + b + "\r\n\n" + c + "\n"
	newHeader := []string{"RecordId", "CreationDate", "RecordType", "Operation", "UserId", "AuditData", "AssociatedAdminUnits", "AssociatedAdminUnitsNames"}
	newRow := func(s string) []string { return []string{"1", "2025-03-04T05:06:07Z", "2", "Send", "alva", s, "", ""} }
	oldTable := csvOf([]string{"CreationDate", "UserIds", "Operations", "AuditData"},
		[]string{"6/4/2023 6:17:25 AM", "alva", "Send", a}, []string{"x", "y", "z", b}, []string{"x", "y", "z", c})
	tests := map[string]string{
		"lines":                        lines,
		"lines without end":            a + "\n" + b + "\n" + c,
		"one line":                     a + b + " " + c,
		"pretty objects":               pretty(t, a) + "\n" + pretty(t, b) + "\n" + pretty(t, c),
		"array":                        "[" + a + "," + b + "," + c + "]",
		"pretty array":                 pretty(t, "["+a+","+b+","+c+"]"),
		"array after array":            "[" + a + "]\n[" + b + "," + c + "]",
		"array after object":           a + "[" + b + "]" + c,
		"arrays in an array":           "[[" + a + "],[" + b + "," + c + "]]",
		"empty array first":            "[]\n[" + a + "," + b + "," + c + "]",
		"value":                        `{"value":[` + a + "," + b + "," + c + "]}",
		"value with context and links": `{"@odata.context":"https://x","@odata.count":3,"value":[` + a + "," + b + "," + c + `],"@odata.nextLink":"https://x?a=[1]{"}`,
		"value after value":            `{"value":[` + a + `]}` + "\n" + `{"value":[]}{"value":[` + b + "," + c + `],"more":{"a":[1]}}`,
		"records":                      `{"records":[` + a + "," + b + "," + c + "]}",
		"search wrappers, text":        fmt.Sprintf(`[{"RecordType":"ExchangeItem","CreationDate":"\/Date(1684580000000)\/","AuditData":%s},{"AuditData":%s},{"AuditData":%s}]`, inString(t, a), inString(t, b), inString(t, pretty(t, c))),
		"search wrappers, object":      fmt.Sprintf(`{"UserIds":"x","AuditData":%s,"IsValid":true}{"AuditData":%s}{"AuditData":%s}`, a, b, c),
		"graph audit search":           fmt.Sprintf(`{"value":[{"id":"1","auditData":%s},{"auditData":%s},{"auditData":%s}]}`, a, b, c),
		"strings":                      "[" + inString(t, a) + "," + inString(t, b) + "," + inString(t, c) + "]",
		"string lines":                 inString(t, a) + "\n" + inString(t, b) + "\n" + inString(t, c),
		"purview table, new":           csvOf(newHeader, newRow(a), newRow(b), newRow(c)),
		"purview table, old":           oldTable,
		"table with type line":         "#TYPE Selected.System.Object\r\n" + oldTable,
		"table with semicolons":        strings.ReplaceAll("CreationDate;AuditData\nx;'"+a+"'\n;'"+b+"'\n;'"+c+"'", "'", ""),
		"table with line breaks":       csvOf([]string{"AuditData", "Note"}, []string{pretty(t, a), "x\r\ny"}, []string{b, ""}, []string{c, ""}),
		"table with shuffled columns":  csvOf([]string{"auditdata ", "Operations"}, []string{a, "Send"}, []string{b, ""}, []string{c, ""}),
	}
	encodings := map[string]func(string) string{
		"utf-8":           func(s string) string { return s },
		"utf-8 mark":      func(s string) string { return "\ufeff" + s },
		"utf-16le":        func(s string) string { return wide(s, binary.LittleEndian, true) },
		"utf-16be":        func(s string) string { return wide(s, binary.BigEndian, true) },
		"utf-16le bare":   func(s string) string { return wide(s, binary.LittleEndian, false) },
		"utf-16be bare":   func(s string) string { return wide(s, binary.BigEndian, false) },
		"gzip":            func(s string) string { return gz(t, s) },
		"gzip members":    func(s string) string { return gz(t, s[:len(s)/3], "", s[len(s)/3:]) },
		"gzip, utf-16 be": func(s string) string { return gz(t, wide(s, binary.BigEndian, true)) },
	}
	for name, text := range tests {
		for encoding, encode := range encodings {
			t.Run(name+"/"+encoding, func(t *testing.T) {
				t.Parallel()
				encoded := encode(text)
				for _, r := range []io.Reader{strings.NewReader(encoded), iotest.OneByteReader(strings.NewReader(encoded)), iotest.DataErrReader(strings.NewReader(encoded))} {
					out := readAll(t, "log", r, format.Limits{})
					require.NoError(t, out.failed)
					require.Empty(t, out.rejected)
					require.Equal(t, []string{"n1", "n2", "n3"}, subjects(out))
					for i, rec := range out.records {
						require.JSONEq(t, []string{a, b, c}[i], string(rec.Raw))
						require.NotContains(t, string(rec.Raw), "\n")
					}
				}
			})
		}
	}
}

// TestBroken checks that a bad record costs itself only, and is named by its line.
func TestBroken(t *testing.T) {
	t.Parallel()
	a, b, c := audit(1), audit(2), audit(3)
	half := a[:60]
	header := []string{"CreationDate", "AuditData"}
	tests := map[string]struct {
		text     string
		want     []string
		rejected map[int]string // line → part of the reason
	}{
		"line cut in a text":         {a + "\n" + b[:40] + "\n" + c, []string{"n1", "n3"}, map[int]string{2: "cut off"}},
		"line cut between members":   {half[:strings.LastIndexByte(half, ',')+1] + "\n" + b + "\n" + c, []string{"n2", "n3"}, map[int]string{1: "no JSON"}},
		"line cut behind a name":     {a + "\n" + `{"CreationTime"` + "\n" + c, []string{"n1", "n3"}, map[int]string{2: "no JSON"}},
		"line with open list":        {a + "\n" + `{"a":[1` + "\n" + c, []string{"n1", "n3"}, map[int]string{2: "no JSON"}},
		"words between":              {a + "\nhello \x1b[31mworld\n" + b, []string{"n1", "n2"}, map[int]string{2: "want a JSON object"}},
		"first line cut at its head": {`ation":"Send"}` + "\n" + b + "\n" + c, []string{"n2", "n3"}, map[int]string{1: "want a JSON object"}},
		"last line cut":              {a + "\n" + half, []string{"n1"}, map[int]string{2: "cut off"}},
		"zero bytes at the end":      {a + "\n" + b + "\n" + strings.Repeat("\x00", 5000), []string{"n1", "n2"}, map[int]string{3: "want a JSON object"}},
		"element cut, one a line":    {"[\n" + a + ",\n" + b[:50] + "\n" + c + "\n]\n", []string{"n1", "n3"}, map[int]string{3: "cut off"}},
		"list without end":           {"[" + a + ",\n" + b, []string{"n1", "n2"}, map[int]string{2: "ends inside a list"}},
		"numbers in a list":          {"[\n1,\n" + a + "]", []string{"n1"}, map[int]string{2: "want a JSON object"}},
		"unknown kind":               {`{"kind":"Pod","metadata":{}}` + "\n" + b, []string{"n2"}, map[int]string{1: `"kind", "metadata"`}},
		"no id":                      {strings.Replace(a, `"Id"`, `"Ident"`, 1) + "\n" + b, []string{"n2"}, map[int]string{1: "no Id"}},
		"no time":                    {strings.Replace(a, "2025-03-04T05:06:07", "", 1) + "\n" + b, []string{"n2"}, map[int]string{1: "no CreationTime"}},
		"a time that is none":        {strings.Replace(a, "2025-03-04T05:06:07", "soon", 1) + "\n" + b, []string{"n2"}, map[int]string{1: "no time"}},
		"wrong type":                 {strings.Replace(a, `"Send"`, `{"a":1}`, 1) + "\n" + b, []string{"n2"}, map[int]string{1: "no operation"}},
		"too deep":                   {strings.Replace(a, `"n1"`, strings.Repeat("[", 100)+strings.Repeat("]", 100), 1) + b, []string{"n2"}, map[int]string{1: "deeper than 64"}},
		"far too deep":               {strings.Repeat("[", 100_000) + "\n" + b, []string{"n2"}, map[int]string{1: "want a JSON object"}},
		"objects far too deep":       {strings.Repeat(`{"a":`, 100_000) + "\n" + b, []string{"n2"}, map[int]string{1: "deeper than 64"}},
		"envelope without a record":  {`{"AuditData":null}` + "\n" + `{"AuditData":"  "}` + "\n" + b, []string{"n2"}, map[int]string{1: "AuditData", 2: "AuditData is empty"}},
		"rows":                       {csvOf(header, []string{"x", a}, []string{"x", ""}, []string{"x", half}, []string{"x"}, []string{"x", b}), []string{"n1", "n2"}, map[int]string{3: "empty", 4: "cut off", 5: "1 cells"}},
		"row with a lost quote":      {"AuditData,B\n" + `"{""CreationTime"":""x` + "\n" + strings.TrimPrefix(csvOf([]string{b, "x"}), "") + csvOf([]string{c, "y"}), []string{"n2", "n3"}, map[int]string{2: "quotation mark"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{strings.NewReader(test.text), iotest.HalfReader(strings.NewReader(test.text))} {
				out := readAll(t, "log", r, format.Limits{})
				require.NoError(t, out.failed)
				require.Equal(t, test.want, subjects(out))
				got := map[int]string{}
				for _, e := range out.rejected {
					got[e.Line] = e.Reason
					require.NotContains(t, e.Error(), "\x1b")
					require.Contains(t, e.Error(), fmt.Sprintf("log:%d: ", e.Line))
				}
				require.Len(t, got, len(test.rejected), "%v", out.rejected)
				for line, reason := range test.rejected {
					require.Contains(t, got[line], reason)
				}
			}
		})
	}
}

// TestBrokenManyTimes: lines cut where the next could go on cost no more than
// themselves while they are few, and never the records behind them.
func TestBrokenManyTimes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 5000} {
		text := strings.Repeat(`{"a":`+"\n", n) + audit(1) + "\n" + audit(2) + "\n" + audit(3) + "\n"
		out := readAll(t, "log", strings.NewReader(text), format.Limits{})
		require.NoError(t, out.failed)
		require.NotEmpty(t, out.rejected)
		if n < 5 {
			require.Equal(t, []string{"n1", "n2", "n3"}, subjects(out))
			continue
		}
		require.Equal(t, []string{"n2", "n3"}, subjects(out)[len(subjects(out))-2:])
	}
}

func TestBrokenPrettyArray(t *testing.T) {
	t.Parallel()
	text := pretty(t, "["+audit(1)+","+audit(2)+","+audit(3)+"]")
	// The second element loses the colon of one of its members.
	i := strings.Index(text, `"n2"`)
	text = text[:i-2] + text[i:] + "\n" + pretty(t, "["+audit(4)+"]")
	out := readAll(t, "log", strings.NewReader(text), format.Limits{})
	require.NoError(t, out.failed)
	require.Equal(t, []string{"n1", "n3", "n4"}, subjects(out))
	require.Len(t, out.rejected, 1)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	truncated := gz(t, strings.Repeat(audit(1)+"\n", 50))
	tests := map[string]struct {
		text   string
		err    error
		reason string
	}{
		"empty":              {"", format.ErrEmpty, "empty"},
		"empty gzip":         {gz(t, ""), format.ErrEmpty, "empty"},
		"blank":              {" \r\n\n", format.ErrEmpty, "empty"},
		"mark alone":         {"\ufeff", format.ErrEmpty, "empty"},
		"program":            {"\x7fELF\x02\x01\x01\x00\x00\x00\x00", format.ErrBinary, "binary"},
		"image":              {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", format.ErrBinary, "binary"},
		"gzip in gzip":       {gz(t, gz(t, audit(1))), format.ErrBinary, "binary"},
		"prose":              {"Dear \x1b[31mall\n", format.ErrUnrecognised, "neither JSON nor"},
		"german header":      {"Datensatztyp;Erstellungsdatum;Benutzer\n8;x;y\n", format.ErrUnrecognised, `"Datensatztyp", "Erstellungsdatum", "Benutzer"`},
		"missing column":     {csvOf([]string{"RecordType", "CreationDate"}, []string{"1", "2"}), format.ErrUnrecognised, `"AuditData"`},
		"broken gzip header": {"\x1f\x8b\x01\x02", nil, "gzip"},
		"cut gzip":           {truncated[:len(truncated)-10], format.ErrCutOff, "cut off"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := readAll(t, "log\x1b]0;.csv", strings.NewReader(test.text), format.Limits{})
			var refused *format.FileError
			require.ErrorAs(t, out.failed, &refused)
			if test.err != nil {
				require.ErrorIs(t, out.failed, test.err)
			}
			require.Contains(t, refused.Error(), test.reason)
			require.NotContains(t, refused.Error(), "\x1b")
			require.Contains(t, refused.Error(), "log")
		})
	}
}

func TestCutGzipKeepsRecords(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 2000 {
		text.WriteString(audit(i) + "\n")
	}
	packed := gz(t, text.String())
	out := readAll(t, "log", strings.NewReader(packed[:len(packed)/2]), format.Limits{})
	require.ErrorIs(t, out.failed, format.ErrCutOff)
	require.NotEmpty(t, out.activities)
	require.Empty(t, out.rejected)
	for i, a := range out.activities {
		require.Equal(t, fmt.Sprintf("n%d", i), a.Subject)
	}
}

func TestReadFailure(t *testing.T) {
	t.Parallel()
	disk := errors.New("the disk is gone")
	out := readAll(t, "log", io.MultiReader(strings.NewReader(audit(1)+"\n"+audit(2)[:50]), iotest.ErrReader(disk)), format.Limits{})
	require.ErrorIs(t, out.failed, disk)
	require.Equal(t, []string{"n1"}, subjects(out))
	_, err := format.Open("log", iotest.ErrReader(disk), format.Limits{})
	require.ErrorIs(t, err, disk)
}

// stretch is a long run of one character, without holding it.
type stretch struct {
	c    byte
	left int
}

func (s *stretch) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), s.left)
	for i := range n {
		p[i] = s.c
	}
	s.left -= n
	return n, nil
}

func TestHugeLine(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]string{"in a text": `{"CreationTime":"`, "no JSON at all": "x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := io.MultiReader(strings.NewReader(audit(1)+"\n"+open), &stretch{'a', 50 << 20}, strings.NewReader("\n"+audit(2)+"\n"))
			out := readAll(t, "log", r, format.Limits{})
			require.NoError(t, out.failed)
			require.Equal(t, []string{"n1", "n2"}, subjects(out))
			require.Len(t, out.rejected, 1)
			require.Equal(t, 2, out.rejected[0].Line)
		})
	}
	t.Run("well formed", func(t *testing.T) {
		t.Parallel()
		r := io.MultiReader(strings.NewReader("["+audit(1)+`,{"Subject":"`), &stretch{'a', 50 << 20}, strings.NewReader(`"},`+audit(2)+"]"))
		out := readAll(t, "log", r, format.Limits{})
		require.NoError(t, out.failed)
		require.Equal(t, []string{"n1", "n2"}, subjects(out))
		require.Len(t, out.rejected, 1)
		require.Contains(t, out.rejected[0].Reason, "larger than 4194304 bytes")
	})
	t.Run("cell", func(t *testing.T) {
		t.Parallel()
		row := csvOf([]string{audit(2), ""})
		r := io.MultiReader(strings.NewReader("AuditData,B\n"+csvOf([]string{audit(1), ""})+`"{`), &stretch{'a', 50 << 20}, strings.NewReader("}\",x\n"+row))
		out := readAll(t, "log", r, format.Limits{})
		require.NoError(t, out.failed)
		require.Equal(t, []string{"n1", "n2"}, subjects(out))
		require.Len(t, out.rejected, 1)
	})
}

func TestGzipBomb(t *testing.T) {
	t.Parallel()
	bomb := func(before string, c byte, n int) io.Reader {
		r, w := io.Pipe()
		go func() {
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			_, _ = io.WriteString(z, before)
			_, err := io.Copy(z, &stretch{c, n})
			if err == nil {
				err = z.Close()
			}
			w.CloseWithError(err)
		}()
		t.Cleanup(func() { r.Close() })
		return r
	}
	limits := format.Limits{ExpansionGrace: 1 << 20}
	for name, before := range map[string]string{"one text": `{"a":"`, "behind a record": audit(1) + "\n" + `{"a":"`} {
		out := readAll(t, name, bomb(before, 'a', 1<<40), limits)
		require.ErrorIs(t, out.failed, format.ErrExpansion, name)
	}
	out := readAll(t, "blank", bomb(audit(1), '\n', 1<<40), limits)
	require.ErrorIs(t, out.failed, format.ErrExpansion)

	// Records that pack just as well are streamed.
	out = readAll(t, "log", strings.NewReader(gz(t, strings.Repeat(audit(1)+"\n", 20_000))), limits)
	require.NoError(t, out.failed)
	require.Len(t, out.activities, 20_000)
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	with := func(s string) string { return strings.Replace(audit(1), `"n1"`, `"`+s+`"`, 1) }
	for text, want := range map[string]string{
		"a\xffb":        "a\ufffdb",
		`a\u0000b`:      "a\ufffdb",
		`a\\u0000b`:     `a\u0000b`,
		`a\\\u0000b`:    "a\\\ufffdb",
		`\ud800`:        "\ufffd",
		`=cmd|' /C x'!`: `=cmd|' /C x'!`,
	} {
		out := readAll(t, "log", strings.NewReader(with(text)), format.Limits{})
		require.Equal(t, []string{want}, subjects(out), text)
	}
	out := readAll(t, "log", strings.NewReader(with("a\x00b")+"\n"+audit(2)), format.Limits{})
	require.ErrorIs(t, out.failed, format.ErrBinary)
	out = readAll(t, "log", strings.NewReader(strings.Repeat(audit(2)+"\n", 40)+with("a\x00b")+"\n"+audit(3)), format.Limits{})
	require.Len(t, out.activities, 41)
	require.Len(t, out.rejected, 1)
	// The last of two members of one name counts, as everywhere in encoding/json.
	out = readAll(t, "log", strings.NewReader(strings.Replace(audit(1), `"Id"`, `"Id":"x","Id"`, 1)), format.Limits{})
	require.Equal(t, "00000001-1111-4222-8333-444455556666", out.activities[0].VendorID)
}

// TestAnyGrouping writes records in groupings drawn at random and reads them
// back, in pieces of any size.
func TestAnyGrouping(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(rt, "n")
		var text strings.Builder
		var want []string
		text.WriteString(audit(999) + "\n")
		want = append(want, "n999")
		for i := 0; i < n; {
			group := rapid.IntRange(0, 4).Draw(rt, "group")
			var records []string
			for range rapid.IntRange(1, 3).Draw(rt, "size") {
				records = append(records, audit(i))
				want = append(want, fmt.Sprintf("n%d", i))
				i++
			}
			list := "[" + strings.Join(records, ",") + "]"
			switch group {
			case 0:
				text.WriteString(strings.Join(records, "\n") + "\n")
			case 1:
				text.WriteString(list)
			case 2:
				text.WriteString(pretty(t, list))
			case 3:
				text.WriteString(`{"@odata.context":"x","value":` + list + "}")
			case 4:
				text.WriteString(`{"records":` + pretty(t, list) + ",\"x\":null}\n")
			}
		}
		out := readAll(t, "log", iotest.OneByteReader(strings.NewReader(text.String())), format.Limits{})
		require.NoError(rt, out.failed)
		require.Empty(rt, out.rejected)
		require.Equal(rt, want, subjects(out))
		for _, rec := range out.records {
			require.Contains(rt, text.String()[rec.Offset:rec.Offset+1], "{")
			require.Equal(rt, rec.Line, 1+strings.Count(text.String()[:rec.Offset], "\n"))
		}
	})
}

// TestAnyTable compares with encoding/csv.
func TestAnyTable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cell := rapid.StringMatching("[a,\"\n ]{0,8}")
		rows := [][]string{{"x", "AuditData", "y"}}
		var want []string
		for i := range rapid.IntRange(0, 6).Draw(rt, "rows") {
			rows = append(rows, []string{cell.Draw(rt, "x"), audit(i), cell.Draw(rt, "y")})
			want = append(want, fmt.Sprintf("n%d", i))
		}
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.UseCRLF = rapid.Bool().Draw(rt, "crlf")
		require.NoError(rt, w.WriteAll(rows))
		out := readAll(t, "log", iotest.OneByteReader(&text), format.Limits{})
		require.NoError(rt, out.failed)
		require.Empty(rt, out.rejected)
		require.Equal(rt, want, subjects(out))
	})
}
