package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// stream reads JSON in all the groupings exports use: an object a line,
// pretty-printed objects, arrays, several of either one after another, and the
// wrappers {"value": […]} and {"records": […]} with whatever else they hold.
//
// It splits the text and checks how brackets, names and commas follow each
// other, which is what it needs to get over a broken record; whether the
// values are right is for the parser of the record.
type stream struct {
	*window
	limits Limits
	// open holds what is open around the next record: '[' for an array, 'w' for
	// a wrapper whose array is open or has just been closed.
	open []byte
	// loose is set once something was broken: open can't be trusted any more,
	// and commas and closing brackets that fit nothing are passed over.
	loose bool
	// fresh and indent tell how the line of pos begins: only blanks so far, and how many.
	fresh  bool
	indent int
	// enveloped is set by scan where a member is one that holds a whole record.
	enveloped bool
	ended     bool
	// faultAt is the furthest place at which something did not fit, retries how
	// often the text before it was read again from a later line.
	faultAt int64
	retries int
}

// maxRetries keeps the reading of a hostile file linear: lines that each open
// a bracket would be read again from every one of them.
const maxRetries = 8

// maxOpen bounds arrays around records; exports have two.
const maxOpen = 32

func newStream(w *window, limits Limits) *stream {
	return &stream{window: w, limits: limits, fresh: true}
}

func (s *stream) next() (Record, error) {
	for !s.ended {
		s.mark = -1
		c, ok := s.skipBlank()
		if !ok {
			s.ended = true
			if len(s.open) > 0 && !s.loose {
				return Record{}, s.rejectAt(s.line, "the file ends inside a list")
			}
			break
		}
		switch {
		case c == '{' || c == '"':
			if rec, ok, err := s.value(); ok {
				return rec, err
			}
		case c == '[' && len(s.open) < maxOpen:
			s.step()
			s.open = append(s.open, '[')
		case c == ']' && s.top() == '[':
			s.step()
			s.open = s.open[:len(s.open)-1]
			if s.top() == 'w' {
				s.open = s.open[:len(s.open)-1]
				if v, why := s.scan(true); v != complete && !s.ended {
					return Record{}, s.broken(s.line, s.indent, "after the list: "+why)
				}
			}
		case c == ',' && (s.top() == '[' || s.loose), c == ']' && s.loose, c == '}' && s.loose:
			s.step()
		default:
			s.begin()
			if word, ok := s.scalar(); ok {
				return Record{}, s.rejectAt(s.line, "want a JSON object, found "+cut(word, 40))
			}
			return Record{}, s.broken(s.line, s.lineIndent(), fmt.Sprintf("want a JSON object, found %q", c))
		}
	}
	return Record{}, io.EOF
}

// maxScalar is more than any number in a log has digits.
const maxScalar = 64

// scalar passes over the number or literal at pos, which is no record. Where
// there is neither it says so and stays.
func (s *stream) scalar() (word string, ok bool) {
	for n := 0; n <= maxScalar; n++ {
		c, more := s.peek()
		if more && bare[c] {
			s.pos++
			continue
		}
		if more && !strings.ContainsRune(" \t\r\n,]", rune(c)) {
			break
		}
		if s.mark < 0 { // larger than a record may be
			return "", false
		}
		if word := string(s.buf[s.mark:s.pos]); json.Valid([]byte(word)) {
			s.fresh = false
			return word, true
		}
		break
	}
	if s.mark >= 0 {
		s.pos = s.mark
	}
	return "", false
}

// value reads the object or string at pos. ok is false for a wrapper, whose
// records come one by one.
func (s *stream) value() (rec Record, ok bool, err error) {
	line, offset, indent := s.line, s.offset(), s.lineIndent()
	s.begin()
	s.fresh, s.enveloped = false, false
	v, why := s.scan(false)
	switch {
	case v == wrapper:
		s.open = append(s.open, 'w', '[')
		return Record{}, false, nil
	case v == cutOff && isEOF(s.err):
		s.ended = true
		return Record{}, true, s.rejectAt(line, "the record is cut off at the end of the file")
	case v == cutOff:
		s.ended = true
		return Record{}, true, io.EOF
	case v == faulty:
		return Record{}, true, s.broken(line, indent, why)
	}
	raw := s.taken()
	switch {
	case raw == nil:
		return Record{}, true, s.rejectAt(line, fmt.Sprintf("the record is larger than %d bytes", s.max))
	case why != "":
		return Record{}, true, s.rejectAt(line, why)
	}
	raw = Tidy(bytes.Clone(raw))
	if s.enveloped || raw[0] == '"' {
		if raw, err = unwrap(raw); err != nil {
			return Record{}, true, atLine(err, line)
		}
	}
	return Record{Raw: raw, Line: line, Offset: offset}, true, nil
}

// broken gets over a record that is no JSON: it goes on at the next line that
// begins as the broken one did, with the same indentation and a bracket, or
// with a bracket at its very start, or that holds one word, number or text and
// nothing else. In a file of one record a line that is the next line.
func (s *stream) broken(line, indent int, why string) error {
	s.loose = true
	if at := s.offset(); at > s.faultAt {
		s.faultAt, s.retries = at, 0
	}
	if s.retries++; s.mark >= 0 && s.retries <= maxRetries {
		s.pos, s.line = s.mark, line
	} else if s.pos > 0 && s.buf[s.pos-1] == '\n' {
		s.pos, s.line = s.pos-1, s.line-1 // the line that did not fit may be a record
	}
	s.mark = -1
	for s.skipLine() {
		s.fresh, s.indent = true, 0
		for s.indent < indent {
			c, ok := s.peek()
			if !ok || (c != ' ' && c != '\t') {
				break
			}
			s.pos++
			s.indent++
		}
		if c, ok := s.peek(); ok && (s.indent == indent || s.indent == 0) && (c == '{' || c == '[' || c == ']') {
			if s.indent < indent {
				s.open = s.open[:0]
			}
			return s.rejectAt(line, why)
		}
		if s.indent == 0 && s.lineIsScalar() {
			return s.rejectAt(line, why)
		}
	}
	s.ended = s.pos == s.end
	if s.line > line+1 {
		why += "; nothing from this line to the end of the file can be read"
	}
	return s.rejectAt(line, why)
}

// lineIsScalar says whether the line at pos is a JSON scalar and nothing else:
// a record of its own, if none we want.
func (s *stream) lineIsScalar() bool {
	c, ok := s.peek()
	if !ok || c != '"' && !bare[c] {
		return false
	}
	s.begin()
	defer func() { s.mark = -1 }()
	for s.end-s.pos < maxScalarLine && bytes.IndexByte(s.buf[s.pos:s.end], '\n') < 0 && s.fill() {
		continue
	}
	line, _, ended := bytes.Cut(s.buf[s.pos:s.end], []byte("\n"))
	return (ended || isEOF(s.err)) && len(line) < maxScalarLine && json.Valid(line)
}

// maxScalarLine bounds how far a line is looked at to tell that.
const maxScalarLine = 4 << 10

func (s *stream) rejectAt(line int, why string) error {
	return &RejectError{Line: line, Reason: printable(why)}
}

func (s *stream) top() byte {
	if len(s.open) == 0 {
		return 0
	}
	return s.open[len(s.open)-1]
}

// step passes over one byte that is neither blank nor part of a record.
func (s *stream) step() {
	s.pos++
	s.fresh = false
}

func (s *stream) lineIndent() int {
	if s.fresh {
		return s.indent
	}
	return 0
}

// skipBlank moves to the next byte that is not blank and returns it.
func (s *stream) skipBlank() (byte, bool) {
	for {
		c, ok := s.peek()
		if !ok {
			return 0, false
		}
		switch c {
		case '\n':
			s.line++
			s.fresh, s.indent = true, 0
		case ' ', '\t', '\r':
			s.indent++
		default:
			return c, true
		}
		s.pos++
	}
}
