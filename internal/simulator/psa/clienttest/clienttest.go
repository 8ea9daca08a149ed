// Package clienttest has published clients of the vendors' APIs drive the
// simulators: people who have never seen the simulator wrote what they expect of
// the real thing.
package clienttest

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// installTime is how long the package may take to come.
const installTime = 2 * time.Minute

// Node runs a script with a package of npm, against the handler over TLS. The
// script reads HOST (with a port) from its environment, and whatever env has; it
// fails by throwing. Where the package can't be had the test is skipped.
func Node(t *testing.T, pkg, script string, handler http.Handler, env ...string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("NOT CHECKED: there is no node here to run " + pkg)
	}
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), installTime)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", pkg)
	if said, err := install.CombinedOutput(); err != nil {
		t.Skipf("NOT CHECKED: %s can't be installed here: %v\n%s", pkg, err, said)
	}

	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	authority := filepath.Join(folder, "authority.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(authority, block, 0o600))
	file := filepath.Join(folder, "script.mjs")
	require.NoError(t, os.WriteFile(file, []byte(script), 0o600))

	run := exec.CommandContext(t.Context(), "node", file)
	run.Dir = folder
	run.Env = append(os.Environ(), append(env, "HOST="+server.Listener.Addr().String(), "NODE_EXTRA_CA_CERTS="+authority)...)
	said, err := run.CombinedOutput()
	require.NoError(t, err, "%s", said)
}
