package format

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// source is the text of a file: decompressed, without byte-order mark, UTF-8
// where the file was UTF-16.
type source struct {
	text   io.Reader
	limits Limits

	packed   *counter // nil for a plain file
	unpacked *counter
	// What both counted when the last record came.
	packedMark, unpackedMark int64
}

func newSource(r io.Reader, limits Limits) (*source, error) {
	s := &source{limits: limits}
	raw := bufio.NewReaderSize(r, 64<<10)
	head, err := raw.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading: %w", err)
	}
	if len(head) == 0 {
		return nil, ErrEmpty
	}
	text := raw
	if bytes.Equal(head, []byte{0x1f, 0x8b}) {
		s.packed = &counter{r: raw}
		// Members one after another are one text: gzip reads on by itself.
		unzipped, err := gzip.NewReader(s.packed)
		if err != nil {
			return nil, fmt.Errorf("reading gzip: %w", err)
		}
		s.unpacked = &counter{r: unzipped}
		text = bufio.NewReaderSize(s, 64<<10)
	}
	s.text, err = plainText(text)
	if limits.TextBytes > 0 {
		s.text = io.LimitReader(s.text, limits.TextBytes)
	}
	return s, err
}

// Read reads decompressed bytes, and refuses a file that grows and grows
// without ever yielding a record.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.unpacked.Read(p)
	grown := s.unpacked.n - s.unpackedMark
	if grown > s.limits.ExpansionGrace && grown > int64(s.limits.Expansion)*(s.packed.n-s.packedMark+1) {
		return 0, fmt.Errorf("%w: %d bytes from %d without a record", ErrExpansion, grown, s.packed.n-s.packedMark)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading gzip: %w", err)
	}
	return n, err
}

// progress notes that a record has come.
func (s *source) progress() {
	if s.packed != nil {
		s.packedMark, s.unpackedMark = s.packed.n, s.unpacked.n
	}
}

// plainText strips the byte-order mark and turns UTF-16, which is also told by
// the zero bytes of its first character, into UTF-8.
func plainText(r *bufio.Reader) (io.Reader, error) {
	head, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return nil, err
	}
	switch {
	case len(head) == 0:
		return nil, ErrEmpty
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		_, err := r.Discard(3)
		return r, err
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}),
		len(head) == 4 && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return utf16(r, unicode.LittleEndian), nil
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}),
		len(head) == 4 && head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0:
		return utf16(r, unicode.BigEndian), nil
	}
	return r, nil
}

func utf16(r io.Reader, endian unicode.Endianness) io.Reader {
	return transform.NewReader(r, unicode.UTF16(endian, unicode.UseBOM).NewDecoder())
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
