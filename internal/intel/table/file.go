package table

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"time"
)

// File is a map with what its values mean, as kept on disk.
type File struct {
	Header  Header
	Entries []Entry // value v of Map is Entries[v-1]
	Map     *Map
}

// Header says what a file holds and where it comes from.
type Header struct {
	Name     string    `json:"name"`
	Content  Content   `json:"content"`
	Snapshot time.Time `json:"snapshot,omitzero"` // when its publisher made it; zero where it does not say
	Imported time.Time `json:"imported,omitzero"` // when an operator loaded it; zero for what ships
	Rows     int       `json:"rows"`              // rows taken from the original
	Notice   string    `json:"notice,omitempty"`  // what its licence wants shown
}

// Content is what a file's entries are.
type Content string

// The contents.
const (
	Countries Content = "COUNTRIES" // Text is an ISO 3166-1 alpha-2 code
	Networks  Content = "NETWORKS"  // Number and Text (its owner)
	Kinds     Content = "KINDS"     // Text is a kind of network; with a Number it speaks of the whole network
)

// Entry is what a value stands for.
type Entry struct {
	Number uint32 // autonomous system number
	Text   string
}

// ErrDamaged says that a file is not one of ours, or no longer whole.
var ErrDamaged = errors.New("damaged table file")

// magic opens a file; the digit is the version of what follows: gzip of the
// header (JSON), the entries, then both lines, each as columns of equal things
// (how far to the next segment: zeros at the end, then the rest; values),
// which is what makes them compress well.
const magic = "cairn table 1\n"

const maxText = 1 << 20 // bytes of one string; no honest file comes near

// Write writes the file; equal files are equal bytes.
func Write(w io.Writer, f *File) error {
	if _, err := io.WriteString(w, magic); err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	e := encoder{w: bufio.NewWriter(z)}
	header, err := json.Marshal(f.Header)
	if err != nil {
		return err
	}
	e.text(string(header))
	e.number(uint64(len(f.Entries)))
	for _, entry := range f.Entries {
		e.number(uint64(entry.Number))
	}
	for _, entry := range f.Entries {
		e.text(entry.Text)
	}
	e.line(&f.Map.v4)
	e.line(&f.Map.v6)
	if err := e.w.Flush(); err != nil {
		return err
	}
	return z.Close()
}

// Read reads a file whole. An error wraps ErrDamaged where it is the file's fault.
func Read(r io.Reader) (*File, error) {
	start := make([]byte, len(magic))
	if _, err := io.ReadFull(r, start); err != nil || string(start) != magic {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	d := decoder{r: bufio.NewReaderSize(z, 1<<16)}
	f := &File{}
	if header := d.text(); d.err == nil {
		if err := json.Unmarshal([]byte(header), &f.Header); err != nil {
			return nil, fmt.Errorf("%w: header: %w", ErrDamaged, err)
		}
	}
	count := d.count()
	for range count {
		f.Entries = append(f.Entries, Entry{Number: d.systemNumber()})
		if d.err != nil {
			break
		}
	}
	for i := range f.Entries {
		f.Entries[i].Text = d.text()
	}
	v4 := d.line(true, count)
	v6 := d.line(false, count)
	if d.err == nil {
		// Reading on to the end is what makes gzip compare its checksum.
		if _, err := d.r.ReadByte(); !errors.Is(err, io.EOF) {
			d.fail(fmt.Errorf("no end: %w", err))
		}
	}
	if d.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, d.err)
	}
	f.Map = newMap(v4, v6)
	return f, nil
}

// encoder remembers no error: its writer does, until it is flushed.
type encoder struct{ w *bufio.Writer }

func (e encoder) number(n uint64) {
	var b [binary.MaxVarintLen64]byte
	_, _ = e.w.Write(b[:binary.PutUvarint(b[:], n)])
}

func (e encoder) text(s string) {
	e.number(uint64(len(s)))
	_, _ = e.w.WriteString(s)
}

func (e encoder) line(l *line) {
	e.number(uint64(l.len()))
	step := func(i int) (odd point, zeros int) {
		if i == 0 {
			return point{}, 0
		}
		return l.start(i).minus(l.start(i - 1)).odd()
	}
	for i := range l.len() {
		_, zeros := step(i)
		_ = e.w.WriteByte(byte(zeros))
	}
	for i := range l.len() {
		odd, _ := step(i)
		for ; odd.hi != 0 || odd.lo >= 0x80; odd = odd.right(7) {
			_ = e.w.WriteByte(byte(odd.lo) | 0x80)
		}
		_ = e.w.WriteByte(byte(odd.lo))
	}
	for _, v := range l.values {
		e.number(uint64(v))
	}
}

// odd splits p into an odd number and the zero bits behind it.
func (p point) odd() (point, int) {
	zeros := bits.TrailingZeros64(p.lo)
	if p.lo == 0 {
		zeros = 64 + bits.TrailingZeros64(p.hi)
	}
	return p.right(zeros), zeros
}

func (p point) right(n int) point {
	if n >= 64 {
		return point{lo: p.hi >> (n - 64)}
	}
	return point{p.hi >> n, p.lo>>n | p.hi<<(64-n)}
}

func (p point) left(n int) point {
	if n >= 64 {
		return point{hi: p.lo << (n - 64)}
	}
	return point{p.hi<<n | p.lo>>(64-n), p.lo << n}
}

// decoder keeps the first error and returns zeros after it.
type decoder struct {
	r   *bufio.Reader
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) byte() byte {
	if d.err != nil {
		return 0
	}
	b, err := d.r.ReadByte()
	if err != nil {
		d.fail(err)
	}
	return b
}

func (d *decoder) number() uint64 {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(d.r)
	if err != nil {
		d.fail(err)
	}
	return n
}

// systemNumber reads the number of an autonomous system.
func (d *decoder) systemNumber() uint32 {
	n := d.number()
	if n > math.MaxUint32 {
		d.fail(fmt.Errorf("a network number of %d", n))
		return 0
	}
	return uint32(n)
}

// count reads how many things follow. Slices grow with what is really there,
// so a lie costs no memory.
func (d *decoder) count() int {
	n := d.number()
	if n > 4*MaxRanges {
		d.fail(fmt.Errorf("a count of %d", n))
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.number()
	if n > maxText {
		d.fail(fmt.Errorf("a text of %d bytes", n))
	}
	if d.err != nil || n == 0 {
		return ""
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(d.r, b); err != nil {
		d.fail(err)
	}
	return string(b)
}

// line reads the line of one family, whose values are at most most.
func (d *decoder) line(is4 bool, most int) line {
	n := d.count()
	if n == 0 {
		d.fail(errors.New("a line without segments"))
	}
	var zeros []byte
	for range n {
		zeros = append(zeros, d.byte())
		if d.err != nil {
			return line{}
		}
	}
	end, starts := lastPoint(is4), make([]point, n)
	for i := range starts {
		step := d.point().left(int(zeros[i]))
		if (step == point{}) != (i == 0) {
			d.fail(errors.New("a segment without addresses"))
		}
		if i == 0 {
			continue
		}
		start, fits := starts[i-1].plus(step)
		if !fits || end.less(start) {
			d.fail(errors.New("a segment beyond the last address"))
		}
		if d.err != nil {
			return line{}
		}
		starts[i] = start
	}
	l := newLine(is4, n)
	for _, start := range starts {
		v := d.number()
		if v > uint64(most) {
			d.fail(fmt.Errorf("a value of %d among %d entries", v, most))
		}
		if d.err != nil {
			return line{}
		}
		l.add(start, uint32(v))
	}
	return l
}

func (d *decoder) point() point {
	var p point
	for shift := 0; ; shift += 7 {
		b := d.byte()
		if shift > 126 {
			d.fail(errors.New("a number without end"))
		}
		if d.err != nil {
			return point{}
		}
		part := point{lo: uint64(b & 0x7f)}.left(shift)
		p = point{p.hi | part.hi, p.lo | part.lo}
		if b < 0x80 {
			return p
		}
	}
}
