package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

// TestMain puts this binary on the path as cairn, so that tests start cairn
// the way people do: as a process.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"cairn": main}) }

// scriptCommands are what the scripts can do besides testscript's own:
//
//	exits CODE PROGRAM ARGUMENT…   the program ends with this exit code
//	printable                      the last outputs hold no control or escape character
//	gzip FROM TO                   compresses
//	cut FROM TO BYTES              copies, without the last bytes
//	bom FROM TO                    puts a UTF-8 byte-order mark in front
//	utf16 FROM TO                  makes it UTF-16, little-endian, with mark
//	unescape FROM TO               copies, taking \xNN and \u… for the character they name
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits": exits,
	"printable": func(ts *testscript.TestScript, _ bool, _ []string) {
		for _, name := range []string{"stdout", "stderr"} {
			for _, r := range ts.ReadFile(name) {
				if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
					ts.Fatalf("%s holds %U", name, r)
				}
			}
		}
	},
	"gzip": rewrite(func(b []byte, _ string) ([]byte, error) {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := w.Write(b)
		err = errors.Join(err, w.Close())
		return zipped.Bytes(), err
	}),
	"cut": rewrite(func(b []byte, n string) ([]byte, error) {
		count, err := strconv.Atoi(n)
		return b[:max(0, len(b)-count)], err
	}),
	"bom": rewrite(func(b []byte, _ string) ([]byte, error) { return append([]byte("\xef\xbb\xbf"), b...), nil }),
	"utf16": rewrite(func(b []byte, _ string) ([]byte, error) {
		out := []byte{0xff, 0xfe}
		for _, unit := range utf16.Encode([]rune(string(b))) {
			out = append(out, byte(unit), byte(unit>>8))
		}
		return out, nil
	}),
	"unescape": rewrite(func(b []byte, _ string) ([]byte, error) {
		s, err := strconv.Unquote("`" + string(b) + "`")
		if err == nil {
			s, err = strconv.Unquote(`"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(s) + `"`)
		}
		return []byte(s), err
	}),
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, not %d", args[1], got, want)
	}
}

func rewrite(change func(content []byte, argument string) ([]byte, error)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) < 2 {
			ts.Fatalf("wanted: FROM TO")
		}
		content, err := change([]byte(ts.ReadFile(args[0])), strings.Join(args[2:], " "))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), content, 0o600))
	}
}

// Ensure the command line does what its users rely on. Each file in
// testdata/script is one story.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), Cmds: scriptCommands, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CAIRN_DATA_DIR", filepath.Join(env.WorkDir, "data"))
			env.Setenv("HOSTILE", "evil\x1b[31m\u202e.json")
			env.Setenv("LONG", strings.Repeat("x", 201))
			env.Setenv("FORGED", "evil\nREFUSED other.json: gone")
			return nil
		},
	})
}

// Ensure the command line works on PostgreSQL, without a data folder.
func TestScriptsOnPostgres(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "postgres"), Cmds: scriptCommands, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CAIRN_DATABASE_URL", url)
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "xdg"))
			return nil
		},
	})
}

// Ensure a file that may not be read is refused and named, and stops no other.
// Where the test runs as root, to whom every file is open, cairn runs as nobody.
func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	secret, fine := filepath.Join(dir, "secret.json"), filepath.Join(dir, "fine.json")
	require.NoError(t, os.WriteFile(secret, record(1), 0o600))
	require.NoError(t, os.Chmod(secret, 0))
	require.NoError(t, os.WriteFile(fine, record(2), 0o600))
	require.NoError(t, os.Chmod(fine, 0o644))
	cmd := exec.Command(program(t, dir), "import", "--data-dir", filepath.Join(dir, "data"), "--tenant", "contoso", secret, fine)
	if os.Geteuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.CombinedOutput()
	ended, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "%v: %s", err, out)
	require.Equal(t, exitFailed, ended.ExitCode(), "%s", out)
	require.Contains(t, string(out), "REFUSED "+secret+": it may not be read: permission denied")
	require.Regexp(t, `\b1 new\b`, string(out))
}
