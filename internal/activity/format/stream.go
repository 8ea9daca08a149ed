package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
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
	// and closing brackets that fit nothing are passed over.
	loose bool
	// fresh and indent tell how the line of pos begins: only blanks so far, and how many.
	fresh  bool
	indent int
	// What scan learns of the value it passes over: its shape, as far as names
	// tell, whether it holds a whole record, whether it is to be mended, and in
	// how many objects the list lies that makes it a wrapper.
	seen      uint64
	shape     Shape
	enveloped bool
	odd       bool
	depth     int

	ended  bool
	reread int64 // how much was read again to get over what is broken
}

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
			if err := s.closeWrapper(); err != nil {
				return Record{}, err
			}
		case c == ',', c == ']' && s.loose, c == '}' && s.loose:
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

// closeWrapper passes over what follows the list of a wrapper in it, up to
// another list.
func (s *stream) closeWrapper() error {
	depth := 0
	for s.top() == 'w' {
		s.open = s.open[:len(s.open)-1]
		depth++
	}
	if depth == 0 {
		return nil
	}
	line := s.line
	s.begin()
	s.forget()
	switch v, why := s.scan(depth); v {
	case complete:
	case wrapper:
		s.openWrapper()
	case cutOff:
		s.ended = isEOF(s.err)
		s.mark = -1
		return s.rejectAt(line, "after the list: "+why)
	case faulty:
		return s.broken(line, s.indent, "after the list: "+why)
	}
	s.mark = -1
	return nil
}

func (s *stream) openWrapper() {
	for range s.depth {
		s.open = append(s.open, 'w')
	}
	s.open = append(s.open, '[')
}

// forget forgets what was learnt of the last value.
func (s *stream) forget() { s.seen, s.shape, s.enveloped, s.odd, s.depth = 0, nil, false, false, 0 }

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
	s.fresh = false
	s.forget()
	v, why := s.scan(0)
	switch {
	case v == wrapper:
		s.openWrapper()
		return Record{}, false, nil
	case v == cutOff && isEOF(s.err):
		if err := s.broken(line, indent, "the record is cut off at the end of the file"); !s.ended {
			return Record{}, true, err
		}
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
	if raw = bytes.Clone(raw); s.odd {
		raw = mended(raw)
	}
	return Record{Raw: Tidy(raw), Line: line, Offset: offset, known: s.shape != nil && !s.enveloped && s.shape != (diagnostic{})}, true, nil
}

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
		case '\v', '\f', '\x1e':
		default:
			if c >= utf8.RuneSelf && s.blankRune() {
				continue
			}
			return c, true
		}
		s.pos++
	}
}

// blankRune passes over the character at pos where it is a blank beyond ASCII,
// a byte-order mark above all, and says whether it did.
func (s *stream) blankRune() bool {
	for s.end-s.pos < utf8.UTFMax && s.fill() {
		continue
	}
	r, size := utf8.DecodeRune(s.buf[s.pos:s.end])
	if !isBlank(r) {
		return false
	}
	s.pos += size
	return true
}
