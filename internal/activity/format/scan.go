package format

import (
	"fmt"
	"unicode/utf8"
)

// verdict is how the scan of a value ended.
type verdict uint8

const (
	complete verdict = iota
	wrapper          // pos stands behind the bracket that opens the wrapper's list
	faulty           // pos stands at what does not fit
	cutOff           // the text ended
)

// expectation is what may come next inside a value.
type expectation uint8

const (
	wantValue expectation = iota
	wantValueOrEnd
	wantName
	wantNameOrEnd
	wantColon
	wantComma
)

// scan passes over the value at pos, an object or a string; with rest, over
// what is left of so many objects whose last member has just been read. The
// text says what is wrong: of a faulty value, or of one that is well formed and
// still not acceptable. What is nearly JSON, and can be mended, sets odd.
//
//nolint:funlen,gocognit // one state machine, read top to bottom; in pieces its states would be harder to follow
func (s *stream) scan(rest int) (verdict, string) {
	var (
		nesting nesting
		want    = wantValue
		named   role // what the member just named is to a wrapper
		path    = 1  // how many objects lead here, each the only thing that is open
		listed  bool // a list has just been opened that may be a wrapper's
		comma   bool // a comma has just been read
		deep    string
	)
	for range rest {
		nesting.push('{')
		want, path = wantComma, nesting.depth
	}
	for {
		if s.pos == s.end && !s.fill() {
			return cutOff, "the text ends"
		}
		c := s.buf[s.pos]
		switch c {
		case '\n':
			s.line++
			s.pos++
			continue
		case ' ', '\t', '\r':
			s.pos++
			continue
		case '"':
			name := want == wantName || want == wantNameOrEnd
			if !name && want != wantValue && want != wantValueOrEnd {
				return faulty, unexpected(c, want)
			}
			from := s.pos - s.mark
			if v, why := s.text(); v != complete {
				return v, why
			}
			switch {
			case name:
				if want, comma = wantColon, false; nesting.depth == path && s.mark >= 0 {
					named = s.note(s.buf[s.mark+from+1:s.pos-1], nesting.depth)
				}
				continue
			case nesting.depth == 0:
				return complete, ""
			}
			want = wantComma
		case '{', '[':
			if want != wantValue && want != wantValueOrEnd {
				return faulty, unexpected(c, want)
			}
			if c == '{' && listed {
				s.depth = path
				return wrapper, ""
			}
			s.pos++
			if c == '[' && named&holdsRecords != 0 {
				s.depth = path
				return wrapper, ""
			}
			if c == '{' && named&leadsOn != 0 {
				path++
			}
			listed = c == '[' && named&mayHoldRecords != 0
			if nesting.push(c); nesting.depth > s.limits.Depth {
				deep = fmt.Sprintf("the record is nested deeper than %d levels", s.limits.Depth)
				if nesting.depth > maxNesting {
					return faulty, deep
				}
			}
			want = wantNameOrEnd
			if c == '[' {
				want = wantValueOrEnd
			}
			named, comma = 0, false
			continue // listed must outlive the bracket
		case '}', ']':
			ends := want == wantComma || comma || (c == '}' && want == wantNameOrEnd) || (c == ']' && want == wantValueOrEnd)
			s.odd = s.odd || comma
			if !ends || !nesting.pop(c) {
				return faulty, unexpected(c, want)
			}
			s.pos++
			if nesting.depth == 0 {
				return complete, deep
			}
			path = min(path, nesting.depth)
			want = wantComma
		case ',':
			if want != wantComma && !comma {
				return faulty, unexpected(c, want)
			}
			s.odd = s.odd || comma
			s.pos++
			want, comma = wantValue, true
			if nesting.inObject() {
				want = wantName
			}
			named, listed = 0, false
			continue // comma must outlive itself
		case ':':
			if want != wantColon {
				return faulty, unexpected(c, want)
			}
			s.pos++
			want = wantValue
			continue // named must outlive the colon
		default:
			if c >= utf8.RuneSelf && s.blankRune() {
				s.odd = true
				continue
			}
			if !bare[c] || (want != wantValue && want != wantValueOrEnd) {
				return faulty, unexpected(c, want)
			}
			s.literal(c)
			want = wantComma
		}
		named, listed, comma = 0, false, false
	}
}

// literal passes over the number or word at pos, which begins with c.
func (s *stream) literal(c byte) {
	if letter(c) && c != 't' && c != 'f' && c != 'n' {
		s.odd = true
	}
	for ok := true; ok; ok = s.pos == s.end && s.fill() {
		for s.pos < s.end && bare[s.buf[s.pos]] {
			if u := s.buf[s.pos]; u >= 'A' && u <= 'Z' && u != 'E' {
				s.odd = true // NaN, -Infinity
			}
			s.pos++
		}
	}
}

// note looks at the name of a member of the object being read, or of one that
// leads on from it.
func (s *stream) note(name []byte, depth int) (named role) {
	if depth == 1 {
		if s.shape == nil {
			s.shape = recogniser.see(name, &s.seen)
		}
		if len(name) == len("AuditData") || len(name) == len("RawEventData") {
			s.enveloped = s.enveloped || roleOf(name)&carries != 0
		}
	}
	if s.shape != nil {
		return 0
	}
	return roleOf(name)
}

// text passes over the string at pos.
func (s *stream) text() (verdict, string) {
	s.pos++
	for {
		piece := s.buf[s.pos:s.end]
		i := 0
		for i < len(piece) && plain[piece[i]] {
			i++
		}
		s.pos += i
		if i == len(piece) {
			if !s.fill() {
				return cutOff, "the text ends"
			}
			continue
		}
		switch piece[i] {
		case '"':
			s.pos++
			return complete, ""
		case '\\':
			if s.pos+1 == s.end && !s.fill() {
				return cutOff, "the text ends"
			}
			switch e := s.buf[s.pos+1]; {
			case e < ' ' && e != '\t':
				s.pos++
				return faulty, "a text in the record is cut off"
			case e == 'u':
				for s.end-s.pos < 6 && s.fill() {
					continue
				}
				s.odd = s.odd || !escapes(s.buf[s.pos+1:s.end])
			case !escape[e]:
				s.odd = true
				s.pos++ // what follows is no part of an escape
				continue
			}
			s.pos += 2
		case '\n', '\r':
			return faulty, "a text in the record is cut off at the end of the line"
		case 0:
			return faulty, fmt.Sprintf("a text in the record holds the control character %q", piece[i])
		default:
			s.odd = true
			s.pos++
		}
	}
}

// maxNesting is how deep a record is followed to its end; what is nested
// deeper breaks the stream.
const maxNesting = 256

// nesting remembers what is open inside a value: a bit each, set for objects.
type nesting struct {
	depth   int
	objects [maxNesting/64 + 1]uint64
}

func (n *nesting) push(c byte) {
	bit := uint64(1) << (n.depth % 64)
	n.objects[n.depth/64] &^= bit
	if c == '{' {
		n.objects[n.depth/64] |= bit
	}
	n.depth++
}

func (n *nesting) inObject() bool {
	d := n.depth - 1
	return n.objects[d/64]>>(d%64)&1 == 1
}

func (n *nesting) pop(c byte) bool {
	if n.depth == 0 || n.inObject() != (c == '}') {
		return false
	}
	n.depth--
	return true
}

func unexpected(c byte, want expectation) string {
	wanted := map[expectation]string{
		wantValue: "a value", wantValueOrEnd: "a value", wantName: "a name", wantNameOrEnd: "a name",
		wantColon: "a colon", wantComma: "a comma or the end",
	}[want]
	return fmt.Sprintf("the record is no JSON: want %s, found %q", wanted, c)
}

// plain are the bytes a string holds as they are, bare those of numbers and
// literals (and of what some programs write for them), escape those that stand
// behind a backslash.
var plain, bare, escape = func() (p, b, e [256]bool) {
	for c := range 256 {
		p[c] = c >= ' ' && c != '"' && c != '\\'
		b[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '-' || c == '.'
	}
	for _, c := range []byte(`"\/bfnrtu`) {
		e[c] = true
	}
	return p, b, e
}()
