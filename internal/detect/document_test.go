package detect_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

//go:generate go test . -run ^TestDocument$ -update

var update = flag.Bool("update", false, "write the rules into docs/detections.md")

// The part of the document that the rules write themselves.
const (
	documentBegin = "<!-- rules: written by go generate ./internal/detect -->\n"
	documentEnd   = "<!-- end of rules -->\n"
)

// TestDocument compares docs/detections.md with what the rules say of
// themselves; with -update it writes it.
func TestDocument(t *testing.T) {
	t.Parallel()

	path := filepath.Join("..", "..", "docs", "detections.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, ok := bytes.Cut(text, []byte(documentBegin))
	require.True(t, ok, "%s has no line %q", path, documentBegin)
	_, tail, ok := bytes.Cut(rest, []byte(documentEnd))
	require.True(t, ok, "%s has no line %q", path, documentEnd)

	want := string(head) + documentBegin + describe(detect.Standard().Rules()) + documentEnd + string(tail)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(text), "go generate ./internal/detect brings the document in step")
}

// describe writes the rules for people: one table, then a section each.
func describe(rules []detect.Description) string {
	var b strings.Builder
	b.WriteString("\n| Rule | Claims | Stage | Severity |\n|---|---|---|---|\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s |\n", r.ID, r.ID, r.Title, r.Stage, severities(r))
	}
	for _, r := range rules {
		fmt.Fprintf(&b, "\n### %s\n\n%s. Severity %s, stage %s.\n\n", r.ID, r.Title, severities(r), r.Stage)
		fmt.Fprintf(&b, "- ATT&CK: %s\n", join(r.Techniques, func(id string) string {
			return fmt.Sprintf("[%s](https://attack.mitre.org/techniques/%s/)", id, strings.ReplaceAll(id, ".", "/"))
		}))
		fmt.Fprintf(&b, "- Reads: %s\n", join(r.Needs, func(s activity.Source) string { return "`" + string(s) + "`" }))
		fmt.Fprintf(&b, "- Innocent look-alikes, and what tells them apart: %s\n", r.Benign)
	}
	b.WriteString("\n")
	return b.String()
}

func severities(r detect.Description) string {
	if r.Lowest == r.Highest {
		return string(r.Lowest)
	}
	return fmt.Sprintf("%s to %s", r.Lowest, r.Highest)
}

func join[T any](list []T, text func(T) string) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = text(v)
	}
	return strings.Join(texts, ", ")
}
