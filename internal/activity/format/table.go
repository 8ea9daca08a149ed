package format

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
)

// whole columns hold the whole record in their cells; the first of these that a
// table has is read. Names in any case, columns in any order among any others.
var wholeColumns = []string{
	"AuditData",      // Search-UnifiedAuditLog | Export-Csv, and the Purview portal with its old and new headers
	"RawEventData",   // CloudAppEvents
	"_raw",           // Splunk
	"event.original", // Elastic
	"_source", "message", "properties",
}

// header says what the rows of a table are.
type header struct {
	whole int      // the column that holds the whole record, -1 where each cell is a member
	names []string // the columns
}

// headerOf returns what a row says of the rows below it, if it is the header
// of a table that is read: one with a whole column, or with the members of a
// known kind of record as columns.
func headerOf(row []string) (h header, ok bool) {
	h.whole = -1
	columns := map[string]int{}
	var seen uint64
	var shape Shape
	for i, name := range row {
		name = strings.TrimSpace(strings.TrimFunc(name, isBlank))
		name = strings.TrimSuffix(name, " [UTC]") // as the portals head a time
		h.names = append(h.names, name)
		if _, twice := columns[lowered(name)]; !twice {
			columns[lowered(name)] = i
		}
		if shape == nil {
			shape = recogniser.see([]byte(name), &seen)
		}
	}
	for _, want := range wholeColumns {
		if i, found := columns[lowered(want)]; found && (want != "message" && want != "properties" || shape == nil) {
			h.whole = i
			return h, true
		}
	}
	return h, shape != nil
}

// record makes the record of a row.
func (h header) record(row []string) ([]byte, error) {
	if h.whole < 0 {
		return h.members(row)
	}
	name := h.names[h.whole]
	if h.whole >= len(row) {
		return nil, reject("the row has %d cells, but %s is column %d", len(row), name, h.whole+1)
	}
	data := strings.TrimSpace(row[h.whole])
	if data == "" {
		return nil, reject("%s is empty", name)
	}
	// Nearly all cells hold an object as it is; whether it is JSON its parser says.
	if plainObject(data) {
		return Tidy([]byte(data)), nil
	}
	if raw := innerJSON(data); raw != nil && raw[0] == '{' {
		return raw, nil
	}
	switch {
	case data[0] != '{' && data[0] != '"':
		return nil, reject("%s is no JSON object: %q", name, cut(data, 40))
	case data[len(data)-1] != '}' && data[len(data)-1] != '"':
		return nil, reject("%s is cut off: it ends with %q", name, data[max(0, len(data)-20):])
	}
	return Tidy([]byte(data)), nil
}

// plainObject says whether a text begins as a JSON object with a name does, its
// quotation marks neither escaped nor doubled, and ends as one.
func plainObject(s string) bool {
	rest := strings.TrimLeft(s[1:], " \t\r\n")
	return s[0] == '{' && s[len(s)-1] == '}' && len(rest) > 1 && rest[0] == '"' && rest[1] != '"'
}

// members writes a row as an object, its cells as texts.
func (h header) members(row []string) ([]byte, error) {
	if len(row) < 2 {
		return nil, reject("the row has %d cells, the header %d", len(row), len(h.names))
	}
	out := []byte{'{'}
	for i, cell := range row {
		if i == len(h.names) || cell == "" || h.names[i] == "" {
			continue
		}
		if t, err := time.Parse(portalTime, cell); err == nil {
			cell = t.Format(time.RFC3339Nano)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendMember(out, h.names[i], cell)
	}
	return Tidy(append(out, '}')), nil
}

// portalTime is how the query pages of Azure and Defender write a time in UTC
// when they export a table, whatever the language of the browser.
const portalTime = "1/2/2006, 3:04:05.000 PM"

// table reads CSV with a header row (RFC 4180; comma, semicolon, tab or bar).
type table struct {
	*window
	header header
	comma  byte
}

// maxPreamble is how many lines may stand before the header.
const maxPreamble = 20

// openTable reads up to the header row. Where there is none it leaves the
// window as it was.
func openTable(w *window) (*table, error) {
	line, pos := w.line, w.pos
	t := &table{window: w}
	w.begin()
	defer func() { w.mark = -1 }()
	var refused []string
	separator := byte(0)
	for range maxPreamble {
		ahead := w.buf[w.pos:w.end]
		if len(ahead) == 0 {
			break
		}
		firstLine, _, ended := bytes.Cut(ahead, []byte("\n"))
		text := strings.TrimFunc(string(firstLine), isBlank)
		if rest, ok := strings.CutPrefix(strings.ToLower(text), "sep="); ok && len(rest) <= 1 {
			// What a spreadsheet is told to part the cells by; a tab is blank.
			if separator = '\t'; rest != "" {
				separator = rest[0]
			}
			w.skipLine()
			continue
		}
		t.comma = separator
		if separator == 0 {
			t.comma = commonest(firstLine)
		}
		begin, beginLine := w.pos-w.mark, w.line
		row, err := t.row()
		if err == nil {
			if h, ok := headerOf(row); ok {
				t.header = h
				return t, nil
			}
		} else {
			row = []string{text}
		}
		// Export-Csv writes the type of its objects first unless told not to.
		if refused == nil && text != "" && !strings.HasPrefix(text, "#TYPE ") || len(refused) < 2 && len(row) > 1 {
			refused = row
		}
		if w.mark < 0 || !ended {
			break
		}
		w.pos, w.line = w.mark+begin, beginLine
		if !w.skipLine() {
			break
		}
	}
	if w.mark >= 0 {
		w.pos, w.line = w.mark, line
	} else {
		w.pos = min(pos, w.end)
	}
	return nil, unrecognised(refused)
}

// commonest returns the separator that a line has most of.
func commonest(line []byte) byte {
	most := byte(',')
	for _, comma := range []byte{';', '\t', '|'} {
		if bytes.Count(line, []byte{comma}) > bytes.Count(line, []byte{most}) {
			most = comma
		}
	}
	return most
}

func (t *table) next() (Record, error) {
	for {
		line, offset := t.line, t.offset()
		t.begin()
		row, err := t.row()
		if errors.Is(err, io.EOF) {
			return Record{}, io.EOF
		}
		if err != nil {
			return Record{}, t.recover(line, err)
		}
		if len(row) == 1 && passesOver(row[0]) {
			continue
		}
		// Files joined have the header again, perhaps another one.
		if t.repeatsHeader(row) {
			continue
		}
		raw, err := t.header.record(row)
		if err != nil {
			return Record{}, atLine(err, line)
		}
		return Record{Raw: raw, Line: line, Offset: offset, known: standsAlone(raw)}, nil
	}
}

// repeatsHeader says whether the row is a header, and goes by it from here.
func (t *table) repeatsHeader(row []string) bool {
	if t.header.whole >= 0 && t.header.whole < len(row) && strings.IndexByte(row[t.header.whole], '{') >= 0 {
		return false // nearly all rows
	}
	if t.header.whole < 0 && len(row) == len(t.header.names) && row[0] != t.header.names[0] && row[len(row)-1] != t.header.names[len(row)-1] {
		return false
	}
	h, ok := headerOf(row)
	if ok {
		t.header = h
	}
	return ok
}

// passesOver says whether a row of one cell is none: an empty line, or the type
// that Export-Csv writes first, in the middle of files that were joined.
func passesOver(cell string) bool {
	cell = strings.TrimFunc(cell, isBlank)
	return cell == "" || strings.HasPrefix(cell, "#TYPE ")
}

// recover goes on behind a broken row: at the line after the one it began on,
// for the row's end can't be told.
func (t *table) recover(line int, err error) error {
	if t.mark >= 0 {
		t.pos, t.line, t.mark = t.mark, line, -1
	}
	t.skipLine()
	return atLine(err, line)
}

// row reads the cells of the row at pos. The caller has marked its beginning.
func (t *table) row() ([]string, error) {
	if _, ok := t.peek(); !ok {
		return nil, io.EOF
	}
	row := make([]string, 0, len(t.header.names)+8)
	for {
		cell, err := t.cell()
		if err != nil {
			return nil, err
		}
		row = append(row, cell)
		c, ok := t.peek()
		switch {
		case !ok && t.err != nil && !isEOF(t.err):
			return nil, io.EOF // the source failed: Reader says why
		case !ok:
			return row, nil
		case c == t.comma:
			t.pos++
			continue
		}
		t.skipLine()
		return row, nil
	}
}

// cell reads one cell; pos then stands at what ended it.
func (t *table) cell() (string, error) {
	if c, ok := t.peek(); ok && c == '"' {
		return t.quoted()
	}
	start := t.pos - t.mark
	for {
		c, ok := t.peek()
		if t.overflow {
			return "", tooLarge(t.max)
		}
		if !ok || c == t.comma || c == '\n' {
			return strings.TrimRight(string(t.buf[t.mark+start:t.pos]), "\r"), nil
		}
		t.pos++
	}
}

func (t *table) quoted() (string, error) {
	t.pos++
	start, doubled := t.pos-t.mark, false
	for t.end-t.pos < 16 && t.fill() {
		continue
	}
	// Some programs put a backslash before the quotation marks of a cell in place
	// of doubling them. The records in it begin with one.
	if head := bytes.TrimLeft(t.buf[t.pos:t.end], "[{ \r\n\t"); t.buf[t.pos] == '{' && bytes.HasPrefix(head, []byte(`\"`)) && !bytes.HasPrefix(head, []byte(`\""`)) {
		return t.escaped(start)
	}
	for {
		if t.pos == t.end && !t.fill() {
			if !isEOF(t.err) {
				return "", io.EOF
			}
			return "", reject("a quoted cell has no end")
		}
		if t.overflow {
			return "", tooLarge(t.max)
		}
		i := bytes.IndexAny(t.buf[t.pos:t.end], "\"\n")
		if i < 0 {
			t.pos = t.end
			continue
		}
		t.pos += i + 1
		if t.buf[t.pos-1] == '\n' {
			t.line++
			continue
		}
		c, ok := t.peek()
		if t.overflow {
			return "", tooLarge(t.max)
		}
		switch {
		case ok && c == '"':
			doubled = true
			t.pos++
			continue
		case ok && c != t.comma && c != '\r' && c != '\n':
			return "", reject("a quoted cell is followed by %q: a quotation mark is missing or too many", c)
		}
		cell := t.buf[t.mark+start : t.pos-1]
		if doubled {
			return undoubled(cell), nil
		}
		return string(cell), nil
	}
}

// undoubled returns a cell with one quotation mark for each two.
func undoubled(cell []byte) string {
	var b strings.Builder
	b.Grow(len(cell))
	for {
		i := bytes.IndexByte(cell, '"')
		if i < 0 {
			b.Write(cell)
			return b.String()
		}
		b.Write(cell[:i+1])
		cell = cell[min(i+2, len(cell)):]
	}
}

// escaped reads a quoted cell whose quotation marks have backslashes.
func (t *table) escaped(start int) (string, error) {
	for {
		c, ok := t.peek()
		switch {
		case t.overflow:
			return "", tooLarge(t.max)
		case !ok && !isEOF(t.err):
			return "", io.EOF
		case !ok:
			return "", reject("a quoted cell has no end")
		}
		t.pos++
		switch c {
		case '\n':
			t.line++
		case '\\':
			if _, ok := t.peek(); ok {
				t.pos++
			}
		case '"':
			return string(t.buf[t.mark+start : t.pos-1]), nil
		}
	}
}
