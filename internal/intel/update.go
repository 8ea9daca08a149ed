package intel

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// Options says how Update reads files.
type Options struct {
	// Kind is what plain lists of addresses and networks are of; a list that
	// needs it and has none is refused. Databases and range CSVs say
	// themselves what they hold.
	Kind activity.NetworkKind
	Now  func() time.Time
}

// Report says what Update took.
type Report struct {
	Tables   []Loaded
	Rejected []Rejection // the first MaxRejections
	Skipped  int         // lines rejected in all
}

// Loaded is a table made from a file; a database may make several.
type Loaded struct {
	File     string // the operator's path
	Name     string // of the table
	Content  table.Content
	Rows     int
	Replaced bool // a table of this name was there before
}

// Rejection is a line that was not taken.
type Rejection struct {
	File   string
	Line   int
	Reason string
}

// String returns "file:line: reason".
func (r Rejection) String() string { return fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Reason) }

// MaxRejections is how many rejections a Report describes.
const MaxRejections = 100

// maxSize bounds a file after unpacking: twice the largest database sold.
const maxSize = 1 << 30

// suffix marks the tables in the operator's folder. To take a list out of use, delete its file.
const suffix = ".table"

// Kinds returns the kinds a list can be of, in the order of lookup.
func Kinds() []activity.NetworkKind { return slices.Clone(kinds) }

// Update reads lists and databases, plain or gzip, and keeps what they say as
// tables in dir, which it makes if need be. A file's table is named after it,
// so that its next version replaces it. Either every file is taken or none:
// a file that cannot be read is an error and dir stays as it was. Tables
// opened before are not changed.
func Update(dir string, files []string, options Options) (Report, error) {
	var report Report
	if options.Kind != "" && rankOf(options.Kind) == 0 {
		return report, fmt.Errorf("%q is not a kind a list can be of: use one of %v", options.Kind, kinds)
	}
	var tables []*table.File
	for _, path := range files {
		reject := func(line int, reason string) {
			report.Skipped++
			if len(report.Rejected) < MaxRejections {
				report.Rejected = append(report.Rejected, Rejection{path, line, reason})
			}
		}
		made, err := readFile(path, options.Kind, reject)
		if err != nil {
			return Report{}, fmt.Errorf("%s: %w", path, withoutPath(err))
		}
		for _, f := range made {
			f.Header.Name = tableName(path, f.Header.Content)
			f.Header.Imported = options.Now().UTC().Truncate(time.Second)
			for _, earlier := range report.Tables {
				if earlier.Name == f.Header.Name {
					return Report{}, fmt.Errorf("%s and %s would become the same table %q: rename one", earlier.File, path, earlier.Name)
				}
			}
			_, err := os.Stat(filepath.Join(dir, f.Header.Name+suffix))
			report.Tables = append(report.Tables, Loaded{
				File: path, Name: f.Header.Name, Content: f.Header.Content, Rows: f.Header.Rows, Replaced: err == nil,
			})
			tables = append(tables, f)
		}
	}
	if err := writeAll(dir, tables); err != nil {
		return Report{}, err
	}
	return report, nil
}

// withoutPath takes the path off an error of package os: the caller names it.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*os.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// readFile reads a file of any form, told by its content.
func readFile(path string, kind activity.NetworkKind, reject func(int, string)) ([]*table.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read from
	r := bufio.NewReaderSize(&limited{file, maxSize}, sniff)
	start, err := r.Peek(2)
	if err == nil && string(start) == "\x1f\x8b" {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = bufio.NewReaderSize(&limited{z, maxSize}, sniff)
	}
	start, err = r.Peek(sniff)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(start) == 0:
		return nil, errors.New("the file is empty")
	case bytes.HasPrefix(start, []byte("PK\x03\x04")), len(start) > 262 && string(start[257:262]) == "ustar":
		return nil, errors.New("an archive: unpack it and name the file in it")
	case isText(start):
		list, err := readList(r, kind, reject)
		if err != nil {
			return nil, err
		}
		return []*table.File{list}, nil
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(data, []byte(databaseMarker)) {
		return nil, errors.New("neither text (UTF-8) nor a MaxMind-format database")
	}
	return readDatabase(data)
}

const sniff = 4096

// isText reports whether the start of a file is UTF-8 text, perhaps cut within a character.
func isText(start []byte) bool {
	if bytes.IndexByte(start, 0) >= 0 {
		return false
	}
	for cut := range min(utf8.UTFMax, len(start)) {
		if utf8.Valid(start[:len(start)-cut]) {
			return true
		}
	}
	return false
}

// limited is an io.LimitedReader that says so.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("larger than %d bytes", maxSize)
	}
	return n, err
}

// tableName makes a table's name from a file's: "/tmp/My list.txt.gz" → "my-list-kinds".
func tableName(path string, content table.Content) string {
	base := strings.ToLower(filepath.Base(path))
	base = strings.TrimSuffix(base, ".gz")
	base = strings.TrimSuffix(base, filepath.Ext(base))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, base)
	name = strings.Trim(name[:min(len(name), 100)], "-.")
	return strings.TrimPrefix(name+"-"+strings.ToLower(string(content)), "-")
}

// writeAll writes the tables beside their places and, when all are safely on
// disk, moves them there.
func writeAll(dir string, files []*table.File) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for address tables: %w", err)
	}
	temporary := make([]string, 0, len(files))
	defer func() {
		for _, path := range temporary {
			// After a rename there is nothing left to remove.
			_ = os.Remove(path)
		}
	}()
	for _, f := range files {
		path, err := writeTemporary(dir, f)
		if path != "" {
			temporary = append(temporary, path)
		}
		if err != nil {
			return fmt.Errorf("write table %s: %w", f.Header.Name, err)
		}
	}
	for i, f := range files {
		if err := os.Rename(temporary[i], filepath.Join(dir, f.Header.Name+suffix)); err != nil {
			return fmt.Errorf("put table %s in place: %w", f.Header.Name, err)
		}
	}
	return nil
}

func writeTemporary(dir string, f *table.File) (path string, err error) {
	file, err := os.CreateTemp(dir, "update-*.tmp")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriter(file)
	if err := table.Write(w, f); err != nil {
		return file.Name(), err
	}
	if err := w.Flush(); err != nil {
		return file.Name(), err
	}
	return file.Name(), file.Sync()
}

// loadedFiles reads the operator's tables, oldest first.
func loadedFiles(dir string) ([]*table.File, error) {
	entries, err := os.ReadDir(dir)
	if dir == "" || errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("folder of address tables: %w", err)
	}
	var files []*table.File
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), suffix) {
			continue
		}
		f, err := loadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b *table.File) int { // ReadDir has sorted by name
		return a.Header.Imported.Compare(b.Header.Imported)
	})
	return files, nil
}

func loadFile(path string) (*table.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("address table: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read from
	f, err := table.Read(bufio.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("address table %s: %w (load the list it was made from again, or delete it)", path, err)
	}
	return f, nil
}
