package database_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Ensure the logs of the clients are their owner's alone to read, in a folder
// that was there already and is open to others, and where an older Cairn made
// the file.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "cairn.db"), nil, 0o644)))
	db, err := database.Open(context.Background(), database.Config{DataDir: dir})
	require.NoError(t, err)
	_, err = db.Client().Tenant.Query().Count(access.System(context.Background(), "test", "organization_x"))
	require.NoError(t, err)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Greater(t, len(files), 2, "the database, its log and the lock")
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
	require.NoError(t, db.Close())
}

// Ensure a data folder may be named relative to where one is, and oddly.
func TestRelativeFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"data", "./data/below", "what? 100%#1"} {
		db, err := database.Open(context.Background(), database.Config{DataDir: dir})
		require.NoError(t, err, dir)
		require.NoError(t, db.Close())
		require.FileExists(t, filepath.Join(dir, "cairn.db"))
	}
}
