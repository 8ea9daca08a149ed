package format_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// wanted are the right values of a case; what is nil is not compared.
type wanted struct {
	taken, rejected int
	operations      []string
	principals      []string
	addresses       []string
	results         []activity.Result
	errors          []int
	times           []string
	kinds           []activity.ActorKind
	sessions        []string
}

func (w wanted) check(t *testing.T, out outcome) {
	t.Helper()
	require.NoError(t, out.failed)
	reasons := make([]string, 0, len(out.rejected))
	for _, e := range out.rejected {
		reasons = append(reasons, e.Error())
	}
	require.Len(t, out.rejected, w.rejected, "%q", reasons)
	require.Len(t, out.activities, w.taken, "%q", reasons)
	require.Empty(t, out.skipped)
	compare(t, w.operations, out.activities, func(a activity.Activity) string { return a.Operation })
	compare(t, w.principals, out.activities, func(a activity.Activity) string { return a.Actor.Principal })
	compare(t, w.results, out.activities, func(a activity.Activity) activity.Result { return a.Result })
	compare(t, w.errors, out.activities, func(a activity.Activity) int { return a.ErrorCode })
	compare(t, w.kinds, out.activities, func(a activity.Activity) activity.ActorKind { return a.Actor.Kind })
	compare(t, w.sessions, out.activities, func(a activity.Activity) string { return a.SessionID })
	compare(t, w.times, out.activities, func(a activity.Activity) string { return a.OccurredAt.Format(time.RFC3339Nano) })
	compare(t, w.addresses, out.activities, func(a activity.Activity) string {
		if !a.Address.IsValid() {
			return ""
		}
		return a.Address.String()
	})
}

func compare[T any](t *testing.T, want []T, activities []activity.Activity, of func(activity.Activity) T) {
	t.Helper()
	if want == nil {
		return
	}
	got := make([]T, 0, len(activities))
	for _, a := range activities {
		got = append(got, of(a))
	}
	require.Equal(t, want, got)
}

// sharedCases returns the folder of inputs that went wrong, which lies beside
// the repository, or skips the test loudly.
func sharedCases(t testing.TB) string {
	t.Helper()
	logs := sharedData(t) // skips where there is none
	dir := filepath.Join(filepath.Dir(filepath.Dir(logs)), "cases", "import")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: no cases (%s)", dir)
	}
	return dir
}

// TestSharedCases reads inputs made after public bug reports, each with the
// values that its page names as right.
func TestSharedCases(t *testing.T) {
	t.Parallel()
	const (
		anna    = "anna.berg@example.com"
		session = "0000004d-1111-4222-8333-00000000004d"
		at      = "2026-03-02T08:01:00Z"
	)
	signIn := wanted{taken: 1, operations: []string{"Sign-in"}, principals: []string{anna}, addresses: []string{"203.0.113.2"}, times: []string{at}, sessions: []string{session}}
	rule := wanted{taken: 1, operations: []string{"New-InboxRule"}, principals: []string{anna}}
	tests := map[string]wanted{
		"01-one-broken-record-takes-the-rest/pages-one-broken-record":                {taken: 11, rejected: 1},
		"01-one-broken-record-takes-the-rest/array-oneline-one-broken":               {taken: 28, rejected: 1},
		"01-one-broken-record-takes-the-rest/pages-truncated-first":                  {taken: 4, rejected: 1},
		"01-one-broken-record-takes-the-rest/missing-comma-inner-oneline":            {taken: 38, rejected: 1},
		"01-one-broken-record-takes-the-rest/missing-comma-inner-oneline-then-page2": {taken: 4, rejected: 1},
		"01-one-broken-record-takes-the-rest/arrays-appended-broken-first":           {taken: 4, rejected: 1},
		"02-byte-order-mark-inside/api-blobs-bom":                                    {taken: 12},
		"02-byte-order-mark-inside/api-blobs-bom-nonl":                               {taken: 12},
		"02-byte-order-mark-inside/bom-mid-ndjson":                                   {taken: 3},
		"02-byte-order-mark-inside/bom-mid-arrays":                                   {taken: 5},
		"02-byte-order-mark-inside/bom-mid-pretty-arrays":                            {taken: 4},
		"02-byte-order-mark-inside/bom-mid-noNL-arrays":                              {taken: 3},
		"02-byte-order-mark-inside/bom-mid-utf16":                                    {taken: 4},
		"03-names-that-differ-in-case/key-case-collision":                            {taken: 1, operations: []string{"MailItemsAccessed"}, principals: []string{anna}, addresses: []string{"203.0.113.2"}},
		"03-names-that-differ-in-case/key-case-collision-type":                       {taken: 1, principals: []string{anna}},
		"03-names-that-differ-in-case/key-case-id":                                   {taken: 2},
		"03-names-that-differ-in-case/key-case-signin":                               signIn,
		"04-other-tenants-sign-ins/xt-member-serviceprovider":                        {taken: 4},
		"04-other-tenants-sign-ins/xt-member-b2b":                                    {taken: 4},
		"04-other-tenants-sign-ins/xt-null-usertype":                                 {taken: 4},
		"04-other-tenants-sign-ins/xt-guest-outbound":                                {taken: 4},
		"05-clientip-of-microsoft/clientip-microsoft":                                {taken: 1, addresses: []string{"198.51.100.77"}},
		"05-clientip-of-microsoft/elastic-modprops":                                  {taken: 1, addresses: []string{"2001:db8:add:4002::6"}},
		"05-clientip-of-microsoft/clientip-v4-microsoft":                             {taken: 1, addresses: []string{"198.51.100.77"}},
		"06-officeactivity-clientip-underscore/oa-clientip-underscore":               {taken: 1, addresses: []string{"203.0.113.7"}},
		"07-sdk-sign-ins/sdk-signin-pascal-iso":                                      signIn,
		"07-sdk-sign-ins/sdk-signin-pascal-ps51":                                     signIn,
		"07-sdk-sign-ins/azuread-module-signin":                                      signIn,
		"08-signinlogs-rows/signinlogs-row":                                          {taken: 1, principals: []string{anna}, addresses: []string{"203.0.113.7"}, results: []activity.Result{activity.ResultSuccess}, sessions: []string{session}},
		"09-diagnostic-settings/diag-ndjson":                                         {taken: 2, operations: []string{"Sign-in", "Add member to role"}, principals: []string{anna, anna}},
		"09-diagnostic-settings/eventhub-records":                                    {taken: 2, operations: []string{"Sign-in", "Add member to role"}, principals: []string{anna, anna}},
		"09-diagnostic-settings/elastic-diag-nocreated":                              {taken: 1, times: []string{"2026-07-10T20:03:31.273742Z"}, principals: []string{anna}},
		"10-graph-audit-search-envelopes/sdk-ual-additionalproperties":               rule,
		"10-graph-audit-search-envelopes/graph-ual-inner-empty":                      {taken: 1, operations: []string{"New-InboxRule"}, principals: []string{anna}, addresses: []string{"203.0.113.2"}, times: []string{at}},
		"10-graph-audit-search-envelopes/graph-ual-inner-null":                       {taken: 1, operations: []string{"New-InboxRule"}, principals: []string{anna}, addresses: []string{"203.0.113.2"}, times: []string{at}},
		"10-graph-audit-search-envelopes/graph-ual-camel-inner":                      rule,
		"11-auditdata-escaped-twice/auditdata-escaped-twice":                         rule,
		"11-auditdata-escaped-twice/csv-doubled-twice":                               rule,
		"11-auditdata-escaped-twice/csv-backslash":                                   {taken: 2},
		"12-lower-case-names/lowercase-keys":                                         {taken: 3},
		"13-other-wrappers/wazuh-alert":                                              rule,
		"13-other-wrappers/wazuh-archive":                                            rule,
		"13-other-wrappers/splunk-json":                                              {taken: 2},
		"13-other-wrappers/splunk-csv":                                               {taken: 2},
		"13-other-wrappers/elastic-ndjson":                                           rule,
		"13-other-wrappers/defender-cloudappevents":                                  rule,
		"13-other-wrappers/cloudappevents-sentinel":                                  rule,
		"13-other-wrappers/defender-streaming":                                       rule,
		"13-other-wrappers/la-tables":                                                rule,
		"13-other-wrappers/oa-csv-portal":                                            {taken: 1, principals: []string{anna}, addresses: []string{"203.0.113.7"}, times: []string{at}},
		"13-other-wrappers/batch-responses":                                          {taken: 2},
		"13-other-wrappers/data-list":                                                {taken: 1},
		"13-other-wrappers/value-single-object":                                      signIn,
		"13-other-wrappers/upper-value":                                              signIn,
		"14-types-of-members/text-actor-type":                                        {taken: 1},
		"14-types-of-members/bool-number-scalars":                                    {taken: 5},
		"14-types-of-members/string-bools-signin":                                    {taken: 7, errors: []int{0, 0, 0, 0, 50126, 50126, 0}},
		"14-types-of-members/interactive-upper":                                      signIn,
		"14-types-of-members/status-null-errortext":                                  {taken: 5},
		"14-types-of-members/ip-wrong-type":                                          {taken: 3, addresses: []string{"", "192.0.2.4", ""}},
		"15-null-as-text/dir-null-text":                                              {taken: 1, principals: []string{anna}, addresses: []string{"203.0.113.9"}},
		"15-null-as-text/app-in-initiated-text-user":                                 {taken: 1},
		"15-null-as-text/null-all-text":                                              signIn,
		"16-one-element-lists/single-unrolled-dev":                                   {taken: 4},
		"17-depth-cut/signin-depth-text":                                             {taken: 1, results: []activity.Result{activity.ResultSuccess}, principals: []string{anna}},
		"17-depth-cut/ual-depth-text":                                                {taken: 3},
		"18-time-forms/sdk-audit-getdate":                                            {taken: 1, times: []string{"2026-03-02T09:01:00Z"}},
		"18-time-forms/signin-getdate":                                               signIn,
		"18-time-forms/signin-epoch":                                                 signIn,
		"18-time-forms/time-formats":                                                 {taken: 10},
		"18-time-forms/time-fraction-empty":                                          {taken: 2, times: []string{at, "2026-03-02T08:02:00Z"}},
		"19-csv-forms/csv-sep-line":                                                  {taken: 1},
		"19-csv-forms/csv-concat":                                                    {taken: 3},
		"19-csv-forms/csv-concat-other-order":                                        {taken: 2},
		"19-csv-forms/csv-preamble":                                                  {taken: 1},
		"19-csv-forms/csv-pipe":                                                      {taken: 1},
		"20-nearly-json/nan-literal":                                                 {taken: 3},
		"20-nearly-json/json-raw-control-in-string":                                  {taken: 2},
		"20-nearly-json/csv-raw-newline-in-json-string":                              {taken: 2},
		"20-nearly-json/json-bad-escape":                                             {taken: 2},
		"20-nearly-json/nbsp-lead":                                                   {taken: 1},
		"21-address-forms/ip-host-paren":                                             {taken: 3, addresses: []string{"192.0.2.14", "192.0.2.14", ""}},
		"21-address-forms/ip-list":                                                   {taken: 3, addresses: []string{"192.0.2.15", "192.0.2.15", "192.0.2.15"}},
		"21-address-forms/ip-v6-bare-port":                                           {taken: 1, addresses: []string{"2001:db8::1"}},
		"22-guests-in-sharepoint/guest-sharepoint":                                   {taken: 1, principals: []string{"john.doe@example.net"}, kinds: []activity.ActorKind{activity.ActorGuest}},
		"23-result-words/result-words":                                               {taken: 5, results: []activity.Result{activity.ResultSuccess, activity.ResultUnknown, activity.ResultSuccess, activity.ResultUnknown, activity.ResultFailure}},
		"24-commas-between/ndjson-trailing-commas":                                   {taken: 3},
		"24-commas-between/pages-joined-by-comma":                                    {taken: 12},
	}
	dir := sharedCases(t)
	folders, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	folders = slices.DeleteFunc(folders, func(f string) bool { return filepath.Base(f) == "README.md" })
	require.Len(t, folders, len(tests))
	for _, folder := range folders {
		name := filepath.Base(filepath.Dir(folder)) + "/" + filepath.Base(folder)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, known := tests[name]
			require.True(t, known)
			var all outcome
			files, err := filepath.Glob(filepath.Join(folder, "*"))
			require.NoError(t, err)
			for _, file := range files {
				out := readFile(t, file)
				require.NoError(t, out.failed)
				all.activities = append(all.activities, out.activities...)
				all.rejected = append(all.rejected, out.rejected...)
				all.skipped = append(all.skipped, out.skipped...)
			}
			want.check(t, all)
			if name == "03-names-that-differ-in-case/key-case-id" {
				require.Equal(t, all.activities[0].VendorID, all.activities[1].VendorID)
			}
		})
	}
}
