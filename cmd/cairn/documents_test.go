package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

func newParser(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("cairn"),
		kong.Vars{"data_dir": defaultDataDir(), "kinds": kindNames(), "master_key_file": "master.key"}, kong.Exit(func(int) {}))
	require.NoError(t, err)
	return parser
}

func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	require.NoError(t, err)
	return string(text)
}

// commandLine finds cairn's arguments in a line of a shell block, also within
// $(…); word parts them.
var (
	commandLine = regexp.MustCompile(`(?m)^(?:\$ |.*\$\()?cairn ([^)\n]*)\)?$`)
	word        = regexp.MustCompile(`'[^']*'|\S+`)
)

func commandLines(text string) (lines [][]string) {
	for i, block := range strings.Split(text, "```") {
		if i%2 == 0 {
			continue // prose
		}
		for _, found := range commandLine.FindAllStringSubmatch(block, -1) {
			var args []string
			for _, w := range word.FindAllString(found[1], -1) {
				args = append(args, strings.Trim(w, "'"))
			}
			lines = append(lines, args)
		}
	}
	return lines
}

// TestDocumentsCommandLines parses every command line of cairn that a document shows.
func TestDocumentsCommandLines(t *testing.T) {
	t.Parallel()

	paths, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	texts := []string{document(t, "README.md")}
	for _, path := range paths {
		texts = append(texts, document(t, filepath.Join("docs", filepath.Base(path))))
	}
	count := 0
	for _, args := range commandLines(strings.Join(texts, "\n")) {
		_, err := newParser(t).Parse(args)
		require.NoError(t, err, "cairn %q", args)
		count++
	}
	require.Greater(t, count, 8, "the documents show more command lines than that")

	require.Equal(t, [][]string{{"import", "--tenant", "A B", "x.csv"}, {"serve"}},
		commandLines("cairn prose\n```sh\nexport K=$(cairn import --tenant 'A B' x.csv)\n$ cairn serve\n```\n"))
}

// TestReadmeNamesEveryFlag compares the table of the configuration with the
// flags of cairn serve.
func TestReadmeNamesEveryFlag(t *testing.T) {
	t.Parallel()

	readme := document(t, "README.md")
	for _, node := range newParser(t).Model.Children {
		if node.Name != "serve" {
			continue
		}
		for _, group := range node.AllFlags(true) {
			for _, flag := range group {
				if len(flag.Envs) == 0 {
					continue // --help
				}
				row := regexp.MustCompile("(?m)^\\| `--(no-)?" + flag.Name + "` \\| `" + flag.Envs[0] + "[`=]")
				require.Regexp(t, row, readme)
			}
		}
		return
	}
	t.Fatal("there is no command serve")
}

var tenantID = regexp.MustCompile(`tenant_[0-9a-z]{26}`)

// TestReadmeImport imports the example as the README does and compares what is printed.
func TestReadmeImport(t *testing.T) {
	t.Parallel()

	readme := document(t, "README.md")
	require.Contains(t, readme, "\ncairn import --tenant Contoso docs/examples/contoso-audit.csv\n")
	var stdout, stderr bytes.Buffer
	args := []string{"import", "--data-dir", t.TempDir(), "--database-url=", "--tenant", "Contoso", filepath.Join("..", "..", "docs", "examples", "contoso-audit.csv")}
	require.Equal(t, exitDone, run(args, strings.NewReader(""), &stdout, &stderr), stderr.String())
	require.Contains(t, readme, "```text\n"+tenantID.ReplaceAllString(stdout.String(), "tenant_…")+"```\n")
}
