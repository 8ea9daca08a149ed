package format

import (
	"bytes"
	"fmt"
	"io"
)

// window is the stretch of text being looked at: all of the record that is
// being read, as long as it stays within the limit, and a piece beyond.
type window struct {
	src      io.Reader
	buf      []byte
	pos, end int   // buf[pos:end] is read but not looked at
	mark     int   // where the record began, -1 where nothing must be kept
	max      int   // how much a record may hold
	base     int64 // offset of buf[0] in the text
	line     int   // line of buf[pos]
	overflow bool  // the record grew beyond max, its beginning is gone
	err      error // what ended the text, io.EOF included
}

const windowSize = 256 << 10

func newWindow(src *source, limit int) *window {
	return &window{src: src.text, buf: make([]byte, windowSize), mark: -1, max: limit, line: 1}
}

// fill reads more text behind end, and says whether there was any. Positions
// may move: they are good until the next fill.
func (w *window) fill() bool {
	if w.err != nil {
		return false
	}
	if w.mark >= 0 && w.pos-w.mark > w.max {
		w.mark, w.overflow = -1, true
	}
	keep := w.pos
	if w.mark >= 0 {
		keep = w.mark
	}
	if w.end == len(w.buf) {
		if keep > 0 {
			copy(w.buf, w.buf[keep:w.end])
			w.pos, w.end, w.base = w.pos-keep, w.end-keep, w.base+int64(keep)
			if w.mark >= 0 {
				w.mark = 0
			}
		} else {
			w.buf = append(w.buf, make([]byte, len(w.buf))...)
		}
	}
	for range 100 {
		n, err := w.src.Read(w.buf[w.end:])
		w.end += n
		if err != nil {
			w.err = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	w.err = fmt.Errorf("reading: %w", io.ErrNoProgress)
	return false
}

// peek returns the byte at pos; false at the end of the text.
func (w *window) peek() (byte, bool) {
	if w.pos == w.end && !w.fill() {
		return 0, false
	}
	return w.buf[w.pos], true
}

// begin marks pos as the start of a record.
func (w *window) begin() { w.mark, w.overflow = w.pos, false }

// taken returns the marked text up to pos, nil where it overflowed; good until the next fill.
func (w *window) taken() []byte {
	if w.mark < 0 || w.pos-w.mark > w.max {
		return nil
	}
	return w.buf[w.mark:w.pos]
}

func (w *window) offset() int64 { return w.base + int64(w.pos) }

// skipLine moves to the start of the next line; false at the end of the text.
func (w *window) skipLine() bool {
	for {
		if i := bytes.IndexByte(w.buf[w.pos:w.end], '\n'); i >= 0 {
			w.pos += i + 1
			w.line++
			return true
		}
		w.pos = w.end
		if !w.fill() {
			return false
		}
	}
}
