package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ensure a data folder is one process's: the second is told who has it and
// what to do, and when the first has stopped the folder is free. What an
// import stored is then there to be asked for.
func TestDataFolderIsOneProcesss(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, key, _ := cairn(t, "admin", "create-api-key", "--role", "ADMIN", "--data-dir", dir)
	require.Zero(t, code)
	hiding := filepath.Join("testdata", "inbox_rule.json")
	code, out, _ := cairn(t, "import", "--data-dir", dir, "--tenant", "Contoso", hiding)
	require.Zero(t, code)
	require.Contains(t, out, "1 opened")

	address, stop := serve(t, dir)
	for _, args := range [][]string{
		{"migrate"}, {"serve", "--listen", "127.0.0.1:0"}, {"import", "--tenant", "Contoso", hiding}, {"admin", "create-api-key", "--role", "ADMIN"},
	} {
		code, stdout, stderr := cairn(t, append(args, "--data-dir", dir)...)
		require.Equal(t, exitFailed, code)
		require.Empty(t, stdout)
		require.Regexp(t, `^cairn: the data folder is in use by another cairn process \(.*, process [0-9]+\): stop that one first, or give --data-dir another folder\n$`, stderr)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/graphql",
		strings.NewReader(`{"query":"{ incidents { nodes { title isLive tenant { name } account { principal } } } }"}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(key))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", answer)
	require.Contains(t, string(answer), `"isLive":false,"tenant":{"name":"Contoso"},"account":{"principal":"alva@contoso.example"}`)

	stop()
	code, _, stderr := cairn(t, "migrate", "--data-dir", dir)
	require.Zero(t, code, stderr)
}

// Ensure Ctrl-C ends the demo cleanly while it still tells its story, and that
// a second demo says why it can't start where the first one is.
func TestDemoEndsOnInterrupt(t *testing.T) {
	t.Parallel()
	temporary := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "cairn", "demo", "--json", "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	var log bytes.Buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var start struct{ Explorer, API, APIKey, Query, DataDir string }
	output := json.NewDecoder(stdout)
	require.NoError(t, output.Decode(&start))
	require.True(t, strings.HasPrefix(start.APIKey, "cairn_key_"))
	require.Equal(t, temporary, filepath.Dir(start.DataDir))
	api, err := url.Parse(start.API)
	require.NoError(t, err)

	code, out, complaint := cairn(t, "demo", "--listen", api.Host)
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	require.Contains(t, complaint, "--listen 127.0.0.1:0 takes any free port")

	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(io.MultiReader(output.Buffered(), stdout))
	require.NoError(t, err)
	require.NoError(t, cmd.Wait(), log.String())
	require.Empty(t, strings.TrimSpace(string(rest)))
	require.Contains(t, log.String(), "stopped")
	require.NotContains(t, log.String(), "level=ERROR")
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left)

	code, out, complaint = cairn(t, "demo", "--listen", "127.0.0.1:0", "--data-dir", "testdata")
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	require.Contains(t, complaint, "testdata: the folder is not empty and holds no demo")
}
