package intel

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intel/table"
)

// shared returns the folder of public look-up tables beside the repository
// (or in CAIRN_SHARED); without it the test is skipped.
func shared(t *testing.T) string {
	t.Helper()
	const below = "data/microsoft365/ip"
	if root := os.Getenv("CAIRN_SHARED"); root != "" {
		return filepath.Join(root, below)
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "shared", below)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Skipf("SKIPPED: no shared/%s above the working directory and no CAIRN_SHARED", below)
	return ""
}

// sample reads up to 10,000 lines of a file, evenly from its beginning to its end.
func sample(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		r, err = gzip.NewReader(file)
		require.NoError(t, err)
	}
	var lines []string
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	require.NoError(t, scanner.Err())
	var out []string
	for i := 0; i < len(lines); i += len(lines)/10_000 + 1 {
		out = append(out, lines[i])
	}
	return out
}

func firstAddress(t *testing.T, line string) netip.Addr {
	t.Helper()
	text, _, _ := strings.Cut(line, "/")
	addr, err := netip.ParseAddr(text)
	require.NoError(t, err)
	return addr
}

func TestShippedTablesAgreeWithTheirOrigins(t *testing.T) {
	t.Parallel()
	dir, tables := shared(t), openShipped(t)
	for _, name := range []string{"asn_ipv4.csv.gz", "asn_ipv6.csv.gz", "country_ipv4.csv.gz", "country_ipv6.csv.gz"} {
		agree, all := 0, 0
		for _, line := range sample(t, filepath.Join(dir, name)) {
			columns := fields(line)
			for _, end := range columns[:2] {
				addr, err := netip.ParseAddr(end)
				require.NoError(t, err)
				info := tables.Lookup(addr)
				number, isNumber := systemNumber(columns[2])
				all++
				if isNumber && info.Network.Number == number && info.Network.Owner == table.CleanText(columns[3]) ||
					!isNumber && info.Country == columns[2] {
					agree++
				}
			}
		}
		t.Logf("%s: %d of %d agree", name, agree, all)
		require.Greater(t, float64(agree), 0.999*float64(all), name)
	}
}

func TestKindsOfTheSharedLists(t *testing.T) {
	t.Parallel()
	dir, tables := shared(t), openShipped(t)
	for name, want := range map[string]struct {
		kind  activity.NetworkKind
		share float64 // at least this part of the addresses, without any list loaded
	}{
		"microsoft_office365.txt":    {activity.NetworkMicrosoft, 1},
		"microsoft_azure.txt.gz":     {activity.NetworkHosting, 0.75}, // nearly all the rest are services, which that list holds too
		"zscaler.txt":                {activity.NetworkGateway, 0.95},
		"x4b_datacenter_ipv4.txt.gz": {activity.NetworkHosting, 0.6},
	} {
		counts, all := map[activity.NetworkKind]int{}, 0
		for _, line := range sample(t, filepath.Join(dir, name)) {
			counts[tables.Lookup(firstAddress(t, line)).Network.Kind]++
			all++
		}
		t.Logf("%s: %v", name, counts)
		require.GreaterOrEqual(t, float64(counts[want.kind]), want.share*float64(all), name)
	}
}

// TestPrecedenceWithEveryListLoaded loads all lists, each as its kind, and
// looks for the traps that the lists' README names.
func TestPrecedenceWithEveryListLoaded(t *testing.T) {
	t.Parallel()
	shared, dir := shared(t), t.TempDir()
	for kind, files := range map[activity.NetworkKind][]string{
		activity.NetworkVPN:       {"x4b_vpn_ipv4.txt.gz", "x4b_vpn_ipv6.txt.gz", "x4b_vpn_asn.txt"},
		activity.NetworkHosting:   {"x4b_datacenter_ipv4.txt.gz", "x4b_datacenter_ipv6.txt.gz", "microsoft_azure.txt.gz"},
		activity.NetworkRelay:     {"icloud_private_relay.txt.gz"},
		activity.NetworkMicrosoft: {"microsoft_office365.txt"},
		activity.NetworkGateway:   {"zscaler.txt"},
		activity.NetworkTor:       {"tor_exits.txt"},
	} {
		var paths []string
		for _, name := range files {
			paths = append(paths, filepath.Join(shared, name))
		}
		report, err := Update(dir, paths, Options{Kind: kind, Now: at(1)})
		require.NoError(t, err)
		require.Zero(t, report.Skipped, report.Rejected)
	}
	tables, err := Open(dir)
	require.NoError(t, err)
	for name, want := range map[string][]activity.NetworkKind{
		"microsoft_office365.txt":     {activity.NetworkMicrosoft},
		"icloud_private_relay.txt.gz": {activity.NetworkRelay},
		"tor_exits.txt":               {activity.NetworkTor},
		"zscaler.txt":                 {activity.NetworkGateway, activity.NetworkVPN}, // some stand in both
		"x4b_vpn_ipv4.txt.gz":         {activity.NetworkVPN, activity.NetworkRelay, activity.NetworkTor},
		"microsoft_azure.txt.gz":      {activity.NetworkHosting, activity.NetworkMicrosoft},
		"x4b_datacenter_ipv4.txt.gz": {
			activity.NetworkHosting, activity.NetworkMicrosoft, activity.NetworkRelay, activity.NetworkTor,
			activity.NetworkVPN, activity.NetworkGateway,
		},
	} {
		counts := map[activity.NetworkKind]int{}
		for _, line := range sample(t, filepath.Join(shared, name)) {
			got := tables.Lookup(firstAddress(t, line)).Network.Kind
			counts[got]++
			require.Contains(t, want, got, "%s: %s", name, line)
		}
		t.Logf("%s: %v", name, counts)
	}
}

func TestEverySharedListCanBeRead(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(shared(t), "*"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		files, err := readFile(path, activity.NetworkHosting, func(line int, reason string) {
			t.Errorf("%s:%d: %s", path, line, reason)
		})
		require.NoError(t, err, path)
		require.Len(t, files, 1)
	}
}
