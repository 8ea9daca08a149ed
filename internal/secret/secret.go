// Package secret seals what must not be read outside the row it belongs to: app
// secrets, keys of PSAs, keys of webhooks. The master key lies in a file outside
// the data folder and its backups, so that neither a copy of the database nor a
// backup gives a secret away. Sealing is tink's AEAD (AES-256-GCM).
//
// What may not live here: what is secret. API keys and session tokens are never
// needed again and stored hashed, elsewhere.
package secret

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cairn-itdr/cairn/internal/refusal"
)

// ErrNoKey is the refusal to take a secret where there is no master key.
var ErrNoKey = refusal.New(refusal.Conflict, nil,
	"this installation has no master key and can't keep secrets: the operator makes one with `cairn admin init`, "+
		"names it with --master-key-file or CAIRN_MASTER_KEY_FILE, and starts cairn again")

// Row is where a secret belongs. What was sealed for one opens for no other.
type Row struct {
	OrganizationID string
	Table          string
	ID             string
	Column         string
}

// associated writes the row so that no two rows read the same.
func (r Row) associated() []byte {
	var out []byte
	for _, part := range []string{r.OrganizationID, r.Table, r.ID, r.Column} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part))) //nolint:gosec // ids and names are short
		out = append(out, part...)
	}
	return out
}

// Keeper seals and opens with a master key. The zero Keeper, and nil, have none:
// they answer ErrNoKey.
type Keeper struct{ key tink.AEAD }

// Seal seals a secret for a row.
func (k *Keeper) Seal(row Row, plain []byte) ([]byte, error) {
	if k == nil || k.key == nil {
		return nil, ErrNoKey
	}
	sealed, err := k.key.Encrypt(plain, row.associated())
	if err != nil {
		return nil, fmt.Errorf("seal a secret of %s: %w", row.ID, err)
	}
	return sealed, nil
}

// ErrOtherKey is returned where a secret was sealed with a key that the key file
// does not hold, or for another row.
var ErrOtherKey = errors.New("the secret was sealed with another master key, or for another row: enter it again, or bring the key file back")

// Open opens a secret of a row.
func (k *Keeper) Open(row Row, sealed []byte) ([]byte, error) {
	if k == nil || k.key == nil {
		return nil, ErrNoKey
	}
	plain, err := k.key.Decrypt(sealed, row.associated())
	if err != nil { // tink says no more, on purpose
		return nil, fmt.Errorf("open a secret of %s: %w", row.ID, ErrOtherKey)
	}
	return plain, nil
}

// Load reads the master key from a file, which must be its owner's alone and lie
// outside the data folder. fs.ErrNotExist where there is no such file.
func Load(path, dataDir string) (*Keeper, error) {
	handle, err := read(path, dataDir)
	if err != nil {
		return nil, err
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", path, err)
	}
	return &Keeper{key: key}, nil
}

// Create makes a new master key in a file that must not be there yet, in a
// folder made where it is missing.
func Create(path, dataDir string) error {
	if err := outside(path, dataDir); err != nil {
		return err
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make a master key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the master key's folder: %w", err)
	}
	return write(path, handle, os.O_EXCL)
}

// Rotate adds a new key to the file, with which everything is sealed from the
// next start on. What was sealed before still opens.
func Rotate(path, dataDir string) error {
	handle, err := read(path, dataDir)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(handle)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("add a master key: %w", err)
	}
	if err := m.SetPrimary(id); err != nil {
		return fmt.Errorf("add a master key: %w", err)
	}
	if handle, err = m.Handle(); err != nil {
		return fmt.Errorf("add a master key: %w", err)
	}
	// Beside the old file and then in its place: a power cut leaves one of them whole.
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write the master key: %w", err)
	}
	if err := write(next, handle, os.O_EXCL); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write the master key: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// maxFile is the largest key file that is read.
const maxFile = 1 << 20

func read(path, dataDir string) (*keyset.Handle, error) {
	if err := outside(path, dataDir); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("master key %s can be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("master key %s is no key file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	// The file is the key: it is protected by its mode and its place.
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("master key %s is no key file: %w", path, err)
	}
	return handle, nil
}

func write(path string, handle *keyset.Handle, flag int) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return refusal.New(refusal.Taken, nil, "%s is there already: a new key would make everything that was sealed with it unreadable", path)
	}
	if err != nil {
		return fmt.Errorf("write the master key: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(f)); err != nil {
		return fmt.Errorf("write the master key: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the master key: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write the master key: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write the master key: %w", err)
	}
	return nil
}

// outside refuses a key file within the data folder: whoever copies that would
// have both the lock and the key.
func outside(path, dataDir string) error {
	if path == "" {
		return ErrNoKey
	}
	if dataDir == "" {
		return nil
	}
	file, err := resolved(path)
	if err != nil {
		return fmt.Errorf("find the master key: %w", err)
	}
	dir, err := resolved(dataDir)
	if err != nil {
		return fmt.Errorf("find the data folder: %w", err)
	}
	relative, err := filepath.Rel(dir, file)
	if err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return refusal.New(refusal.Invalid, nil, "the master key %s lies in the data folder %s: keep it elsewhere, or whoever has a copy or backup of the folder has the key too", path, dataDir)
	}
	return nil
}

// resolved is a path without links, as far as it exists.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		found, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(found, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return "", err
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}
