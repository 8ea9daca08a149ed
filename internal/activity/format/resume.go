package format

import (
	"bytes"
	"encoding/json"
)

// Getting over a broken record must lose nothing else, and must not make the
// reading of a hostile file slower than its length: the broken text is read
// again from where the next record may begin, and looked at ahead, as long as
// all of that stays within rereadFree bytes and rereadTimes the text so far.
const (
	rereadFree  = 1 << 20
	rereadTimes = 8
	// lookAhead is how much of what may be a record is looked at: enough to see
	// of what kind it is.
	lookAhead = 4 << 10
	// maxScalarLine bounds how far a line is looked at to tell whether it is one
	// word, number or text.
	maxScalarLine = 4 << 10
)

// afford says whether more may be read again; what then is, is added to reread.
func (s *stream) afford() bool { return s.reread <= rereadFree+rereadTimes*s.offset() }

// broken gets over a record that is no JSON. The next record begins where an
// object of a known kind, or a wrapper of such, does, even within the line; at
// the next line that begins as the broken record did, with the same
// indentation and a bracket, or with a bracket at its very start; or with a
// line of one word, number or text and nothing else.
func (s *stream) broken(line, indent int, why string) error {
	s.loose = true
	if s.mark >= 0 && s.afford() {
		s.reread += int64(s.pos - s.mark)
		s.pos, s.line = s.mark, line
		if c := s.buf[s.pos]; c == '{' || c == '[' {
			s.pos++
		}
	} else if s.pos > 0 && s.buf[s.pos-1] == '\n' {
		s.pos, s.line = s.pos-1, s.line-1 // the line that did not fit may be a record
	}
	s.mark = -1
	last := byte('{') // what is not blank before pos
	for s.seek(&last) {
		if s.buf[s.pos] == '{' {
			if last != ':' && s.beginsRecord() {
				s.fresh, s.indent = false, 0
				return s.rejectAt(line, why)
			}
			last = '{'
			s.pos++
			continue
		}
		s.pos++ // the line's end
		s.line++
		last = '\n'
		if s.lineBegins(indent) {
			return s.rejectAt(line, why)
		}
	}
	s.ended = s.pos == s.end
	if s.line > line+1 {
		why += "; nothing from this line to the end of the file can be read"
	}
	return s.rejectAt(line, why)
}

// seek moves to the next brace or line's end; false at the end of the text.
func (s *stream) seek(last *byte) bool {
	for {
		piece := s.buf[s.pos:s.end]
		i := bytes.IndexAny(piece, "{\n")
		if i < 0 {
			i = len(piece)
		}
		if before := bytes.TrimRight(piece[:i], " \t\r"); len(before) > 0 {
			*last = before[len(before)-1]
		}
		s.pos += i
		if s.pos < s.end {
			return true
		}
		if !s.fill() {
			return false
		}
	}
}

// beginsRecord says whether the object at pos begins as a record of a known
// kind does, or as a wrapper.
func (s *stream) beginsRecord() bool {
	if !s.afford() {
		return false
	}
	for s.end-s.pos < lookAhead && s.fill() {
		continue
	}
	ahead := s.buf[s.pos:min(s.end, s.pos+lookAhead)]
	if i := blank(ahead, 1); i >= len(ahead) || ahead[i] != '"' {
		return false
	}
	var seen uint64
	begins, page, passed := false, false, 0
	eachMember(ahead, func(name, value []byte) bool {
		passed += len(name) + len(value)
		is := roleOf(name)
		switch {
		case len(value) == 0:
		case is&carries != 0:
			begins = value[0] == '{' || value[0] == '"'
		case is&(holdsRecords|mayHoldRecords) != 0 && value[0] == '[':
			inside := blank(value, 1)
			page = inside >= len(value) || value[inside] == '{'
		case is&leadsOn != 0 && value[0] == '{':
			page = bytes.IndexByte(value, '[') > 0
		}
		begins = begins || page || recogniser.see(name, &seen) != nil
		return !begins
	})
	if s.reread += int64(passed); begins && page {
		s.open = s.open[:0] // it stands by itself, whatever was open before
	}
	return begins
}

// lineBegins says whether the line at pos begins a record; if not, pos is
// still on that line.
func (s *stream) lineBegins(indent int) bool {
	s.fresh, s.indent = true, 0
	for s.indent < indent {
		c, ok := s.peek()
		if !ok || (c != ' ' && c != '\t') {
			break
		}
		s.pos++
		s.indent++
	}
	for c, ok := s.peek(); ok && c >= 0x80 && s.blankRune(); c, ok = s.peek() {
		continue // a byte-order mark
	}
	if c, ok := s.peek(); ok && (s.indent == indent || s.indent == 0) && (c == '{' || c == '[' || c == ']') {
		if s.indent < indent {
			s.open = s.open[:0]
		}
		return true
	}
	return s.indent == 0 && s.lineIsScalar()
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
