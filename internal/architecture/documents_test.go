package architecture_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

const top = "../.." // of the repository

// link is a Markdown link or image; its target is the first group.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks follows every relative link of every document, heading included.
func TestLinks(t *testing.T) {
	t.Parallel()

	for _, path := range documents(t) {
		for _, target := range links(readDocument(t, path)) {
			file, heading, _ := strings.Cut(target, "#")
			if file = filepath.Join(filepath.Dir(path), file); strings.HasPrefix(target, "#") {
				file = path
			}
			info, err := os.Stat(filepath.Join(top, file))
			if !assertf(t, err == nil, "%s links to %s, which is not there", path, target) || heading == "" {
				continue
			}
			assertf(t, !info.IsDir() && headings(readDocument(t, file))[heading], "%s links to %s, which has no such heading", path, target)
		}
	}
}

func TestLinksBite(t *testing.T) {
	t.Parallel()

	text := "# Two `words`, and: more\n[a](b.md#c) [site](https://example.com) ![i](i.png)\n```\n[no](link)\n# no heading\n```\n"
	require.Equal(t, []string{"b.md#c", "i.png"}, links(text))
	require.Equal(t, map[string]bool{"two-words-and-more": true}, headings(text))
}

func assertf(t *testing.T, ok bool, format string, args ...any) bool {
	t.Helper()
	if !ok {
		t.Errorf(format, args...)
	}
	return ok
}

// documents are the Markdown files of the repository, committed or about to be.
func documents(t *testing.T) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md")
	command.Dir = top
	output, err := command.Output()
	if err != nil {
		t.Skip("SKIPPED: the list of documents comes from git, and this is no git checkout")
	}
	paths := strings.FieldsFunc(string(output), func(r rune) bool { return r == 0 })
	require.Contains(t, paths, "README.md")
	return paths
}

func readDocument(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, path))
	require.NoError(t, err)
	return string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
}

// links returns the relative targets of a document's links.
func links(text string) []string {
	var targets []string
	for _, found := range link.FindAllStringSubmatch(prose(text), -1) {
		if target := found[1]; !strings.Contains(target, "://") && !strings.HasPrefix(target, "mailto:") {
			targets = append(targets, target)
		}
	}
	return targets
}

// headings returns a document's headings as links name them: lower case,
// hyphens for blanks, no punctuation.
func headings(text string) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(prose(text)) {
		name, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || line[0] != '#' {
			continue
		}
		names[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(name))] = true
	}
	return names
}

// prose returns a document without its blocks of code.
func prose(text string) string {
	var b strings.Builder
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		} else if !code {
			b.WriteString(line)
		}
	}
	return b.String()
}
