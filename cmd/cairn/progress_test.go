//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal of so many columns, 0 for one that does not
// tell; read ends it and returns what was written to it.
func terminal(t *testing.T, columns uint16) (tty *os.File, read func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: progress on a terminal was not tried, for there is none to be had: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	return tty, func() string {
		require.NoError(t, tty.Close())
		written, _ := io.ReadAll(master) // ends with an I/O error once the other end is closed
		return string(written)
	}
}

// Ensure progress shows on every terminal, whatever standard output is.
func TestProgress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		columns uint16
		size    int64
		want    string
	}{
		{columns: 0, size: 4 << 20, want: "\rimporting: 25 %\rimporting: 50 %\r               \r"},
		{columns: 20, size: 4 << 20, want: "\rimporting: 25 %\rimporting: 50 %\r               \r"},
		{columns: 0, size: -1, want: "\rimporting: 1 MiB\rimporting: 2 MiB\r                \r"},
	} {
		tty, read := terminal(t, c.columns)
		progress, done := progressOf(tty)
		for _, n := range []int64{1 << 20, 1<<20 + 1, 2 << 20} {
			progress(n, c.size)
		}
		done()
		require.Equal(t, c.want, read())
	}
	tty, read := terminal(t, 120)
	progress, done := progressOf(tty)
	progress(1<<20, 4<<20)
	done()
	require.Regexp(t, `importing +25% \|█+ +\|`, read())

	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer file.Close()
	progress, done = progressOf(file)
	require.Nil(t, progress, "a file gets none")
	done()
}
