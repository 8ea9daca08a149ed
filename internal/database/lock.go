package database

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrFolderInUse is returned where another process holds the data folder.
var ErrFolderInUse = errors.New("the data folder is in use by another cairn process")

// lockFolder takes the folder for this process. The kernel drops the lock when
// the process ends, however it ends, so a stale file locks nobody out.
func lockFolder(dir string) (unlock func() error, err error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := ""
		if b, readErr := os.ReadFile(path); readErr == nil {
			holder = strings.TrimSpace(string(b))
		}
		closeErr := f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), closeErr)
		}
		return nil, errors.Join(fmt.Errorf("%w (%s, process %s): stop that one first, or give --data-dir another folder",
			ErrFolderInUse, dir, holder), closeErr)
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), f.Close())
	}
	return f.Close, nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
