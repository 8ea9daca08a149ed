package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// tableKind is a kind of CSV export. Columns may stand in any order among any others.
type tableKind struct {
	name  string
	needs []string // columns without which it is not this kind
	// record makes the record of a row; cells holds the needed columns, in order of needs.
	record func(cells []string) ([]byte, error)
}

// tableKinds are the kinds of CSV export known; the first that fits is taken.
var tableKinds = []tableKind{
	// Search-UnifiedAuditLog | Export-Csv, and the Purview portal with its old
	// and new headers: whatever else they have, the record is in AuditData.
	{name: "a unified audit log search", needs: []string{"AuditData"}, record: auditDataRow},
}

func auditDataRow(cells []string) ([]byte, error) {
	data := strings.TrimSpace(cells[0])
	switch {
	case data == "":
		return nil, reject("AuditData is empty")
	case data[0] != '{':
		return nil, reject("AuditData is no JSON object: %q", cut(data, 40))
	case data[len(data)-1] != '}':
		return nil, reject("AuditData is cut off: it ends with %q", data[max(0, len(data)-20):])
	}
	return []byte(data), nil
}

func tableNeeds() []string {
	needs := make([]string, len(tableKinds))
	for i, k := range tableKinds {
		needs[i] = fmt.Sprintf("%s: %s", k.name, quoteAll(k.needs))
	}
	return needs
}

// table reads CSV with a header row (RFC 4180; comma, semicolon or tab).
type table struct {
	*window
	kind    tableKind
	columns []int // where each of kind.needs stands
	comma   byte
	cells   []string
}

// openTable reads the header row. Where it is none it leaves the window as it was.
func openTable(w *window) (*table, error) {
	line := w.line
	t := &table{window: w, comma: ','}
	w.begin()
	defer func() { w.mark = -1 }()
	// Export-Csv writes the type of its objects first unless told not to.
	if bytes.HasPrefix(w.buf[w.pos:w.end], []byte("#TYPE ")) {
		w.skipLine()
	}
	firstLine, _, _ := bytes.Cut(w.buf[w.pos:w.end], []byte("\n"))
	for _, comma := range []byte{',', ';', '\t'} {
		if bytes.Count(firstLine, []byte{comma}) > bytes.Count(firstLine, []byte{t.comma}) {
			t.comma = comma
		}
	}
	header, err := t.row()
	if err == nil {
		for _, kind := range tableKinds {
			if columns, ok := find(kind.needs, header); ok {
				t.kind, t.columns = kind, columns
				t.cells = make([]string, len(columns))
				return t, nil
			}
		}
	} else {
		header = []string{strings.TrimRight(string(firstLine), "\r")}
	}
	if w.mark >= 0 {
		w.pos, w.line = w.mark, line
	}
	return nil, unrecognised(header)
}

// find returns where the wanted columns stand in the header, case aside.
func find(wanted, header []string) ([]int, bool) {
	columns := make([]int, len(wanted))
	for i, want := range wanted {
		columns[i] = -1
		for j, name := range header {
			if strings.EqualFold(strings.TrimSpace(name), want) {
				columns[i] = j
			}
		}
		if columns[i] < 0 {
			return nil, false
		}
	}
	return columns, true
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
		if len(row) == 1 && strings.TrimSpace(row[0]) == "" {
			continue // an empty line
		}
		for i, column := range t.columns {
			if column >= len(row) {
				return Record{}, &RejectError{Line: line, Reason: fmt.Sprintf(
					"the row has %d cells, but %s is column %d", len(row), t.kind.needs[i], column+1)}
			}
			t.cells[i] = row[column]
		}
		raw, err := t.kind.record(t.cells)
		if err != nil {
			return Record{}, atLine(err, line)
		}
		return Record{Raw: Tidy(raw), Line: line, Offset: offset}, nil
	}
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
	row := make([]string, 0, len(t.columns)+16)
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
		cell := string(t.buf[t.mark+start : t.pos-1])
		if doubled {
			cell = strings.ReplaceAll(cell, `""`, `"`)
		}
		return cell, nil
	}
}
