package secret_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/secret"
)

var row = secret.Row{OrganizationID: "organization_a", Table: "psa_connections", ID: "psaconnection_1", Column: "credentials"}

func keyFile(t *testing.T) (path, dataDir string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "config", "cairn", "master.key")
	require.NoError(t, secret.Create(path, filepath.Join(dir, "data")))
	return path, filepath.Join(dir, "data")
}

// Ensure a secret opens for its row alone, and is nowhere in what is stored.
func TestSealIsBoundToItsRow(t *testing.T) {
	t.Parallel()
	path, data := keyFile(t)
	k, err := secret.Load(path, data)
	require.NoError(t, err)
	sealed, err := k.Seal(row, []byte("hunter2, twice"))
	require.NoError(t, err)
	require.False(t, bytes.Contains(sealed, []byte("hunter2")))
	plain, err := k.Open(row, sealed)
	require.NoError(t, err)
	require.Equal(t, "hunter2, twice", string(plain))
	for _, other := range []secret.Row{
		{OrganizationID: "organization_b", Table: row.Table, ID: row.ID, Column: row.Column},
		{OrganizationID: row.OrganizationID, Table: "webhooks", ID: row.ID, Column: row.Column},
		{OrganizationID: row.OrganizationID, Table: row.Table, ID: "psaconnection_2", Column: row.Column},
		{OrganizationID: row.OrganizationID, Table: row.Table, ID: row.ID, Column: "callback_secret"},
		{OrganizationID: row.OrganizationID + row.Table[:1], Table: row.Table[1:], ID: row.ID, Column: row.Column},
	} {
		_, err := k.Open(other, sealed)
		require.ErrorIs(t, err, secret.ErrOtherKey, "%+v", other)
	}
	sealed[len(sealed)-1] ^= 1
	_, err = k.Open(row, sealed)
	require.ErrorIs(t, err, secret.ErrOtherKey)
}

// Ensure that without a key nothing is sealed, and the refusal says what to do.
func TestNoKey(t *testing.T) {
	t.Parallel()
	for _, k := range []*secret.Keeper{nil, {}} {
		_, err := k.Seal(row, []byte("x"))
		require.ErrorIs(t, err, secret.ErrNoKey)
		_, err = k.Open(row, []byte("x"))
		require.ErrorIs(t, err, secret.ErrNoKey)
	}
	require.Contains(t, secret.ErrNoKey.Message, "cairn admin init")
	_, err := secret.Load("", "")
	require.ErrorIs(t, err, secret.ErrNoKey)
	_, err = secret.Load(filepath.Join(t.TempDir(), "none"), "")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Ensure rotation seals with a new key and still opens what the old one sealed.
func TestRotate(t *testing.T) {
	t.Parallel()
	path, data := keyFile(t)
	before, err := secret.Load(path, data)
	require.NoError(t, err)
	old, err := before.Seal(row, []byte("old"))
	require.NoError(t, err)
	require.NoError(t, secret.Rotate(path, data))
	after, err := secret.Load(path, data)
	require.NoError(t, err)
	plain, err := after.Open(row, old)
	require.NoError(t, err)
	require.Equal(t, "old", string(plain))
	sealed, err := after.Seal(row, []byte("new"))
	require.NoError(t, err)
	_, err = before.Open(row, sealed)
	require.ErrorIs(t, err, secret.ErrOtherKey, "the old key does not know the new one")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	left, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Equal(t, []string{path}, left)
}

// Ensure a key file is refused that others read, that lies where backups go, or
// that is none; and that none is ever overwritten.
func TestKeyFileIsGuarded(t *testing.T) {
	t.Parallel()
	path, data := keyFile(t)
	err := secret.Create(path, data)
	require.NotNil(t, refusal.From(err), "%v", err)
	require.NoError(t, os.Chmod(path, 0o640))
	_, err = secret.Load(path, data)
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(path, 0o600))

	require.NoError(t, os.MkdirAll(data, 0o700))
	require.ErrorContains(t, secret.Create(filepath.Join(data, "sub", "master.key"), data), "lies in the data folder")
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(data, link))
	require.ErrorContains(t, secret.Create(filepath.Join(link, "master.key"), data), "lies in the data folder")
	require.NoError(t, secret.Create(filepath.Join(filepath.Dir(data), "data-key", "master.key"), data), "a name alike is no place alike")

	for _, text := range []string{"", "{}", `{"primaryKeyId":1}`, "not a key"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err = secret.Load(path, data)
		require.ErrorContains(t, err, "no key file", "%q", text)
	}
}
