package microsoft365_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/microsoft365"
)

// apis are the names of the APIs for people.
var apis = map[string]string{
	microsoft365.APIGraph: "Microsoft Graph", microsoft365.APIManagement: "Office 365 Management APIs", microsoft365.APIExchange: "Office 365 Exchange Online",
}

// table is a level's permissions as the document shows them.
func table(level microsoft365.Level) string {
	var b strings.Builder
	b.WriteString("| Permission | API | Why |\n|---|---|---|\n")
	for _, p := range microsoft365.Asked(level) {
		why := p.Why
		if p.Optional {
			why += " (optional)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p.Name, apis[p.API], why)
	}
	return b.String()
}

func roles() string {
	var b strings.Builder
	b.WriteString("| Role | Application | Why |\n|---|---|---|\n")
	for _, r := range microsoft365.Roles {
		fmt.Fprintf(&b, "| %s | Cairn %s | %s |\n", r.Name, strings.ToLower(string(r.Level)), r.Why)
	}
	return b.String()
}

// TestDocument has the document name every permission and role, and no other.
func TestDocument(t *testing.T) {
	t.Parallel()

	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "microsoft-365.md"))
	require.NoError(t, err)
	for _, part := range []string{table(microsoft365.LevelDetection), table(microsoft365.LevelResponse), roles()} {
		require.Contains(t, string(raw), "\n\n"+part+"\n")
	}
}

// TestScript runs the script without calling anybody: it registers what the
// table says.
func TestScript(t *testing.T) {
	t.Parallel()

	script := filepath.Join("..", "..", "scripts", "register-apps.sh")
	output, err := exec.CommandContext(t.Context(), "bash", script, "--public-url", "https://cairn.example/", "--print").Output()
	require.NoError(t, err)
	type application struct {
		Name      string   `json:"displayName"`
		Audience  string   `json:"signInAudience"`
		Redirects []string `json:"redirectUris"`
		Access    []struct {
			API   string                      `json:"resourceAppId"`
			Roles []struct{ ID, Type string } `json:"resourceAccess"`
		} `json:"requiredResourceAccess"`
		Claims struct {
			IDToken []struct{ Name string }
		} `json:"optionalClaims"`
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	require.Len(t, lines, 2)
	for i, level := range []microsoft365.Level{microsoft365.LevelDetection, microsoft365.LevelResponse} {
		var a application
		require.NoError(t, json.Unmarshal([]byte(lines[i]), &a))
		require.Equal(t, "Cairn "+strings.ToLower(string(level)), a.Name)
		require.Equal(t, "AzureADMultipleOrgs", a.Audience)
		require.Equal(t, []string{"https://cairn.example/microsoft/consent", "https://cairn.example/microsoft/signin"}, a.Redirects)
		require.Equal(t, "wids", a.Claims.IDToken[0].Name)
		var got, want []string
		for _, access := range a.Access {
			for _, role := range access.Roles {
				require.Equal(t, "Role", role.Type)
				got = append(got, access.API+" "+role.ID)
			}
		}
		for _, p := range microsoft365.Asked(level) {
			want = append(want, p.API+" "+p.ID)
		}
		require.Empty(t, cmp.Diff(want, got))
	}
	for _, wrong := range [][]string{nil, {"--public-url", "http://cairn.example"}, {"--public-url", "https://cairn.example", "--level", "both"}, {"--public-url", `https://x","a":"`}} {
		err := exec.CommandContext(t.Context(), "bash", append([]string{script}, wrong...)...).Run()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%v", wrong)
		require.Equal(t, 2, exit.ExitCode())
	}
}
