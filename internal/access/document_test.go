package access_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
)

//go:generate go test . -run ^TestDocument$ -update

var update = flag.Bool("update", false, "write the policy into docs/access.md")

// The part of the document that is the policy.
const (
	documentBegin = "<!-- policy: written by go generate ./internal/access -->\n"
	documentEnd   = "<!-- end of policy -->\n"
)

// TestDocument compares docs/access.md with the policy; with -update it writes it.
func TestDocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "access.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, ok := bytes.Cut(text, []byte(documentBegin))
	require.True(t, ok, "%s has no line %q", path, documentBegin)
	_, tail, ok := bytes.Cut(rest, []byte(documentEnd))
	require.True(t, ok, "%s has no line %q", path, documentEnd)
	lines, err := access.PolicyLines()
	require.NoError(t, err)
	want := string(head) + documentBegin + render(lines) + documentEnd + string(tail)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(text), "go generate ./internal/access brings the document in step")
}

// render writes the policy as a table of permissions and roles, and on which
// rows each role has them.
func render(lines [][]string) string {
	var b strings.Builder
	b.WriteString("\n| Permission |")
	for _, r := range access.Roles() {
		b.WriteString(" " + string(r) + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(access.Roles())) + "\n")
	reach := map[string]string{}
	for _, p := range access.Permissions() {
		fmt.Fprintf(&b, "| `%s` |", p)
		for _, r := range access.Roles() {
			b.WriteString(" " + cellOf(lines, r, p, reach) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\nOn which tenants' rows:\n\n| Role | Tenants | Sensitive | Paused and removed | Unpublished incidents |\n|---|---|---|---|---|\n")
	for _, r := range access.Roles() {
		if reach[string(r)] != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", r, reach[string(r)])
		}
	}
	b.WriteString("\n")
	return b.String()
}

func cellOf(lines [][]string, r access.Role, p access.Permission, reach map[string]string) string {
	for _, l := range lines {
		if l[0] != string(r) || l[1] != string(p) {
			continue
		}
		if l[4] != "none" && reach[string(r)] == "" {
			var cells []string
			for _, c := range l[4:] {
				cells = append(cells, words(c))
			}
			reach[string(r)] = strings.Join(cells, " | ")
		}
		switch {
		case l[2] != "-" && l[3] != "-":
			return "with " + words(l[2]) + ", not " + words(l[3])
		case l[2] != "-":
			return "with " + words(l[2])
		case l[3] != "-":
			return "not " + words(l[3])
		}
		return "yes"
	}
	return "–"
}

var flagWords = strings.NewReplacer(
	string(access.FlagReadOnly), "Is Read Only", string(access.FlagManageTenants), "Can Manage Tenants",
	string(access.FlagViewSensitive), "Can View Sensitive Tenants",
)

func words(cell string) string { return flagWords.Replace(cell) }
