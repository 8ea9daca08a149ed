//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

// Ensure a full disk ends an import with a clear word, leaves nothing half
// written, and that the same command completes it once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	const small = "size=3m"
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, small); err != nil {
		t.Skipf("SKIPPED: a full disk was not tried, for no file system can be mounted: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(full, 0)) })
	const files, records = 6, 6 * 1000
	var logs []string
	for file := range files {
		var lines [][]byte
		for n := range records / files {
			lines = append(lines, record(file*records/files+n))
		}
		logs = append(logs, write(t, fmt.Sprintf("log%d.json", file), lines))
	}
	dataDir := filepath.Join(full, "data")
	importing := func(dataDir string) []string { return importing(database.Config{DataDir: dataDir}, logs...) }

	code, stdout, stderr := cairn(t, importing(dataDir)...)
	require.Equal(t, exitFailed, code, stdout)
	require.Regexp(t, `(?i)^cairn: the import stopped; .*the same command completes the rest: .*(disk.* full|no space left)`, stderr)
	require.NotContains(t, stderr, "panic")
	told := regexp.MustCompile(`(\d+) new`).FindStringSubmatch(stdout)
	require.NotNil(t, told, stdout)
	stored, err := strconv.Atoi(told[1])
	require.NoError(t, err)
	require.Less(t, stored, records)

	require.NoError(t, unix.Mount("tmpfs", full, "tmpfs", unix.MS_REMOUNT, "size=200m"))
	require.Len(t, takeFolder(t, dataDir).Activities, stored, "what the summary counts as new is what is stored")
	code, stdout, stderr = cairn(t, importing(dataDir)...)
	require.Zero(t, code, stderr)
	require.Regexp(t, `\b`+strconv.Itoa(records-stored)+` new\n +`+strconv.Itoa(stored)+` already known`, stdout)

	undisturbed := t.TempDir()
	code, _, stderr = cairn(t, importing(undisturbed)...)
	require.Zero(t, code, stderr)
	require.Empty(t, cmp.Diff(takeFolder(t, undisturbed), takeFolder(t, dataDir)))
}

func takeFolder(t *testing.T, dataDir string) databasetest.Snapshot {
	t.Helper()
	return take(t, database.Config{DataDir: dataDir})
}
