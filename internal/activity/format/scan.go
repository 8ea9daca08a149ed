package format

import "fmt"

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
// what is left of an object whose last member has just been read. The text
// says what is wrong: of a faulty value, or of one that is well formed and
// still not acceptable.
//
//nolint:funlen,gocognit // one state machine, read top to bottom; in pieces its states would be harder to follow
func (s *stream) scan(rest bool) (verdict, string) {
	var (
		nesting nesting
		want    = wantValue
		lists   bool // the member just named is one that holds records in a wrapper
		deep    string
	)
	if rest {
		nesting.push('{')
		want = wantComma
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
				if want = wantColon; nesting.depth == 1 && !rest && s.mark >= 0 {
					quoted := s.buf[s.mark+from : s.pos]
					lists = len(s.open) == 0 && listsRecords(quoted)
					s.enveloped = s.enveloped || envelopes[string(quoted)]
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
			s.pos++
			if c == '[' && lists {
				return wrapper, ""
			}
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
		case '}', ']':
			ends := want == wantComma || (c == '}' && want == wantNameOrEnd) || (c == ']' && want == wantValueOrEnd)
			if !ends || !nesting.pop(c) {
				return faulty, unexpected(c, want)
			}
			s.pos++
			if nesting.depth == 0 {
				return complete, deep
			}
			want = wantComma
		case ',':
			if want != wantComma {
				return faulty, unexpected(c, want)
			}
			s.pos++
			want = wantValue
			if nesting.inObject() {
				want = wantName
			}
		case ':':
			if want != wantColon {
				return faulty, unexpected(c, want)
			}
			s.pos++
			want = wantValue
			continue // lists must outlive the colon
		default:
			if !bare[c] || (want != wantValue && want != wantValueOrEnd) {
				return faulty, unexpected(c, want)
			}
			for ok := true; ok; ok = s.pos == s.end && s.fill() {
				for s.pos < s.end && bare[s.buf[s.pos]] {
					s.pos++
				}
			}
			want = wantComma
		}
		lists = false
	}
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
			if s.buf[s.pos+1] < ' ' {
				s.pos++
				return faulty, "a text in the record is cut off"
			}
			s.pos += 2
		case '\n', '\r':
			return faulty, "a text in the record is cut off at the end of the line"
		default:
			return faulty, fmt.Sprintf("a text in the record holds the control character %q", piece[i])
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

// listsRecords says whether a name, in its quotes, is one under which wrappers
// hold their records: OData answers and diagnostic settings.
func listsRecords(name []byte) bool {
	return string(name) == `"value"` || string(name) == `"records"`
}

func unexpected(c byte, want expectation) string {
	wanted := map[expectation]string{
		wantValue: "a value", wantValueOrEnd: "a value", wantName: "a name", wantNameOrEnd: "a name",
		wantColon: "a colon", wantComma: "a comma or the end",
	}[want]
	return fmt.Sprintf("the record is no JSON: want %s, found %q", wanted, c)
}

// plain are the bytes a string holds as they are, bare those of numbers and literals.
var plain, bare = func() (p, b [256]bool) {
	for c := range 256 {
		p[c] = c >= ' ' && c != '"' && c != '\\'
		b[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == 'E' || c == '+' || c == '-' || c == '.'
	}
	return p, b
}()
