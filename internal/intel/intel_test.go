package intel

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/intel/table"
)

func openShipped(t testing.TB) *Tables {
	t.Helper()
	tables, err := Open("")
	require.NoError(t, err)
	return tables
}

func TestShippedTablesKnowTheKindsOfNetworks(t *testing.T) {
	t.Parallel()
	tables := openShipped(t)
	for address, want := range map[string]activity.NetworkKind{
		"40.126.1.1":        activity.NetworkMicrosoft, // Entra sign-in
		"52.97.1.1":         activity.NetworkMicrosoft, // Exchange Online
		"2603:1026:1::1":    activity.NetworkMicrosoft,
		"2603:10b6:77::1":   activity.NetworkMicrosoft, // never announced: a hop between back ends
		"20.51.1.1":         activity.NetworkHosting,   // Azure
		"2603:1020:77::1":   activity.NetworkHosting,
		"131.107.1.1":       activity.NetworkHosting, // Microsoft's, in no table
		"172.225.0.1":       activity.NetworkHosting, // a relay partner's network, not one of its whole blocks
		"172.225.5.9":       activity.NetworkRelay,
		"2a09:bac2:1::1":    activity.NetworkRelay,
		"2a09:bac1:76::9":   activity.NetworkHosting, // same owner, WARP
		"104.28.192.9":      activity.NetworkHosting,
		"1.1.1.1":           activity.NetworkHosting,
		"165.225.1.1":       activity.NetworkGateway,
		"167.103.1.1":       activity.NetworkGateway, // announced by nobody, in a gateway's range
		"172.56.1.1":        activity.NetworkMobile,
		"98.97.1.1":         activity.NetworkSatellite,
		"81.2.69.160":       activity.NetworkConsumer,
		"192.0.2.1":         activity.NetworkUnknown,
		"10.1.2.3":          activity.NetworkUnknown,
		"2001:db8::1":       activity.NetworkUnknown,
		"::ffff:40.126.1.1": activity.NetworkMicrosoft,
	} {
		got := tables.Lookup(netip.MustParseAddr(address)).Network
		require.Equal(t, want, got.Kind, "%s: %v", address, got)
		require.Equal(t, got.Number == 0, got.Owner == "", address)
	}
	require.Equal(t, Info{Network: activity.Network{Kind: activity.NetworkUnknown}}, tables.Lookup(netip.Addr{}))
	require.Equal(t, "GB", tables.Lookup(netip.MustParseAddr("81.2.69.160")).Country)
	require.Empty(t, tables.Lookup(netip.MustParseAddr("192.0.2.1")).Country)
}

func TestMicrosoftsNetworksAreHostingUnlessAService(t *testing.T) {
	t.Parallel()
	tables := openShipped(t)
	kindsSeen := map[activity.NetworkKind]int{}
	for r := range tables.places.All() {
		network := tables.Lookup(r.First).Network
		if !network.Microsoft() {
			continue
		}
		kindsSeen[network.Kind]++
		require.Contains(t, []activity.NetworkKind{activity.NetworkMicrosoft, activity.NetworkHosting}, network.Kind, r.First)
	}
	require.Positive(t, kindsSeen[activity.NetworkHosting])
}

func TestCompiledFactsAgreeWithEachOther(t *testing.T) {
	t.Parallel()
	seen := map[uint32]activity.NetworkKind{}
	for kind, list := range numbers {
		require.NotZero(t, rankOf(kind))
		require.True(t, slices.IsSorted(list), "%s is kept sorted", kind)
		for _, number := range list {
			require.Empty(t, seen[number], "AS%d is %s and %s", number, seen[number], kind)
			seen[number] = kind
			require.False(t, activity.Network{Number: number}.Microsoft(), "AS%d", number)
		}
	}
	var all []netip.Prefix
	for kind, list := range ranges {
		require.NotZero(t, rankOf(kind))
		for _, text := range list {
			prefix := netip.MustParsePrefix(text)
			require.Equal(t, prefix.Masked(), prefix)
			for _, other := range all {
				require.False(t, prefix.Overlaps(other), "%s and %s", prefix, other)
			}
			all = append(all, prefix)
		}
	}
}

func TestCompiledNetworksStillExist(t *testing.T) {
	t.Parallel()
	tables := openShipped(t)
	known := map[uint32]bool{}
	for _, n := range tables.networks {
		known[n.Number] = true
	}
	missing := 0
	for _, list := range numbers {
		for _, number := range list {
			if !known[number] {
				t.Logf("AS%d announces nothing", number)
				missing++
			}
		}
	}
	require.Less(t, missing, 10, "most of the compiled numbers are in the AS table, or the table is broken")
}

func TestCreditsAreShown(t *testing.T) {
	t.Parallel()
	sources := openShipped(t).Sources()
	require.Len(t, sources, 2)
	for _, s := range sources {
		require.True(t, s.Shipped)
		require.NotEmpty(t, s.Notice)
		require.Greater(t, s.Rows, 500_000)
		require.False(t, s.Snapshot.IsZero())
		require.True(t, s.Imported.IsZero())
	}
	for _, link := range []string{"https://db-ip.com", "https://www.routeviews.org", "https://www.nro.net", "CC BY 4.0"} {
		require.Contains(t, Notice(), link)
		require.True(t, slices.ContainsFunc(sources, func(s Source) bool { return strings.Contains(s.Notice, link) }), link)
	}
}

func TestNamesAreFitToBeShown(t *testing.T) {
	t.Parallel()
	for _, n := range openShipped(t).networks {
		require.Equal(t, table.CleanText(n.Owner), n.Owner, "AS%d", n.Number)
	}
	require.Equal(t, "[31mred text", table.CleanText(" \x1b[31mred\n\ttext\u202e\x00 \xff"))
	require.Len(t, []rune(table.CleanText(strings.Repeat("é", 500))), 128)
}

func TestLookupAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun must run alone
	tables := openShipped(t)
	addresses := []netip.Addr{
		netip.MustParseAddr("81.2.69.160"), netip.MustParseAddr("2603:1026:1::1"), netip.MustParseAddr("192.0.2.1"),
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, addr := range addresses {
			tables.Lookup(addr)
		}
	}))
}

// file makes a table of the given content from prefix → entry.
func file(t testing.TB, content table.Content, prefixes map[string]table.Entry, more ...table.Entry) *table.File {
	t.Helper()
	var b table.Builder
	f := &table.File{Header: table.Header{Name: "test", Content: content}}
	for prefix, entry := range prefixes {
		f.Entries = append(f.Entries, entry)
		require.NoError(t, b.AddPrefix(netip.MustParsePrefix(prefix), uint32(len(f.Entries))))
	}
	f.Entries = append(f.Entries, more...)
	f.Map = b.Build()
	return f
}

func TestLaterTablesDecideAndKindsAddUp(t *testing.T) {
	t.Parallel()
	m := newMerger()
	kind := func(k activity.NetworkKind) table.Entry { return table.Entry{Text: string(k)} }
	for _, f := range []*table.File{
		file(t, table.Countries, map[string]table.Entry{"192.0.2.0/24": {Text: "NL"}, "198.51.100.0/24": {Text: "DE"}}),
		file(t, table.Countries, map[string]table.Entry{"192.0.2.128/25": {Text: "FR"}, "203.0.113.0/24": {Text: "NL"}}),
		file(t, table.Networks, map[string]table.Entry{"192.0.2.0/24": {Number: 64500, Text: "Contoso Telecom"}}),
		file(t, table.Networks, map[string]table.Entry{"192.0.2.0/25": {Number: 64501, Text: "Fabrikam"}}),
		file(t, table.Kinds, map[string]table.Entry{"192.0.2.0/26": kind(activity.NetworkVPN), "198.51.100.0/24": kind(activity.NetworkHosting)}),
		file(t, table.Kinds, map[string]table.Entry{"192.0.2.0/27": kind(activity.NetworkRelay), "192.0.2.32/27": kind(activity.NetworkHosting)},
			table.Entry{Number: 64500, Text: string(activity.NetworkMobile)}),
	} {
		m.add(f, false)
	}
	tables, err := m.tables()
	require.NoError(t, err)
	for address, want := range map[string]Info{
		"192.0.2.1":    {"NL", activity.Network{Number: 64501, Owner: "Fabrikam", Kind: activity.NetworkRelay}},
		"192.0.2.40":   {"NL", activity.Network{Number: 64501, Owner: "Fabrikam", Kind: activity.NetworkVPN}},
		"192.0.2.100":  {"NL", activity.Network{Number: 64501, Owner: "Fabrikam", Kind: activity.NetworkConsumer}},
		"192.0.2.200":  {"FR", activity.Network{Number: 64500, Owner: "Contoso Telecom", Kind: activity.NetworkMobile}},
		"198.51.100.9": {"DE", activity.Network{Kind: activity.NetworkHosting}},
		"203.0.113.9":  {"NL", activity.Network{Kind: activity.NetworkUnknown}},
	} {
		require.Equal(t, want, tables.Lookup(netip.MustParseAddr(address)), address)
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		_, err := open(nil)
		require.NoError(b, err)
	}
}

// BenchmarkLookup asks for many addresses in random order, so that hardly
// anything is in the processor's caches; and for few, as one tenant's log does.
func BenchmarkLookup(b *testing.B) {
	tables := openShipped(b)
	random := rand.New(rand.NewPCG(1, 2))
	var v4, v6 []netip.Addr
	for r := range tables.places.All() {
		if random.IntN(20) != 0 {
			continue
		}
		if r.First.Is4() {
			v4 = append(v4, r.Last)
		} else {
			v6 = append(v6, r.Last)
		}
	}
	for _, list := range [][]netip.Addr{v4, v6} {
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	for _, run := range []struct {
		name  string
		addrs []netip.Addr
	}{{"v4/many", v4}, {"v6/many", v6}, {"v4/few", v4[:500]}, {"v6/few", v6[:500]}} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				tables.Lookup(run.addrs[i%len(run.addrs)])
			}
		})
	}
}
