// Package pgtest gives a test an empty PostgreSQL database of its own. It is
// imported by tests alone.
//
// The server is the one CAIRN_TEST_POSTGRES names (make test starts one for
// all packages), else a private one that lives as long as the test binary.
// Without PostgreSQL's programs a test fails and says how to get them; with
// CAIRN_TEST_SKIP_POSTGRES=1 it is skipped, and says so.
//
// What may not live here: anything that knows Cairn's tables.
package pgtest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// The environment variables that say where the server comes from.
const (
	// ServerVariable holds the URL of a server where databases may be created.
	ServerVariable = "CAIRN_TEST_POSTGRES"
	// SkipVariable set to "1" skips every test that needs PostgreSQL.
	SkipVariable = "CAIRN_TEST_SKIP_POSTGRES"
)

// URL creates an empty database and returns its URL, whose user owns it and is
// no superuser: row policies bind it as they bind users of Cairn. The database
// is dropped, whoever is still connected, when the test and its subtests are over.
func URL(t testing.TB) string {
	t.Helper()
	if os.Getenv(SkipVariable) == "1" {
		t.Skip("SKIPPED: nothing was tried on PostgreSQL, because " + SkipVariable + "=1")
	}
	shared, err := sharedServer()
	require.NoError(t, err)

	name := "cairn_test_" + strings.ToLower(rand.Text()) // free, whoever else uses the server
	password := rand.Text()
	require.NoError(t, execute(t.Context(), shared.url, "CREATE ROLE "+name+" LOGIN PASSWORD '"+password+"'"))
	require.NoError(t, execute(t.Context(), shared.url, "CREATE DATABASE "+name+" OWNER "+name+" TEMPLATE template0"))
	t.Cleanup(func() {
		// The test's own context is over by now.
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, execute(ctx, shared.url, "DROP DATABASE "+name+" WITH (FORCE)"))
		require.NoError(t, execute(ctx, shared.url, "DROP ROLE "+name))
	})
	return as(t, shared.url, name, password, name)
}

// Stranger makes a role that owns nothing in a database that URL made, with the
// rights to read and write what is there, and returns the URL by which it
// connects.
func Stranger(t testing.TB, database string) string {
	t.Helper()
	name, password := "cairn_stranger_"+strings.ToLower(rand.Text()), rand.Text()
	shared, err := sharedServer()
	require.NoError(t, err)
	require.NoError(t, execute(t.Context(), shared.url, "CREATE ROLE "+name+" LOGIN PASSWORD '"+password+"'"))
	u, err := url.Parse(database)
	require.NoError(t, err)
	admin, err := url.Parse(shared.url)
	require.NoError(t, err)
	admin.Path = u.Path
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, execute(ctx, admin.String(), "DROP OWNED BY "+name))
		require.NoError(t, execute(ctx, shared.url, "DROP ROLE "+name))
	})
	require.NoError(t, execute(t.Context(), database, "GRANT ALL ON ALL TABLES IN SCHEMA public TO "+name))
	require.NoError(t, execute(t.Context(), database, "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO "+name))
	return as(t, database, name, password, strings.TrimPrefix(u.Path, "/"))
}

// as is the URL of a server's database for a user.
func as(t testing.TB, server, user, password, database string) string {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err)
	u.User, u.Path = url.UserPassword(user, password), "/"+database
	return u.String()
}

// execute runs one statement on a connection of its own: there is no pool
// whose goroutines a test's leak check would find.
func execute(ctx context.Context, server, statement string) error {
	connection, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the PostgreSQL server of the tests: %w", err)
	}
	if _, err := connection.Exec(ctx, statement); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", statement, err), connection.Close(ctx))
	}
	return connection.Close(ctx)
}

// server is a PostgreSQL server.
type server struct {
	url string
	// life is the standard input of the process that keeps a private server.
	// It closes when this process ends, in whatever way, and that is what stops
	// the server.
	life io.Closer
}

// sharedServer returns the server that all tests of this binary share.
var sharedServer = sync.OnceValues(func() (server, error) {
	if url := os.Getenv(ServerVariable); url != "" {
		return server{url: url}, nil
	}
	return startServer()
})

func startServer() (server, error) {
	script, err := findScript("with-postgres.sh")
	if err != nil {
		return server{}, err
	}
	complaints, err := os.CreateTemp("", "cairn-pgtest")
	if err != nil {
		return server{}, fmt.Errorf("make a file for the server's messages: %w", err)
	}
	defer func() { _, _ = complaints.Close(), os.Remove(complaints.Name()) }()

	keeper := exec.Command(script, "sh", "-c", `echo "$`+ServerVariable+`"; exec cat`)
	keeper.Stderr = complaints // a file, for a pipe would need a goroutine
	life, err := keeper.StdinPipe()
	if err != nil {
		return server{}, fmt.Errorf("start %s: %w", script, err)
	}
	output, err := keeper.StdoutPipe()
	if err != nil {
		return server{}, fmt.Errorf("start %s: %w", script, err)
	}
	if err := keeper.Start(); err != nil {
		return server{}, fmt.Errorf("start %s: %w", script, err)
	}
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		_ = keeper.Wait() // it has ended; what it wrote says why
		said, _ := os.ReadFile(complaints.Name())
		return server{}, fmt.Errorf("start a private PostgreSQL server: %s", said)
	}
	return server{url: strings.TrimSpace(url), life: life}, nil
}

// findScript looks for a script of the repository from the working directory
// upwards: a test runs in its package's folder.
func findScript(name string) (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find scripts/%s: %w", name, err)
	}
	for {
		script := filepath.Join(folder, "scripts", name)
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", fmt.Errorf("find scripts/%s: not in any folder above the test's", name)
		}
		folder = parent
	}
}
