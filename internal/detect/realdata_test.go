package detect_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// sharedData returns a folder of the public sample data, or skips the test.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("CAIRN_SHARED")
	if dir == "" {
		wd, err := os.Getwd()
		require.NoError(t, err)
		for d := wd; ; d = filepath.Dir(d) {
			if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
				dir = filepath.Join(d, "..", "shared")
				break
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	path := filepath.Join(dir, "data", "microsoft365", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: the public sample data (%s) is not beside the repository; set CAIRN_SHARED", name)
	}
	return path
}

// readLog parses and enriches a whole file.
func readLog(t *testing.T, path string) []*activity.Activity {
	t.Helper()
	tables, err := intel.Open("")
	require.NoError(t, err)
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	r, err := format.Open(filepath.Base(path), file, format.Limits{})
	require.NoError(t, err)
	var all []*activity.Activity
	seen := make(map[string]bool)
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		a, err := format.Parse(rec.Raw)
		if _, skipped := errors.AsType[*format.SkipError](err); skipped {
			continue
		}
		require.NoError(t, err)
		a.Identify("org_1", "tenant_1")
		if seen[a.ID] {
			continue
		}
		seen[a.ID] = true
		if a.Actor.Kind == activity.ActorUser || a.Actor.Kind == activity.ActorGuest {
			a.AccountID = typeid.Derived("account", a.Actor.Principal)
		}
		info := tables.Lookup(a.Address)
		a.Country, a.Network = info.Country, info.Network
		all = append(all, &a)
	}
}

func judgeLog(t *testing.T, path string) (*shelf, []*activity.Activity) {
	t.Helper()
	all := readLog(t, path)
	s := newShelf(t)
	e := detect.Standard()
	for batch := range slices.Chunk(all, 500) {
		s.process(e, batch...)
	}
	return s, all
}

// claim is what a finding says in one line, with a question mark where it opens no incident by itself.
func claim(names map[string]string, f detect.Finding) string {
	user, _, _ := strings.Cut(names[f.AccountID], "@")
	return f.OccurredAt.Format("01-02 ") + user + " " + f.Rule + " " + string(f.Severity) + map[bool]string{true: "?"}[f.Confidence == detect.ConfidenceLow]
}

func namesOf(all []*activity.Activity) map[string]string {
	names := make(map[string]string)
	for _, a := range all {
		names[a.AccountID] = a.Actor.Principal
	}
	return names
}

// The Invictus log has no labels; this is its README's reading of it, for the
// six behaviours. What else is found is listed so that a change is noticed.
func TestInvictus(t *testing.T) {
	t.Parallel()
	s, all := judgeLog(t, sharedData(t, "invictus/o365_ual.ndjson.gz"))
	names := namesOf(all)
	findings, failed := s.live()

	byID := make(map[string]*activity.Activity)
	for _, a := range all {
		byID[a.ID] = a
	}
	var got []string
	for _, f := range findings {
		got = append(got, claim(names, f))
		for _, id := range f.Evidence {
			require.Contains(t, byID, id)
			require.Equal(t, f.AccountID, byID[id].AccountID, "evidence of somebody else")
			require.NotContains(t, byID[id].Actor.Principal, "nt authority", "housekeeping")
			require.NotEqual(t, activity.ActorService, byID[id].Actor.Kind, "housekeeping")
		}
	}
	slices.Sort(got)
	want := []string{
		"03-25 a.thulile app-credential MEDIUM?", "03-25 a.thulile app-credential MEDIUM?", "03-26 a.thulile app-credential MEDIUM?",
		"03-26 a.thulile password-spray HIGH", "03-31 joey app-credential MEDIUM?", "03-31 joey app-credential MEDIUM?",
		"04-14 a.thulile password-spray HIGH", "04-16 a.thulile app-consent MEDIUM?", "04-16 a.thulile app-credential MEDIUM?",
		"04-16 a.thulile inbox-rule HIGH", "04-16 a.thulile mailbox-delegation HIGH", "04-16 a.thulile mailbox-delegation HIGH",
		"04-16 a.thulile mailbox-delegation HIGH", "04-16 a.thulile privileged-role CRITICAL", "04-16 a.thulile privileged-role CRITICAL",
		"04-16 a.thulile privileged-role CRITICAL", "04-16 a.thulile privileged-role CRITICAL", "04-16 a.thulile strange-sign-in HIGH",
		"04-16 a.thulile transport-rule CRITICAL", "04-16 gradya app-credential MEDIUM", "04-16 gradya inbox-rule LOW?",
		"04-16 gradya privileged-role HIGH", "04-16 gradya privileged-role MEDIUM", "04-16 joey app-consent HIGH?", "04-16 joey app-consent MEDIUM?",
		"04-16 joey strange-sign-in LOW?", "05-05 joey strange-sign-in LOW?", "05-14 joey strange-sign-in LOW?", "05-16 joey strange-sign-in LOW?",
		"06-15 gradya mailbox-forwarding HIGH?", "06-15 joey app-credential MEDIUM?", "06-15 joey app-credential MEDIUM?",
		"06-15 joey app-credential MEDIUM?", "06-15 joey inbox-rule CRITICAL", "06-15 joey inbox-rule HIGH?", "07-09 joey privileged-role HIGH?",
		"07-12 alexw app-consent MEDIUM", "07-12 joey app-consent HIGH?", "07-12 joey app-consent MEDIUM?", "07-12 joey app-consent MEDIUM?",
		"07-12 joey app-credential MEDIUM?", "07-12 joey app-credential MEDIUM?", "07-15 joey mailbox-forwarding INFO?",
		"07-19 gradya app-consent MEDIUM?", "07-19 gradya app-consent MEDIUM?", "07-19 gradya app-consent MEDIUM?", "07-19 gradya app-consent MEDIUM?",
		"07-19 gradya app-consent MEDIUM?", "07-19 joey app-consent MEDIUM?", "07-19 joey app-consent MEDIUM?", "07-19 joey app-consent MEDIUM?",
		"07-19 joey app-consent MEDIUM?", "07-19 joey app-credential MEDIUM?", "07-19 joey app-credential MEDIUM?", "07-19 joey app-credential MEDIUM?",
		"07-19 joey app-credential MEDIUM?", "07-19 joey app-credential MEDIUM?", "07-19 joey app-credential MEDIUM?", "07-19 joey app-role MEDIUM?",
		"07-19 joey mailbox-forwarding INFO?", "07-19 joey privileged-role MEDIUM?", "07-19 miriamg app-consent MEDIUM",
	}
	require.Equal(t, want, got)

	var rows []string
	for _, f := range failed {
		user, _, _ := strings.Cut(names[f.AccountID], "@")
		rows = append(rows, fmt.Sprint(f.Day.Format("01-02 "), f.Tactic, " ", user, " ", f.Attempts))
	}
	require.Equal(t, []string{
		"03-26 PASSWORD_SPRAY adelev 6", "03-26 PASSWORD_SPRAY alexw 6", "03-26 PASSWORD_SPRAY diegos 6",
		"03-26 PASSWORD_SPRAY gradya 6", "03-26 PASSWORD_SPRAY henriettam 7",
		"04-14 PASSWORD_SPRAY adelev 5", "04-14 PASSWORD_SPRAY alexw 5", "04-14 PASSWORD_SPRAY diegos 5",
		"07-09 BRUTE_FORCE gradya 15", "07-09 BRUTE_FORCE gradya 27", "07-09 BRUTE_FORCE miriamg 19",
	}, slices.Sorted(slices.Values(rows)))
}

// One small export an attack step; what is none of the six behaviours, and what
// Microsoft's services did, stays silent.
func TestDetectionEngineeringSamples(t *testing.T) {
	t.Parallel()
	dir := sharedData(t, "det-eng-samples")
	want := map[string][]string{
		"t1098.001_Add a user to company administrator role.csv":        {"stinger privileged-role HIGH"},
		"t1098.003_add_role_global_admin.json":                          {"stinger privileged-role HIGH"},
		"t1110.003_msolspray-powershell.json":                           {"lidia password-spray HIGH"},
		"t1110.003_msolspraywithsuccess_1.csv":                          {"miriam password-spray HIGH"},
		"t1110.003_o365spray_reporting.csv":                             {"lynne password-spray HIGH"},
		"t1114.003_Forward_Rule_Multi_Users_Same_Forward_dest.json":     {"adam mailbox-forwarding CRITICAL", "adam mailbox-forwarding CRITICAL", "adam mailbox-forwarding CRITICAL"},
		"t1114_Set-Mailbox-ForwardSMTPAddress.csv":                      {"matt mailbox-forwarding CRITICAL", "matt strange-sign-in HIGH"},
		"t1564.008_New inbox rule to delete email.csv":                  {"stinger inbox-rule LOW?"},
		"t1564.008_markasread_delete_all_email.json":                    {"stinger inbox-rule HIGH"},
		"t1531_Remove-Admin members from a group.csv":                   {"stinger role-removed LOW?"},
		"t1550.001_Allusers_consent_to_grant_permission_granted.json":   {"stinger access-policy-changed MEDIUM"},
		"t1556.006_Disable Strong Authentication.csv":                   {"stinger strong-authentication-off MEDIUM"},
		"t1562-Set-MailboxAuditBypassAssociation.json":                  {"stinger audit-off CRITICAL", "stinger strange-sign-in HIGH"},
		"t1562.008_Set-MailboxAuditBypassAssociation.csv":               {"stinger audit-off CRITICAL", "stinger strange-sign-in HIGH"},
		"t1562.001_Remove-DlpCompliancePolicy.csv":                      {"stinger protection-off MEDIUM"},
		"t1114.002_Enable_POP_IMAP_OWA.csv":                             {"stinger legacy-protocol-on LOW?"},
		"t1098.002_Mail account delegation-SendAs permission.csv":       {"stinger mailbox-delegation LOW?"},
		"t1098.002_Mail Account Delegation full access permissions.csv": nil, // mislabelled: the service acted
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 20)
	for _, file := range files {
		t.Run(file.Name(), func(t *testing.T) {
			t.Parallel()
			s, all := judgeLog(t, filepath.Join(dir, file.Name()))
			names := namesOf(all)
			findings, _ := s.live()
			var got []string
			for _, f := range findings {
				got = append(got, claim(names, f)[len("01-02 "):])
			}
			require.Equal(t, want[file.Name()], got)
		})
	}
}

// The golden SAML recording grants an application Mail.ReadWrite for everybody,
// in the shape of the Azure Monitor table.
func TestGoldenSAMLConsent(t *testing.T) {
	t.Parallel()
	s, _ := judgeLog(t, sharedData(t, "otrf/goldensaml_aad_audit.ndjson.gz"))
	findings, _ := s.live()
	rules := make(map[string]string)
	for _, f := range findings {
		rules[f.Rule] = f.Explanation
	}
	require.Contains(t, rules["app-consent"], "Mail.ReadWrite")
	require.Contains(t, rules, "app-credential", "a secret was added to an application")
}
