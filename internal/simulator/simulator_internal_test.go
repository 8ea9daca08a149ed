package simulator

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var start = time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)

type told struct {
	tenant *Tenant
	record Record
}

func history(w *World, from, to time.Time) []told {
	var all []told
	for t, r := range w.History(from, to) {
		all = append(all, told{t, r})
	}
	return all
}

func lines(all []told) []string {
	out := make([]string, 0, len(all))
	for _, e := range all {
		out = append(out, e.tenant.Domain+" "+string(e.record.Raw))
	}
	return out
}

func TestHistoryIsDeterministicAndTellsInPieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		config := Config{Seed: rapid.Uint64().Draw(t, "seed"), Intensity: 0.1}
		from := start.Add(time.Duration(rapid.IntRange(0, 72).Draw(t, "hours")) * time.Hour)
		middle := from.Add(time.Duration(rapid.IntRange(0, 9*3600).Draw(t, "seconds")) * time.Second)
		to := middle.Add(9 * time.Hour)
		world := func() *World {
			w := New(config)
			w.Tenants = w.Tenants[:3] // west and east of Greenwich, and on it
			return w
		}
		whole := lines(history(world(), from, to))
		other := world()
		pieces := slices.Concat(lines(history(other, from, middle)), lines(history(other, middle, to)))
		if diff := cmp.Diff(whole, pieces); diff != "" {
			t.Fatalf("two pieces differ from the whole (-whole +pieces):\n%.2000s", diff)
		}
	})
}

func TestAnotherSeedIsAnotherWorld(t *testing.T) {
	t.Parallel()
	a, b := New(Config{Seed: 1}), New(Config{Seed: 2})
	require.NotEqual(t, a.Tenants[0].ID, b.Tenants[0].ID)
	require.NotEqual(t, lines(history(a, start, start.Add(24*time.Hour))), lines(history(b, start, start.Add(24*time.Hour))))
}

func TestHistoryIsOrderedValidAndUnique(t *testing.T) {
	t.Parallel()
	w := New(Config{Seed: 7, Intensity: 0.3})
	from, to := start, start.AddDate(0, 0, 28)
	seen := map[string]bool{}
	last := from
	operations := map[string]int{}
	for tenant, r := range w.History(from, to) {
		require.False(t, r.Time.Before(last), "out of order at %s", r.Time)
		require.True(t, r.Time.Before(to))
		last = r.Time
		key := tenant.Domain + " " + string(r.Log) + " " + r.ID
		require.False(t, seen[key], "twice: %s", key)
		seen[key] = true
		operations[checked(t, tenant, r)]++
	}
	for _, operation := range []string{
		"UserLoggedIn", "UserLoginFailed", "MailItemsAccessed", "Send", "SoftDelete", "MoveToDeletedItems", "FileAccessed",
		"FileDownloaded", "MessageSent", "New-InboxRule", "Set-Mailbox", "Set-AdminAuditLogConfig", "Add-MailboxPermission", "Add service principal.",
		"Consent to application.", "Change user password.", "ModifyFolderPermissions", "Update user.", "signIn",
	} {
		require.NotZero(t, operations[operation], "a month without %s", operation)
	}
	t.Logf("%d records in 28 days: %v", len(seen), operations)
}

// checked verifies that the JSON says what the envelope says and returns the operation.
func checked(t require.TestingT, tenant *Tenant, r Record) string {
	var raw map[string]any
	require.NoError(t, json.Unmarshal(r.Raw, &raw))
	require.NotContains(t, string(r.Raw), "\n")
	if r.Log == SignIns {
		require.True(t, tenant.SignInLog)
		require.Equal(t, r.ID, raw["id"])
		require.Equal(t, tenant.ID.String(), raw["homeTenantId"])
		require.Equal(t, r.Time.Format("2006-01-02T15:04:05Z"), raw["createdDateTime"])
		return "signIn"
	}
	require.Equal(t, r.ID, raw["Id"])
	require.Equal(t, tenant.ID.String(), raw["OrganizationId"])
	require.Equal(t, r.Time.Format("2006-01-02T15:04:05"), raw["CreationTime"])
	return raw["Operation"].(string)
}

func TestTenants(t *testing.T) {
	t.Parallel()
	w := New(Config{Seed: 3})
	require.Len(t, w.Tenants, 6)
	require.Len(t, w.Tenants[0].Accounts, 8)
	require.GreaterOrEqual(t, len(w.Tenants[5].Accounts), 60)
	names := map[string]bool{}
	for _, tenant := range w.Tenants {
		for _, a := range tenant.Accounts {
			require.False(t, names[a.UserPrincipalName])
			names[a.UserPrincipalName] = true
		}
	}
}

// A person's life must hold the traps of the real one.
func TestBenignTraps(t *testing.T) {
	t.Parallel()
	w := New(Config{Seed: 11, Intensity: 0.3})
	var traps struct{ travel, vpn, relay, carrier, loopback, emptyIP, ports, lowerCase, interrupts, typos int }
	for tenant, r := range w.History(start, start.AddDate(0, 0, 28)) {
		raw := string(r.Raw)
		if strings.Contains(raw, `"countryOrRegion":"`) && !strings.Contains(raw, `"countryOrRegion":"`+tenant.country.code) {
			traps.travel++
		}
		if tenant.vpn.IsValid() && strings.Contains(raw, tenant.vpn.String()) {
			traps.vpn++
		}
		for name, n := range map[string]*int{
			`"ClientIP":"::1"`: &traps.loopback, `"ClientIP":""`: &traps.emptyIP, `"ErrorNumber":"50140"`: &traps.interrupts,
			`"ErrorNumber":"50126"`: &traps.typos, `"userPrincipalName":"`: &traps.lowerCase,
		} {
			if strings.Contains(raw, name) {
				*n++
			}
		}
		if strings.Contains(raw, `"autonomousSystemNumber":13335`) || strings.Contains(raw, `"autonomousSystemNumber":36183`) {
			traps.relay++
		}
		if strings.Contains(raw, `"autonomousSystemNumber":21928`) {
			traps.carrier++
		}
		if strings.Contains(raw, `"Operation":"Set-Mailbox"`) && strings.Contains(raw, `"ClientIP":"`) {
			traps.ports++
		}
	}
	require.NotZero(t, traps.travel)
	require.NotZero(t, traps.vpn)
	require.NotZero(t, traps.relay)
	require.NotZero(t, traps.carrier)
	require.NotZero(t, traps.loopback)
	require.NotZero(t, traps.emptyIP)
	require.NotZero(t, traps.ports)
	require.NotZero(t, traps.lowerCase)
	require.NotZero(t, traps.interrupts)
	require.NotZero(t, traps.typos)
	t.Logf("%+v", traps)
}

func TestAttackManifestIsTruthful(t *testing.T) {
	t.Parallel()
	want := map[AttackKind]map[Behaviour]string{
		TokenTheft: {
			SessionOnTwoNetworks: "UserLoggedIn", MaliciousInboxRule: "New-InboxRule",
			MailboxForwarding: "Set-Mailbox", MailRead: "MailItemsAccessed",
		},
		Spray: {PasswordSpray: "UserLog", RiskyConsent: ""},
		OldCompromise: {
			BruteForce: "UserLog", MailboxForwarding: "Set-Mailbox",
			PrivilegedRole: "Add member to role.", LookAlikeAccount: "Add user.",
		},
		BlockedSpray: {PasswordSpray: "UserLoginFailed"},
	}
	rapid.Check(t, func(t *rapid.T) {
		w := New(Config{Seed: rapid.Uint64().Draw(t, "seed")})
		kind := rapid.SampledFrom(AttackKinds).Draw(t, "kind")
		tenant := rapid.SampledFrom(w.Tenants).Draw(t, "tenant")
		at := start.Add(time.Duration(rapid.IntRange(0, 1e6).Draw(t, "seconds")) * time.Second)
		attack := w.Attack(kind, tenant, at)
		require.Equal(t, attack, w.Attack(kind, tenant, at), "not deterministic")

		records := map[string]map[string]any{}
		last := at
		for _, r := range attack.Records {
			require.False(t, r.Time.Before(last))
			last = r.Time
			checked(t, tenant, r)
			if r.Log == UnifiedAudit {
				var raw map[string]any
				require.NoError(t, json.Unmarshal(r.Raw, &raw))
				require.NotContains(t, records, r.ID)
				records[r.ID] = raw
			}
		}
		found := map[Behaviour]bool{}
		for _, p := range attack.Manifest {
			operation, ok := want[kind][p.Behaviour]
			require.True(t, ok, "unexpected %s", p.Behaviour)
			found[p.Behaviour] = true
			require.NotEmpty(t, p.Records)
			for _, id := range p.Records {
				require.Contains(t, records, id)
				require.Equal(t, p.Account, records[id]["UserId"])
				require.True(t, strings.HasPrefix(records[id]["Operation"].(string), operation))
			}
		}
		require.ElementsMatch(t, slices.Collect(maps.Keys(want[kind])), slices.Collect(maps.Keys(found)))
		if kind == BlockedSpray {
			for _, r := range records {
				require.Equal(t, "UserLoginFailed", r["Operation"])
			}
		}
	})
}

// The stolen session is the one the victim works in that week, and it is seen from two networks.
func TestTokenTheftSharesTheVictimsSession(t *testing.T) {
	t.Parallel()
	w := New(Config{Seed: 5})
	tenant := w.Tenants[3]
	at := start.Add(26 * time.Hour)
	attack := w.Attack(TokenTheft, tenant, at)
	session := func(raw []byte) string {
		var r struct {
			DeviceProperties []nameValue `json:"DeviceProperties"`
		}
		require.NoError(t, json.Unmarshal(raw, &r))
		for _, p := range r.DeviceProperties {
			if p.Name == "SessionId" {
				return p.Value
			}
		}
		return ""
	}
	stolen := ""
	networks := map[string]bool{}
	for _, r := range attack.Records {
		if id := session(r.Raw); id != "" {
			stolen = id
			var s struct {
				ClientIP string `json:"ClientIP"`
			}
			require.NoError(t, json.Unmarshal(r.Raw, &s))
			networks[s.ClientIP] = true
		}
	}
	require.NotEmpty(t, stolen)
	require.Len(t, networks, 2)
	honest := 0
	for owner, r := range w.History(start, start.AddDate(0, 0, 7)) {
		if owner == tenant && strings.Contains(string(r.Raw), stolen) {
			honest++
		}
	}
	require.NotZero(t, honest, "the session must also be the victim's own")
}

// Fields are compared with what a real tenant wrote: ours may not have a field
// that no real record of the type has, nor lack one that every real record of
// the operation has.
func TestRecordsHaveTheFieldsOfRealOnes(t *testing.T) {
	t.Parallel()
	type operation struct {
		recordType int
		name       string
	}
	fields := map[int]map[string]bool{}      // of a record type
	counts := map[operation]map[string]int{} // of an operation's records, "" counts the records
	read := func(line []byte) (operation, map[string]any) {
		var raw map[string]any
		require.NoError(t, json.Unmarshal(line, &raw))
		return operation{int(raw["RecordType"].(float64)), raw["Operation"].(string)}, raw
	}
	eachLine(t, shared(t, "data/microsoft365/invictus/o365_ual.ndjson.gz"), func(line []byte) {
		o, raw := read(line)
		if fields[o.recordType] == nil {
			fields[o.recordType] = map[string]bool{}
		}
		if counts[o] == nil {
			counts[o] = map[string]int{}
		}
		counts[o][""]++
		for k := range raw {
			fields[o.recordType][k] = true
			counts[o][k]++
		}
	})
	// What Microsoft added since that recording of 2021; exports of 2024 have it.
	newer := map[string]bool{"AppAccessContext": true, "AppPoolName": true, "RequestId": true}

	w := New(Config{Seed: 9, Intensity: 0.5})
	var all []Record
	for _, r := range w.History(start, start.AddDate(0, 0, 21)) {
		all = append(all, r)
	}
	for _, kind := range AttackKinds {
		all = append(all, w.Attack(kind, w.Tenants[5], start).Records...)
	}
	compared := map[string]bool{}
	wrong := map[string]bool{}
	for _, r := range all {
		if r.Log != UnifiedAudit {
			continue
		}
		o, raw := read(r.Raw)
		if counts[o] == nil {
			continue
		}
		compared[o.name] = true
		for k := range raw {
			if !fields[o.recordType][k] && !newer[k] {
				wrong[o.name+" invents "+k] = true
			}
		}
		for k, n := range counts[o] {
			if _, has := raw[k]; !has && k != "" && n == counts[o][""] && n >= 5 {
				wrong[o.name+" lacks "+k] = true
			}
		}
	}
	require.Empty(t, slices.Sorted(maps.Keys(wrong)))
	require.Greater(t, len(compared), 20)
	t.Logf("%d operations compared: %v", len(compared), slices.Sorted(maps.Keys(compared)))
}

func eachLine(t *testing.T, path string, do func([]byte)) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		do(bytes.Clone(lines.Bytes()))
	}
	require.NoError(t, lines.Err())
}

// shared finds a file of the shared research data, or skips the test.
func shared(t *testing.T, name string) string {
	t.Helper()
	if root := os.Getenv("CAIRN_SHARED"); root != "" {
		return filepath.Join(root, name)
	}
	directory, err := os.Getwd()
	require.NoError(t, err)
	for {
		path := filepath.Join(directory, "shared", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			t.Skipf("SKIPPED: no shared/%s above the working directory and CAIRN_SHARED is not set", name)
		}
		directory = parent
	}
}
