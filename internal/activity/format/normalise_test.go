package format_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
)

var update = flag.Bool("update", false, "write the golden files")

// TestNormalise compares what each fixture becomes with a golden file that a
// person has read.
func TestNormalise(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/normalise/*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			out := readFile(t, file)
			require.NoError(t, out.failed)
			require.Empty(t, out.rejected)
			var got strings.Builder
			for _, a := range out.activities {
				again, err := format.ShapeByName(a.Shape).Parse(a.Raw)
				require.NoError(t, err, "the stored raw record must parse again")
				require.Empty(t, cmp.Diff(a, again, cmp.Comparer(func(x, y activity.Activity) bool { return same(t, x) == same(t, y) })))
				got.WriteString(same(t, a))
			}
			golden := file + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(string(want), got.String()))
		})
	}
}

// same writes an activity for comparison: without its raw record and without
// what it does not have.
func same(t testing.TB, a activity.Activity) string {
	t.Helper()
	a.Raw = nil
	text, err := json.Marshal(a)
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(text, &members))
	prune(members)
	text, err = json.MarshalIndent(members, "", "  ")
	require.NoError(t, err)
	return string(text) + "\n"
}

func prune(members map[string]any) {
	for name, value := range members {
		switch v := value.(type) {
		case map[string]any:
			if prune(v); len(v) == 0 {
				delete(members, name)
			}
		case nil:
			delete(members, name)
		case string, bool, float64:
			if v == "" || v == false || v == 0.0 {
				delete(members, name)
			}
		}
	}
}

// TestSameRecordThroughEveryDoor: whichever door a record came through, it has one identity.
func TestSameRecordThroughEveryDoor(t *testing.T) {
	t.Parallel()
	identity := func(file string, i int) [2]string {
		a := readFile(t, filepath.Join("testdata/normalise", file)).activities[i]
		return [2]string{string(a.Source), a.VendorID}
	}
	require.Equal(t, identity("unified_audit_exchange.ndjson", 4), identity("office_activity.ndjson", 0))
	require.Equal(t, identity("unified_audit_exchange.ndjson", 0), identity("purview_new.csv", 0))
	require.Equal(t, identity("unified_audit_exchange.ndjson", 5), identity("purview_old_utf16.csv", 0))
	require.Equal(t, identity("unified_audit_directory.json", 4), identity("audit_arrays.json", 1))
}

func TestSkip(t *testing.T) {
	t.Parallel()
	_, err := format.Parse([]byte(`{"Timestamp":"2025-03-04T05:06:07Z","ActionType":"MailItemsAccessed","ReportId":1}`))
	var skipped *format.SkipError
	require.ErrorAs(t, err, &skipped)
	require.Equal(t, "defender_hunting", skipped.Shape)
}

func TestSignInResults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		operation, number string
		want              activity.Result
	}{
		{"UserLoggedIn", `"0"`, activity.ResultSuccess},
		{"UserLoggedIn", `0`, activity.ResultSuccess},
		{"UserLoggedIn", `""`, activity.ResultSuccess},
		{"UserLoggedIn", `"50140"`, activity.ResultInterrupted},
		{"UserLoggedIn", `"123456"`, activity.ResultInterrupted},
		{"UserLoginFailed", `50058`, activity.ResultInterrupted},
		{"UserLoginFailed", `"50126"`, activity.ResultFailure},
		{"UserLoginFailed", `"1000000"`, activity.ResultFailure},
		{"UserLoginFailed", `"0"`, activity.ResultFailure},
		{"UserLoginFailed", `"nonsense"`, activity.ResultFailure},
		{"UserLoginFailed", `-1`, activity.ResultFailure},
		{"UserLoginFailed", `null`, activity.ResultFailure},
	}
	for _, test := range tests {
		a, err := format.Parse([]byte(`{"CreationTime":"2025-03-04T05:06:07","Id":"x","Operation":"` + test.operation + `","ResultStatus":"Success","ErrorNumber":` + test.number + `}`))
		require.NoError(t, err)
		require.Equal(t, test.want, a.Result, "%s %s", test.operation, test.number)
		require.True(t, a.SignIn)
	}
}

func TestSignInErrorTable(t *testing.T) {
	t.Parallel()
	require.Equal(t, activity.SignInVerdict{Result: activity.ResultFailure, Class: activity.SignInPasswordRight}, activity.SignInError(500121))
	require.Equal(t, activity.SignInVerdict{Result: activity.ResultFailure, Class: activity.SignInOther}, activity.SignInError(424242))
	for number := range 1_000_000 {
		v := activity.SignInError(number)
		consistent := (number == 0) == (v.Result == activity.ResultSuccess) &&
			(v.Class != activity.SignInHalfWay || v.Result == activity.ResultInterrupted) &&
			(v.Class != activity.SignInWrongPassword || v.Result == activity.ResultFailure)
		if !consistent {
			t.Errorf("%d: %+v", number, v)
		}
	}
}

// TestSignatures: no record of one shape may be taken for another's.
func TestSignatures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/normalise/*.*son")
	require.NoError(t, err)
	for _, file := range files {
		for _, a := range readFile(t, file).activities {
			var names map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(a.Raw, &names))
			for _, shape := range format.Shapes() {
				for _, signature := range shape.Signatures() {
					require.GreaterOrEqual(t, len(signature), 2)
					all := true
					for _, name := range signature {
						all = all && names[name] != nil
					}
					require.False(t, all && shape.Name() != strings.TrimSuffix(a.Shape, activity.AtResource), "%s: %v of %s", file, signature, shape.Name())
				}
			}
		}
	}
}

// Ensure a partner's technician, who acts with an account of another
// directory, is no member of the tenant.
func TestPartnerTechnicianIsAGuest(t *testing.T) {
	t.Parallel()
	for _, userType := range []string{`9`, `"PartnerTechnician"`} {
		a, err := format.Parse([]byte(`{"Id":"0a1b2c3d-0000-4000-8000-000000000009","CreationTime":"2026-06-19T01:00:00","Operation":"Set-Mailbox",` +
			`"RecordType":1,"UserType":` + userType + `,"UserId":"tech@partner.example","UserKey":"k","Workload":"Exchange","ResultStatus":"True",` +
			`"OrganizationId":"0f3c6a4e-1b2d-4c5e-8f90-123456789abc","ObjectId":"x"}`))
		require.NoError(t, err)
		require.Equal(t, activity.ActorGuest, a.Actor.Kind, userType)
		require.Equal(t, "tech@partner.example", a.Actor.Principal)
	}
}
