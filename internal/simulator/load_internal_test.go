package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoadIsValidOrderedUniqueAndDeterministic(t *testing.T) {
	t.Parallel()
	load := Load{Seed: 4, Accounts: 100, Records: 20000, From: start}
	var out, again bytes.Buffer
	n, err := load.Write(&out)
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), n)
	_, err = load.Write(&again)
	require.NoError(t, err)
	require.True(t, bytes.Equal(out.Bytes(), again.Bytes()))

	ids, users, tenants := map[string]bool{}, map[string]bool{}, map[string]bool{}
	operations := map[string]int{}
	last := ""
	for line := range bytes.Lines(out.Bytes()) {
		var raw map[string]any
		require.NoError(t, json.Unmarshal(line, &raw), "%s", line)
		require.NotContains(t, string(line), "§")
		field := func(audit, signIn string) string {
			if v, ok := raw[audit].(string); ok {
				return v
			}
			v, _ := raw[signIn].(string)
			return v
		}
		id := field("Id", "id")
		require.Len(t, id, 36)
		require.False(t, ids[id])
		ids[id] = true
		users[field("UserId", "userPrincipalName")] = true
		tenants[field("OrganizationId", "homeTenantId")] = true
		at := field("CreationTime", "createdDateTime")[:19]
		require.LessOrEqual(t, last, at)
		last = at
		if address := field("ClientIP", "ipAddress"); address != "" {
			_, err := netip.ParseAddr(address)
			require.NoError(t, err)
		}
		operations[field("Operation", "appId")]++
	}
	require.Len(t, ids, load.Records)
	require.Len(t, users, load.Accounts)
	require.Len(t, tenants, 1)
	require.Len(t, operations, len(loadMix))
}

func TestLoadOfOneLog(t *testing.T) {
	t.Parallel()
	for log, key := range map[Log]string{UnifiedAudit: `"CreationTime"`, SignIns: `"createdDateTime"`} {
		var out bytes.Buffer
		_, err := Load{Seed: 4, Accounts: 3, Records: 50, From: start, Log: log, TenantID: "tenant"}.Write(&out)
		require.NoError(t, err)
		require.Equal(t, 50, bytes.Count(out.Bytes(), []byte(key)))
		require.Contains(t, out.String(), `"tenant"`)
	}
}

func TestEmptyLoadIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Load{Accounts: 1}.Write(io.Discard)
	require.ErrorContains(t, err, "at least 1")
}

func BenchmarkLoad(b *testing.B) {
	const records = 200_000
	for b.Loop() {
		n, err := Load{Seed: 1, Accounts: 10_000, Records: records, From: start}.Write(io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(n)
	}
	b.ReportMetric(float64(records*b.N)/b.Elapsed().Seconds(), "records/s")
}
