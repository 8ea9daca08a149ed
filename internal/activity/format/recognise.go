package format

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// recognise looks at the beginning of the text and returns the container it is in.
func recognise(w *window, limits Limits) (container, error) {
	for w.end < 4<<10 { // a short first read, from a pipe, must not decide
		if !w.fill() {
			break
		}
	}
	head := w.buf[:w.end]
	start := bytes.TrimLeftFunc(head, func(r rune) bool { return isBlank(r) || r == ',' })
	probe := start[:min(len(start), 4<<10)]
	isJSON := len(start) > 0 && (start[0] == '{' || start[0] == '[')
	if isJSON { // garbage further down costs its own lines only
		probe, _, _ = bytes.Cut(probe, []byte("\n"))
	}
	switch {
	case len(start) == 0 && isEOF(w.err):
		return nil, ErrEmpty
	case len(start) == 0 && w.err != nil:
		return nil, w.err
	case binary(probe):
		return nil, ErrBinary
	case isJSON:
		return newStream(w, limits), nil
	}
	table, err := openTable(w)
	switch {
	case err == nil:
		return table, nil
	case len(start) == 0, bytes.HasPrefix(start, []byte(`"{`)), bytes.Contains(head, []byte("\n{\"")):
		// JSON in a string, or a log that was cut at its front.
		return newStream(w, limits), nil
	}
	return nil, err
}

// binary says whether the probe is no text: it holds zero bytes, or many other
// control characters or bytes that are no UTF-8.
func binary(probe []byte) bool {
	odd, n := 0, 0
	for rest := probe; len(rest) > 0; n++ {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == 0:
			return true
		case r < ' ' && !strings.ContainsRune("\t\r\n\f\v", r), r == utf8.RuneError && size == 1:
			odd++
		}
		rest = rest[size:]
	}
	return odd > 1+n/10
}

// unrecognised refuses a text by showing how it begins.
func unrecognised(first []string) error {
	if len(first) > 1 {
		return &FileError{Err: ErrUnrecognised, Line: 1, Reason: fmt.Sprintf(
			"a table with the columns %s; wanted is a column %s, or the columns of a known kind of record (in English, in any order)",
			quoteAll(first), quoteAny(wholeColumns))}
	}
	begin := ""
	if len(first) == 1 {
		begin = first[0]
	}
	return &FileError{Err: ErrUnrecognised, Line: 1, Reason: fmt.Sprintf(
		"%v: it begins with %q, which is neither JSON nor the header of an export", ErrUnrecognised, cut(begin, 60))}
}

func quoteAll(names []string) string {
	quoted := make([]string, 0, len(names))
	for i, name := range names {
		if i == 12 {
			quoted = append(quoted, fmt.Sprintf("and %d more", len(names)-i))
			break
		}
		quoted = append(quoted, fmt.Sprintf("%q", cut(name, 40)))
	}
	return strings.Join(quoted, ", ")
}

func quoteAny(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, " or ")
}

func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}
