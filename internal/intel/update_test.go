package intel

import (
	"bytes"
	"compress/gzip"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intel/table"
)

func at(hour int) func() time.Time {
	return func() time.Time { return time.Date(2026, 5, 4, hour, 0, 0, 0, time.UTC) }
}

// write writes a file into a folder of its own and returns its path.
func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func zipped(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// names lists what is in a folder.
func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestUpdateThenOpen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "intel")
	before, err := Open(dir)
	require.NoError(t, err)

	report, err := Update(dir, []string{
		write(t, "VPN list (1).txt.gz", zipped(t, "192.0.2.0/24\n40.126.0.0/18\n")),
	}, Options{Kind: activity.NetworkVPN, Now: at(1)})
	require.NoError(t, err)
	require.Len(t, report.Tables, 1)
	require.Equal(t, "vpn-list--1-kinds", report.Tables[0].Name)
	require.False(t, report.Tables[0].Replaced)
	report, err = Update(dir, []string{
		write(t, "countries.csv", []byte("192.0.2.0,192.0.2.255,NL\nnonsense\n198.51.100.0,198.51.100.255,DE\n")),
		write(t, "owners.mmdb", database("DBIP-ASN-Lite", map[string]map[string]any{
			"192.0.2.0/24": {"autonomous_system_number": uint32(64500), "autonomous_system_organization": "Contoso"},
		})),
	}, Options{Now: at(2)})
	require.NoError(t, err)
	require.Len(t, report.Tables, 2)
	require.Equal(t, 1, report.Skipped)
	require.Regexp(t, `countries\.csv:2: no address`, report.Rejected[0].String())

	after, err := Open(dir)
	require.NoError(t, err)
	addr := netip.MustParseAddr("192.0.2.9")
	require.Equal(t, Info{"NL", activity.Network{Number: 64500, Owner: "Contoso", Kind: activity.NetworkVPN}}, after.Lookup(addr))
	require.Equal(t, activity.NetworkUnknown, before.Lookup(addr).Network.Kind, "opened tables do not change")
	require.Equal(t, activity.NetworkMicrosoft, after.Lookup(netip.MustParseAddr("40.126.1.1")).Network.Kind, "a list cannot unmake a service")
	require.Equal(t, "GB", after.Lookup(netip.MustParseAddr("81.2.69.160")).Country, "the shipped tables are still there")

	sources := after.Sources()
	require.Len(t, sources, 5)
	require.Equal(t, Source{Name: "vpn-list--1-kinds", Content: table.Kinds, Rows: 2, Imported: at(1)()}, sources[2])
	require.Equal(t, "owners-networks", sources[4].Name)
	require.Contains(t, sources[4].Notice, "DB-IP")
	require.False(t, sources[4].Snapshot.IsZero())

	// The next version of a list takes its place.
	report, err = Update(dir, []string{write(t, "vpn list (1).txt", []byte("198.51.100.0/24\n"))}, Options{Kind: activity.NetworkVPN, Now: at(3)})
	require.NoError(t, err)
	require.True(t, report.Tables[0].Replaced)
	after, err = Open(dir)
	require.NoError(t, err)
	require.Equal(t, activity.NetworkConsumer, after.Lookup(addr).Network.Kind)
	require.Len(t, after.Sources(), 5)
}

func TestALaterTableDecidesWhateverItsName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for hour, name := range []string{"b.csv", "a.csv"} {
		country := []string{"NL", "DE"}[hour]
		_, err := Update(dir, []string{write(t, name, []byte("192.0.2.0,192.0.2.255,"+country+"\n"))}, Options{Now: at(hour)})
		require.NoError(t, err)
	}
	tables, err := Open(dir)
	require.NoError(t, err)
	require.Equal(t, "DE", tables.Lookup(netip.MustParseAddr("192.0.2.1")).Country)
}

func TestABadFileRefusesAllAndChangesNothing(t *testing.T) {
	t.Parallel()
	good := write(t, "good.txt", []byte("192.0.2.0/24\n"))
	whole := zipped(t, strings.Repeat("192.0.2.0/24\n", 1000))
	tarball := make([]byte, 1024)
	copy(tarball[257:], "ustar")
	for name, c := range map[string]struct {
		path   string
		reason string
	}{
		"missing":      {filepath.Join(t.TempDir(), "nothing.txt"), "no such file"},
		"a directory":  {t.TempDir(), "is a directory"},
		"empty":        {write(t, "empty.txt", nil), "the file is empty"},
		"empty gzip":   {write(t, "empty.gz", zipped(t, "")), "the file is empty"},
		"cut gzip":     {write(t, "cut.txt.gz", whole[:len(whole)-9]), "unexpected EOF"},
		"false gzip":   {write(t, "false.gz", []byte("\x1f\x8bhello, this is no gzip")), "gzip"},
		"binary":       {write(t, "binary.txt", []byte("\x00\x01\x02\xff\xfe")), "neither text"},
		"UTF-16":       {write(t, "utf16.txt", []byte("\xff\xfe1\x009\x002\x00")), "neither text"},
		"zip":          {write(t, "list.zip", []byte("PK\x03\x04")), "unpack it"},
		"tar":          {write(t, "list.tar.gz", zipped(t, string(tarball))), "unpack it"},
		"prose":        {write(t, "prose.txt", []byte("Dear all,\nplease find\nattached 3 lists\n")), "not a list"},
		"cut database": {write(t, "cut.mmdb", append([]byte{0}, databaseMarker...)), "damaged database"},
		"same name":    {write(t, "good.csv", []byte("192.0.2.0/24\n")), "same table"},
	} {
		dir := filepath.Join(t.TempDir(), "intel")
		_, err := Update(dir, []string{good, c.path}, Options{Kind: activity.NetworkVPN, Now: at(1)})
		require.ErrorContains(t, err, c.reason, name)
		require.ErrorContains(t, err, c.path, name)
		require.Equal(t, 1, strings.Count(err.Error(), c.path), "%s: %v", name, err)
		require.Empty(t, names(t, dir), name)
	}
	_, err := Update(t.TempDir(), []string{good}, Options{Kind: activity.NetworkConsumer, Now: at(1)})
	require.ErrorContains(t, err, "not a kind a list can be of")
}

// TestAFailedWriteLeavesNothingHalfDone has a file where the folder goes.
func TestAFailedWriteLeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "intel")
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	_, err := Update(dir, []string{write(t, "good.txt", []byte("192.0.2.0/24\n"))}, Options{Kind: activity.NetworkVPN, Now: at(1)})
	require.ErrorContains(t, err, "make the folder")
	_, err = Open(dir)
	require.ErrorContains(t, err, "folder of address tables")
}

func TestABombIsRefused(t *testing.T) {
	t.Parallel()
	r := &limited{strings.NewReader(strings.Repeat("x", 100)), 10}
	_, err := r.Read(make([]byte, 64))
	require.ErrorContains(t, err, "larger than")
}

func TestADamagedTableIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Update(dir, []string{write(t, "good.txt", []byte("192.0.2.0/24\n"))}, Options{Kind: activity.NetworkVPN, Now: at(1)})
	require.NoError(t, err)
	require.Equal(t, []string{"good-kinds.table"}, names(t, dir))
	path := filepath.Join(dir, "good-kinds.table")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data[:len(data)-5], 0o600))
	_, err = Open(dir)
	require.ErrorIs(t, err, table.ErrDamaged)
	require.ErrorContains(t, err, path)
}
