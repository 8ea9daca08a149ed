package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// tarball packs members as npm does.
func tarball(t *testing.T, members map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	archive := tar.NewWriter(z)
	for name, content := range members {
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := archive.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, z.Close())
	return b.Bytes()
}

func TestATableIsMadeFromPinnedBytesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := origins[0]
	data := tarball(t, map[string]string{
		"package/README.md":    "not a table",
		"package/asn-ipv4.csv": "192.0.2.0,192.0.2.255,64500,\"Contoso, \x1bLtd\"\n",
		"package/asn-ipv6.csv": "2001:db8::,2001:db8::ffff,64501,Fabrikam\n",
	})
	path := filepath.Join(dir, "ip-location-db-asn-"+o.version+".tgz")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	require.ErrorContains(t, o.generate(dir, dir), "pinned is "+o.integrity)
	require.NoFileExists(t, filepath.Join(dir, "network.table"))

	sum := sha512.Sum512(data)
	o.integrity = "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	require.NoError(t, o.generate(dir, dir))
	written, err := os.ReadFile(filepath.Join(dir, "network.table"))
	require.NoError(t, err)
	f, err := table.Read(bytes.NewReader(written))
	require.NoError(t, err)
	require.Equal(t, 2, f.Header.Rows)
	require.Equal(t, table.Entry{Number: 64500, Text: "Contoso, Ltd"}, f.Entries[f.Map.Find(netip.MustParseAddr("192.0.2.9"))-1])
	require.Equal(t, table.Entry{Number: 64501, Text: "Fabrikam"}, f.Entries[f.Map.Find(netip.MustParseAddr("2001:db8::9"))-1])
}

func TestAnUnreadableRowOrMissingTableIsAnError(t *testing.T) {
	t.Parallel()
	for reason, members := range map[string]map[string]string{
		"asn-ipv4.csv:2: 3 columns": {"package/asn-ipv4.csv": "192.0.2.0,192.0.2.255,64500,Contoso\n192.0.3.0,192.0.3.255,NL\n"},
		"not in the tarball":        {"package/asn-ipv4.csv": "192.0.2.0,192.0.2.255,64500,Contoso\n"},
	} {
		_, err := origins[0].convert(tarball(t, members))
		require.Error(t, err)
		require.True(t, strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "wrong number of fields"), err)
	}
}
