package format_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// sharedData returns the folder of public sample logs that lies beside the
// repository, or skips the test loudly.
func sharedData(t testing.TB, elements ...string) string {
	t.Helper()
	rel := filepath.Join(append([]string{"data", "microsoft365"}, elements...)...)
	if dir := os.Getenv("CAIRN_SHARED"); dir != "" {
		return filepath.Join(dir, rel)
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		candidate := filepath.Join(dir, "shared", rel)
		if _, err := os.Stat(candidate); err == nil {
			return candidate
		}
		if filepath.Dir(dir) == dir {
			t.Skipf("SKIPPED: no sample logs (%s) beside the repository; set CAIRN_SHARED to their folder", rel)
		}
		dir = filepath.Dir(dir)
	}
}

// outcome is everything one file gave.
type outcome struct {
	records    []format.Record
	activities []activity.Activity
	rejected   []*format.RejectError
	skipped    []*format.SkipError
	failed     error // what ended the file early, or refused it
}

// readAll reads and parses as an importer does.
func readAll(t testing.TB, name string, r io.Reader, limits format.Limits) outcome {
	t.Helper()
	var out outcome
	reader, err := format.Open(name, r, limits)
	if err != nil {
		out.failed = err
		return out
	}
	for {
		rec, err := reader.Next()
		var rejected *format.RejectError
		switch {
		case errors.Is(err, io.EOF):
			return out
		case errors.As(err, &rejected):
			out.rejected = append(out.rejected, rejected)
			continue
		case err != nil:
			out.failed = err
			continue
		}
		out.records = append(out.records, rec)
		a, err := format.Parse(rec.Raw)
		var skipped *format.SkipError
		switch {
		case err == nil:
			out.activities = append(out.activities, a)
		case errors.As(err, &skipped):
			out.skipped = append(out.skipped, skipped)
		case errors.As(err, &rejected):
			rejected.File, rejected.Line = name, rec.Line
			out.rejected = append(out.rejected, rejected)
		default:
			require.NoError(t, err, "Parse returned an error of no declared kind")
		}
	}
}

func readFile(t testing.TB, path string) outcome {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	return readAll(t, filepath.Base(path), f, format.Limits{})
}

func TestInvictus(t *testing.T) {
	t.Parallel()
	out := readFile(t, sharedData(t, "invictus", "o365_ual.ndjson.gz"))
	require.NoError(t, out.failed)
	require.Empty(t, out.rejected)
	require.Len(t, out.activities, 5373)

	ids := map[string]bool{}
	count := map[string]int{}
	for i, a := range out.activities {
		require.Equal(t, activity.SourceUnifiedAudit, a.Source)
		require.Equal(t, i+1, out.records[i].Line)
		require.Len(t, a.MicrosoftTenantID, 36)
		ids[a.VendorID] = true
		count["kind "+string(a.Actor.Kind)]++
		count["workload "+a.Workload]++
		if a.SignIn {
			count["sign-in "+string(a.Result)]++
			if a.ErrorCode == 50140 {
				require.Equal(t, activity.ResultInterrupted, a.Result)
			}
			require.NotEmpty(t, a.Actor.ObjectID)
			if !strings.Contains(string(a.Raw), `"ObjectId":"Unknown"`) {
				require.NotEmpty(t, a.Resource)
			}
		}
		if strings.HasPrefix(a.Actor.Principal, `nt authority\`) || a.Actor.Principal == "certificate" {
			require.Equal(t, activity.ActorService, a.Actor.Kind)
		}
		if strings.HasSuffix(a.Actor.Principal, "@dutchmasterz.onmicrosoft.com") {
			require.Equal(t, activity.ActorUser, a.Actor.Kind, a.Actor.Principal)
			require.Equal(t, strings.ToLower(a.Actor.Principal), a.Actor.Principal)
		}
		if a.Address.IsValid() {
			count["address"]++
			require.False(t, a.Address.IsLoopback())
			require.False(t, a.Address.Is4In6())
		}
	}
	require.Len(t, ids, 5373)
	require.Equal(t, 4015, count["workload Exchange"])
	require.Equal(t, 986, count["workload AzureActiveDirectory"])
	// 327 with error 0; the 26 with 50140 are half-way pages.
	require.Equal(t, 327, count["sign-in "+string(activity.ResultSuccess)])
	require.Equal(t, 83, count["sign-in "+string(activity.ResultInterrupted)])
	require.Equal(t, 159, count["sign-in "+string(activity.ResultFailure)])
	require.Zero(t, count["sign-in "+string(activity.ResultUnknown)])
	// The service's own 3,625 records under NT AUTHORITY and 112 under other names.
	require.Equal(t, 3737, count["kind "+string(activity.ActorService)])
	require.Equal(t, 57, count["kind "+string(activity.ActorApplication)])
	require.Equal(t, 1579, count["kind "+string(activity.ActorUser)])
}

func TestOTRF(t *testing.T) {
	t.Parallel()
	audit := readFile(t, sharedData(t, "otrf", "goldensaml_aad_audit.ndjson.gz"))
	require.Len(t, audit.activities, 4)
	require.Empty(t, audit.rejected)
	for _, a := range audit.activities {
		require.Equal(t, activity.SourceDirectoryAudit, a.Source)
		require.Equal(t, activity.ActorUser, a.Actor.Kind)
		require.NotEmpty(t, a.Actor.ObjectID)
		require.Equal(t, activity.ResultSuccess, a.Result)
		require.NotEmpty(t, a.Modified)
	}
	require.Equal(t, "Update application - Certificates and secrets management", audit.activities[0].Operation)

	office := readFile(t, sharedData(t, "otrf", "goldensaml_office_activity.ndjson.gz"))
	require.Len(t, office.activities, 1)
	require.Equal(t, activity.SourceUnifiedAudit, office.activities[0].Source)
	require.Len(t, office.activities[0].VendorID, 36)
	require.True(t, office.activities[0].Address.IsValid())
	access, ok := office.activities[0].Parameter("MailAccessType")
	require.True(t, ok)
	require.Equal(t, "Bind", access)

	defender := readFile(t, sharedData(t, "otrf", "goldensaml_m365_defender.ndjson.gz"))
	// One row, of CloudAppEvents, holds the audit record that OfficeActivity has too.
	require.Len(t, defender.skipped, 8)
	require.Len(t, defender.activities, 1)
	require.Equal(t, office.activities[0].VendorID, defender.activities[0].VendorID)
	require.Empty(t, defender.rejected)
}

func TestDetectionSamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(sharedData(t, "det-eng-samples"), "*"))
	require.NoError(t, err)
	require.Len(t, files, 20)
	total, ids := 0, map[string]bool{}
	for _, file := range files {
		out := readFile(t, file)
		require.NoError(t, out.failed, file)
		require.Empty(t, out.rejected, file)
		total += len(out.activities)
		for _, a := range out.activities {
			ids[a.VendorID] = true
			if strings.Contains(file, "Remove-DlpCompliancePolicy") {
				identity, ok := a.Parameter("Identity")
				require.True(t, ok)
				require.NotContains(t, identity, `"`)
			}
			if strings.Contains(file, "mfa_sweep") {
				require.True(t, a.SignIn)
				require.NotEmpty(t, a.SessionID)
				require.NotEmpty(t, a.Device.OS)
			}
		}
	}
	require.Equal(t, 60, total)
	require.Len(t, ids, 57)
}
