package format_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// described is what the page on importing says of each shape: what it is, and
// the source its records are stored as.
var described = map[string][2]string{
	"unified_audit":         {"unified audit record (Purview, `Search-UnifiedAuditLog`, Management Activity API)", "`UNIFIED_AUDIT`"},
	"graph_sign_in":         {"sign-in: Graph, the Graph and AzureAD modules of PowerShell, rows of SigninLogs, AADNonInteractiveUserSignInLogs, AADServicePrincipalSignInLogs, AADManagedIdentitySignInLogs", "`SIGN_IN`"},
	"graph_directory_audit": {"directory audit record: Graph, the modules of PowerShell", "`DIRECTORY_AUDIT`"},
	"azure_monitor_audit":   {"row of AuditLogs (Log Analytics, Sentinel)", "`DIRECTORY_AUDIT`"},
	"office_activity":       {"row of OfficeActivity (Log Analytics, Sentinel)", "`UNIFIED_AUDIT`"},
	"diagnostic_settings":   {"record of diagnostic settings (storage account, Event Hub): the categories `AuditLogs` and all that end in `SignInLogs`", "`DIRECTORY_AUDIT`, `SIGN_IN`"},
	"graph_audit_search":    {"answer of Graph's audit log search whose `auditData` is empty: what stands beside it", "`UNIFIED_AUDIT`"},
	"defender_hunting":      {"row of Defender's hunting tables that holds no audit record", "skipped: it repeats other logs"},
}

const (
	begins = "<!-- what is read: written by go test ./internal/activity/format -run Document -update -->"
	ends   = "<!-- end -->"
)

// TestDocument keeps the page on importing true to the code.
func TestDocument(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(begins + "\n\n| Record | Stored as source | Known by members, in any case |\n|---|---|---|\n")
	for _, shape := range format.Shapes() {
		text, ok := described[shape.Name()]
		require.True(t, ok, "describe %s", shape.Name())
		var known []string
		for _, names := range shape.Signatures() {
			known = append(known, "`"+strings.Join(names, "` and `")+"`")
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", text[0], text[1], strings.Join(known, "; "))
	}
	carriers, holders, passages := format.Roles()
	quoted := func(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
	fmt.Fprintf(&b, "\nRecords wrapped in others are taken out of them, whatever the wrappers are called, as objects or as JSON in texts. Of these names it matters:\n\n"+
		"- %s hold the whole record beside a summary of it.\n"+
		"- Lists under %s are read record by record, and so may be larger than a record; also within %s.\n"+
		"- Of a CSV the first of the columns %s that there is holds the whole record; a CSV without one is read where its columns are the members of a record above.\n\n%s",
		quoted(carriers), quoted(holders), quoted(passages), quoted(format.WholeColumns()), ends)

	const page = "../../../docs/importing.md"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begins)
	require.True(t, ok, "the page has no place for it")
	_, after, ok := strings.Cut(rest, ends)
	require.True(t, ok)
	want := before + b.String() + after
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o600))
	}
	require.Equal(t, want, string(text), "go test -run Document -update writes it")
}
