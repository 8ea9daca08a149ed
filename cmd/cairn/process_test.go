package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const directory = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"

// record is one line of AuditData.
func record(n int) []byte {
	return fmt.Appendf(nil, `{"CreationTime":"2025-03-04T05:%02d:%02d","Id":"11111111-2222-4333-8444-%012d","Operation":"FileAccessed",`+
		`"OrganizationId":"%s","RecordType":6,"UserKey":"k","UserType":0,"Version":1,"Workload":"SharePoint",`+
		`"UserId":"alva@contoso.example","ClientIP":"198.51.100.7"}`+"\n", n/60%60, n%60, n, directory)
}

// cairn runs a command to its end and returns its exit code and both outputs.
func cairn(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "cairn", args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		require.True(t, ok, "%v", err)
		code = ended.ExitCode()
	}
	return code, out.String(), complaints.String()
}

// serve starts a server of the folder and returns once it serves, with its
// address and what stops it.
func serve(t *testing.T, dataDir string, args ...string) (address string, stop func()) {
	t.Helper()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", dataDir, "--log-format", "json"}, args...)
	cmd := exec.CommandContext(t.Context(), "cairn", args...)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stderr)
	next := func() (line struct{ Msg, Address string }) {
		require.True(t, lines.Scan(), "the server ended: %v", lines.Err())
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text())
		return line
	}
	for address == "" {
		if line := next(); line.Msg == "serving" {
			address = line.Address
		}
	}
	return address, func() {
		t.Helper()
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		for next().Msg != "stopped" {
			continue
		}
		require.False(t, lines.Scan(), "after its end: %s", lines.Text())
		require.NoError(t, cmd.Wait())
	}
}

// openFolder is a temporary folder that every user of the machine may write to.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cairn-test-") //nolint:usetesting // t.TempDir's parent is closed to others
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

// program copies cairn to where every user of the machine may run it.
func program(t *testing.T, dir string) string {
	t.Helper()
	path, err := exec.LookPath("cairn")
	require.NoError(t, err)
	from, err := os.Open(path)
	require.NoError(t, err)
	defer from.Close()
	copied := filepath.Join(dir, "cairn")
	to, err := os.OpenFile(copied, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	return copied
}
