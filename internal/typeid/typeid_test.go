package typeid_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairn-itdr/cairn/internal/typeid"
)

// The vectors are those of the TypeID specification, valid.json.
func TestVectors(t *testing.T) {
	t.Parallel()
	for suffix, u := range map[string]string{
		"00000000000000000000000000": "00000000-0000-0000-0000-000000000000",
		"00000000000000000000000001": "00000000-0000-0000-0000-000000000001",
		"0000000000000000000000000a": "00000000-0000-0000-0000-00000000000a",
		"0000000000000000000000000g": "00000000-0000-0000-0000-000000000010",
		"00000000000000000000000010": "00000000-0000-0000-0000-000000000020",
		"7zzzzzzzzzzzzzzzzzzzzzzzzz": "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"0123456789abcdefghjkmnpqrs": "0110c853-1d09-52d8-d73e-1194e95b5f19",
		"01h455vb4pex5vsknk084sn02q": "01890a5d-ac96-774b-bcce-b302099a8057",
	} {
		require.Equal(t, "prefix_"+suffix, typeid.FromUUID("prefix", uuid.MustParse(u)))
		got, err := typeid.Parse("prefix", "prefix_"+suffix)
		require.NoError(t, err)
		require.Equal(t, u, got.String())
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"", "tenant", "tenant_", "account_01h455vb4pex5vsknk084sn02q", "tenant_01h455vb4pex5vsknk084sn02",
		"tenant_81h455vb4pex5vsknk084sn02q", "tenant_01H455VB4PEX5VSKNK084SN02Q", "tenant_01h455vb4pex5vsknk084sn0iq",
		"tenant_" + strings.Repeat("é", 13),
	} {
		require.ErrorIs(t, typeid.Check("tenant", id), typeid.ErrMalformed, id)
	}
}

func TestRoundTripAndOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var a, b uuid.UUID
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "a"))
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "b"))
		x, y := typeid.FromUUID("x", a), typeid.FromUUID("x", b)
		got, err := typeid.Parse("x", x)
		require.NoError(t, err)
		require.Equal(t, a, got)
		require.Equal(t, strings.Compare(a.String(), b.String()), strings.Compare(x, y))
	})
}

func TestDerived(t *testing.T) {
	t.Parallel()
	a := typeid.Derived("activity", "tenant", "family", "id")
	require.Equal(t, a, typeid.Derived("activity", "tenant", "family", "id"))
	require.NotEqual(t, a, typeid.Derived("activity", "tenantfamily", "", "id"), "parts must not run together")
	u, err := typeid.Parse("activity", a)
	require.NoError(t, err)
	require.EqualValues(t, 8, u.Version())
}

func TestDerivedAt(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 59, 59, 999_999_999, time.UTC)
	id := typeid.DerivedAt("activity", at, "tenant", "id")
	require.NoError(t, typeid.Check("activity", id))
	require.Equal(t, id, typeid.DerivedAt("activity", at.Truncate(time.Second).In(time.FixedZone("", 7200)), "tenant", "id"), "fractions and zones don't matter")
	require.NotEqual(t, id, typeid.DerivedAt("activity", at, "tenant", "other"))
	rapid.Check(t, func(t *rapid.T) {
		hours := rapid.IntRange(1, 1<<20).Draw(t, "hours")
		later := typeid.DerivedAt("activity", at.Add(time.Duration(hours)*time.Hour), rapid.String().Draw(t, "key"))
		require.Greater(t, later, id, "ids sort by time, to the hour")
	})
}
