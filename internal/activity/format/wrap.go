package format

import (
	"bytes"
	"encoding/json"
	"strings"
)

// role is what a member may be to a wrapper.
type role uint8

const (
	carries        role = 1 << iota // it holds the whole record, beside a summary that may pass for one
	holdsRecords                    // a list under it is the wrapper's
	mayHoldRecords                  // so is a list of objects, in what is no record itself
	leadsOn                         // an object under it may hold the list
)

// roles are the names that mean something by themselves, in any case. Whole
// records come wrapped in the rows of a search, the alerts and events of other
// tools, the answers of batches, once or several times, as objects or as JSON in
// texts. The names of such wrappers are without number, so an object of no known
// kind is looked through for what is of a known kind, whatever holds it; these
// names are needed for what is too large to be looked through, and for what
// would pass for a record.
var roles = roleIndex(map[string]role{
	"AuditData":    carries,
	"RawEventData": carries,

	"value":   holdsRecords, // OData answers
	"records": holdsRecords, // diagnostic settings

	"data": mayHoldRecords | leadsOn, "results": mayHoldRecords | leadsOn, "hits": mayHoldRecords | leadsOn,
	"responses": mayHoldRecords, "tables": mayHoldRecords, "events": mayHoldRecords, "items": mayHoldRecords,
	"rows": mayHoldRecords, "logs": mayHoldRecords, "logEvents": mayHoldRecords, "entries": mayHoldRecords, "messages": mayHoldRecords,
	"body": leadsOn, "response": leadsOn, "result": leadsOn,
})

// roleIndex adds the spelling in lower case to each name.
func roleIndex(names map[string]role) map[string]role {
	out := map[string]role{}
	for name, r := range names {
		out[name], out[lowered(name)] = r, r
	}
	return out
}

// roleOf returns what a name means to a wrapper.
func roleOf(name []byte) role {
	if r, ok := roles[string(name)]; ok {
		return r
	}
	var buffer [16]byte
	lower, ok := fold(name, buffer[:])
	if !ok {
		return 0
	}
	return roles[string(lower)]
}

// maxWraps is how many objects, lists and texts may lie around a record.
const maxWraps = 12

// unwrap returns the records that raw holds, an object or a JSON text: itself,
// where it holds no other.
func unwrap(raw []byte) ([][]byte, error) {
	if len(raw) > 0 && raw[0] == '"' {
		text := unquoted(raw)
		inner := innerJSON(text)
		switch {
		case strings.TrimSpace(text) == "":
			return nil, reject("the text is empty")
		case inner == nil || inner[0] != '{':
			return nil, reject("want a JSON object, found the text %q", cut(text, 40))
		}
		raw = inner
	}
	found := new(finder).records(raw, maxWraps)
	if len(found) > 0 {
		return found, nil
	}
	inner, err := carriedIn(raw)
	return [][]byte{inner}, err
}

// standsAlone says whether an object is certainly a record that holds no other.
func standsAlone(raw []byte) bool {
	var seen uint64
	var shape Shape
	carried := false
	eachMember(raw, func(name, _ []byte) bool {
		if shape == nil {
			shape = recogniser.see(name, &seen)
		}
		carried = (len(name) == len("AuditData") || len(name) == len("RawEventData")) && roleOf(name)&carries != 0
		return !carried
	})
	return shape != nil && shape != (diagnostic{}) && !carried
}

// carriedIn returns what a carrier in raw holds, which is no record of a known
// kind; raw itself where it has none.
func carriedIn(raw []byte) (inner []byte, err error) {
	inner = raw
	eachMember(raw, func(name, value []byte) bool {
		if roleOf(name)&carries == 0 || len(value) == 0 {
			return true
		}
		text := flatten(value)
		switch inner = innerJSON(text); {
		case inner != nil && inner[0] == '{':
		case nothing(strings.TrimSpace(text)):
			err = reject("%s is empty", name)
		default:
			err = reject("%s is no JSON object: %q", name, cut(text, 40))
		}
		return false
	})
	return inner, err
}

// finder looks for records. What it may write out anew, the rows of tables, is
// bounded by the size of what it reads.
type finder struct{ written int }

// records returns the records within an object, a list or a JSON text.
func (f *finder) records(raw []byte, wraps int) [][]byte {
	if wraps == 0 || len(raw) == 0 {
		return nil
	}
	switch raw[0] {
	case '"':
		if bytes.IndexByte(raw, '{') < 0 {
			return nil
		}
		return f.records(innerJSON(unquoted(raw)), wraps-1)
	case '[':
		var all [][]byte
		eachElement(raw, func(element []byte) bool {
			all = append(all, f.records(element, wraps-1)...)
			return true
		})
		return all
	case '{':
		return f.within(raw, wraps)
	}
	return nil
}

func (f *finder) within(raw []byte, wraps int) [][]byte {
	var carried, columns, rows []byte
	var seen uint64
	var shape Shape
	eachMember(raw, func(name, value []byte) bool {
		switch {
		case roleOf(name)&carries != 0:
			carried = value
		case strings.EqualFold(string(name), "columns"):
			columns = value
		case strings.EqualFold(string(name), "rows"):
			rows = value
		}
		if shape == nil {
			shape = recogniser.see(name, &seen)
		}
		return true
	})
	if carried != nil {
		if found := f.records(carried, wraps-1); len(found) > 0 {
			return found
		}
	}
	if shape == (diagnostic{}) { // of a table that is streamed, what the row carries
		if found := f.carriedBy(raw, wraps); len(found) > 0 {
			return found
		}
	}
	switch {
	case shape != nil && (wraps == maxWraps || identified(raw)):
		return [][]byte{raw}
	case columns != nil && rows != nil && columns[0] == '[' && rows[0] == '[':
		return f.table(columns, rows, len(raw), wraps)
	}
	var all [][]byte
	ids := map[string]bool{}
	eachMember(raw, func(_, value []byte) bool {
		for _, record := range f.records(value, wraps-1) {
			// A tool that keeps the record and its members beside it holds it once.
			id := idOf(record)
			if value[0] == '[' || id == "" || !ids[id] {
				all = append(all, record)
			}
			ids[id] = true
		}
		return true
	})
	return all
}

// carriedBy returns the records that the properties of a diagnostic settings
// record carry.
func (f *finder) carriedBy(raw []byte, wraps int) (found [][]byte) {
	eachMember(raw, func(name, value []byte) bool {
		if !strings.EqualFold(string(name), "properties") {
			return true
		}
		eachMember(value, func(name, value []byte) bool {
			if roleOf(name)&carries != 0 {
				found = f.records(value, wraps-2)
			}
			return found == nil
		})
		return false
	})
	return found
}

// identified says whether an object that looks like a record has an id, as
// every record has; parts of other things look like one too.
func identified(raw []byte) bool {
	if idOf(raw) != "" {
		return true
	}
	shape := recogniser.shapeOf(raw)
	return shape == (defenderHunting{}) || shape == (diagnostic{})
}

func idOf(raw []byte) string { return scalarOf(raw, "id", "officeid", "sourcerecordid") }

// maxTableGrowth is how many times its size a table may grow when the names of
// its columns are written into each row.
const maxTableGrowth = 16

// table turns the answer of a log query, columns and rows of cells, into
// objects, and returns the records among them.
func (f *finder) table(columns, rows []byte, size, wraps int) [][]byte {
	var names [][]byte
	eachElement(columns, func(column []byte) bool {
		name := column
		if column[0] == '{' {
			name = quote(scalarOf(column, "name", "columnname"))
		}
		names = append(names, name)
		return true
	})
	var all [][]byte
	eachElement(rows, func(row []byte) bool {
		out, i := []byte{'{'}, 0
		eachElement(row, func(cell []byte) bool {
			if i == len(names) {
				return false
			}
			if name := names[i]; len(name) > 2 && name[0] == '"' && string(cell) != "null" && string(cell) != `""` {
				if len(out) > 1 {
					out = append(out, ',')
				}
				out = append(append(append(out, name...), ':'), cell...)
			}
			i++
			return f.written+len(out) <= maxTableGrowth*size
		})
		f.written += len(out)
		if out = append(out, '}'); json.Valid(out) {
			found := f.records(out, wraps-1)
			if len(found) == 0 {
				found = [][]byte{out} // a row of another kind: its parser says so
			}
			all = append(all, found...)
		}
		return f.written <= maxTableGrowth*size
	})
	return all
}
