// Package format recognises exported Microsoft 365 logs and turns them into
// activities, in two layers that each have a registry:
//
//   - containers, how records are packaged: gzip or plain, any byte-order mark,
//     JSON in all its groupings, CSV (Open, Reader);
//   - shapes, what one record is: a unified audit record, a Graph sign-in …
//     (Shape, Parse). A new one is a file and a line in shapes.
//
// Everything is recognised by content, never by a file's name. Reading and
// parsing are apart, so that parsing can run on several goroutines and so that
// a stored raw record can be parsed again.
//
// What may not live here: databases, networks, clocks, files (callers open
// them), and judgement about what a record means for security.
package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits bound what a hostile or broken file can cost. Zero fields take the
// values of DefaultLimits.
type Limits struct {
	RecordBytes int // the largest record; a larger one is rejected and skipped
	Depth       int // the deepest nesting within a record
	// Expansion is how many times its size a compressed file may grow while it
	// yields no record; what yields records is streamed whatever its ratio.
	Expansion int
	// ExpansionGrace is how many bytes may come out, without a record, before
	// Expansion is looked at.
	ExpansionGrace int64
	// TextBytes is how much text is read, decompressed; 0 is all. What lies
	// beyond is as if it were not there: for a look at how a file begins.
	TextBytes int64
}

// DefaultLimits are generous for logs: the largest audit record Microsoft
// writes is far below a megabyte, and logs shrink ten to fifty times.
var DefaultLimits = Limits{RecordBytes: 4 << 20, Depth: 64, Expansion: 100, ExpansionGrace: 64 << 20}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	if l.RecordBytes > 0 {
		d.RecordBytes = l.RecordBytes
	}
	if l.Depth > 0 {
		d.Depth = l.Depth
	}
	if l.Expansion > 0 {
		d.Expansion = l.Expansion
	}
	if l.ExpansionGrace > 0 {
		d.ExpansionGrace = l.ExpansionGrace
	}
	d.TextBytes = l.TextBytes
	return d
}

// Record is one record as it stands in the file, taken out of its envelope.
type Record struct {
	Raw    []byte // JSON object, valid UTF-8; owned by the caller
	Line   int    // the line it starts on, from 1
	Offset int64  // where it starts in the decompressed UTF-8 text, in bytes

	known bool // it is of a known kind, and holds no other
}

// Why a whole file is refused; a FileError wraps one of these or the error of
// the reader beneath.
var (
	ErrEmpty        = errors.New("the file is empty")
	ErrBinary       = errors.New("the file is binary, not text")
	ErrUnrecognised = errors.New("no known kind of log")
	ErrExpansion    = errors.New("the compressed file expands beyond reason")
	ErrCutOff       = errors.New("the file is cut off")
)

// FileError refuses a file, or what is left of it. Its text is safe to print.
type FileError struct {
	File   string
	Line   int // the line reached, 0 before the first
	Reason string
	Err    error
}

func (e *FileError) Error() string { return place(e.File, e.Line) + printable(e.Reason) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// RejectError refuses one record; reading goes on after it. Its text is safe to print.
type RejectError struct {
	File   string // empty when Parse returns it
	Line   int    // 0 when Parse returns it
	Reason string
}

func (e *RejectError) Error() string { return place(e.File, e.Line) + printable(e.Reason) }

// SkipError says that a record was recognised and is not wanted. It is no fault.
type SkipError struct {
	Shape  string
	Reason string
}

func (e *SkipError) Error() string { return e.Shape + ": " + printable(e.Reason) }

func reject(format string, args ...any) error {
	return &RejectError{Reason: printable(fmt.Sprintf(format, args...))}
}

// atLine says on which line a rejected record stands.
func atLine(err error, line int) error {
	if rejected, ok := errors.AsType[*RejectError](err); ok {
		rejected.Line = line
	}
	return err
}

func place(file string, line int) string {
	var b strings.Builder
	if file != "" {
		b.WriteString(printable(file))
	}
	if line > 0 {
		if b.Len() > 0 {
			b.WriteByte(':')
		} else {
			b.WriteString("line ")
		}
		fmt.Fprintf(&b, "%d", line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	return b.String()
}

// maxReason is how many characters of a message are kept: it may quote the file.
const maxReason = 300

// printable makes text that may stem from a file harmless on a terminal and
// short: what is not graphic, and what reorders text, becomes U+FFFD.
func printable(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxReason {
			s = s[:i] + "…"
			break
		}
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// container is a way records are packaged in text.
type container interface {
	// next returns the next record, a *RejectError with its line (reading goes
	// on after it), or io.EOF, also where the text breaks off because the
	// source failed.
	next() (Record, error)
}

// Reader reads the records of one file. It is not safe for concurrent use.
type Reader struct {
	name   string
	source *source
	window *window
	inner  container
	done   bool
	queue  []Record // what the last object held, where it held several records
}

// Open recognises the log in r by its content. The name appears in errors
// only. A *FileError says why a whole file is refused.
func Open(name string, r io.Reader, limits Limits) (*Reader, error) {
	limits = limits.orDefault()
	src, err := newSource(r, limits)
	if err != nil {
		return nil, fileError(name, 0, err)
	}
	w := newWindow(src, limits.RecordBytes)
	reader := &Reader{name: name, source: src, window: w}
	if reader.inner, err = recognise(w, limits); err != nil {
		return nil, fileError(name, 0, err)
	}
	return reader, nil
}

// Next returns the next record. A *RejectError is about one record (or, as its
// reason then says, the rest of a broken file) and reading goes on; a
// *FileError ends the file; io.EOF is its regular end.
func (r *Reader) Next() (Record, error) {
	if r.done {
		return Record{}, io.EOF
	}
	if len(r.queue) > 0 {
		rec := r.queue[0]
		r.queue = r.queue[1:]
		return rec, nil
	}
	rec, err := r.inner.next()
	if err == nil {
		r.source.progress()
		if rec.known {
			return rec, nil
		}
		var found [][]byte
		if found, err = unwrap(rec.Raw); err == nil {
			for _, raw := range found {
				r.queue = append(r.queue, Record{Raw: Tidy(raw), Line: rec.Line, Offset: rec.Offset})
			}
			return r.Next()
		}
		err = atLine(err, rec.Line)
	}
	if rejected, ok := errors.AsType[*RejectError](err); ok {
		rejected.File = r.name
		return Record{}, rejected
	}
	r.done = true
	if cause := r.window.err; cause != nil && !errors.Is(cause, io.EOF) {
		return Record{}, fileError(r.name, r.window.line, cause)
	}
	return Record{}, io.EOF
}

func fileError(name string, line int, err error) error {
	if already, ok := errors.AsType[*FileError](err); ok {
		already.File = name
		return already
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: %w", ErrCutOff, err)
	}
	return &FileError{File: name, Line: line, Reason: err.Error(), Err: err}
}

func tooLarge(limit int) error {
	return reject("the record is larger than %d bytes", limit)
}

// Tidy makes a record fit for text columns and for single lines, changing as
// little as can be: invalid UTF-8 and escaped NULs become U+FFFD, a record
// spread over lines is compacted. The Reader does it; whoever gets records
// elsewhere calls it before Parse.
func Tidy(raw []byte) []byte {
	if !utf8.Valid(raw) {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	if bytes.Contains(raw, nulEscape) {
		raw = replaceNUL(raw)
	}
	if bytes.IndexByte(raw, '\n') >= 0 {
		raw = compact(raw)
	}
	return raw
}
