package table

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func address(s string) netip.Addr { return netip.MustParseAddr(s) }

// drawRanges draws ranges in a tiny corner of one family, so that they overlap
// and touch, at the corner's very ends too.
func drawRanges(t *rapid.T, label string) (ranges []Range, probes []netip.Addr) {
	base := rapid.SampledFrom([]netip.Addr{
		address("0.0.0.0"), address("192.0.2.0"), address("255.255.255.224"),
		address("::"), address("2001:db8::"), address("2001:db8:0:0:ffff:ffff:ffff:fff0"),
		address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffe0"),
	}).Draw(t, label+" base")
	const corner = 32
	at := func(n int) netip.Addr {
		p, _ := pointOf(base).plus(point{lo: uint64(n)})
		return p.addr(base.Is4())
	}
	for range rapid.IntRange(0, 12).Draw(t, label+" count") {
		first := rapid.IntRange(0, corner-1).Draw(t, "first")
		last := rapid.IntRange(first, corner-1).Draw(t, "last")
		ranges = append(ranges, Range{at(first), at(last), uint32(rapid.IntRange(0, 3).Draw(t, "value"))})
	}
	for n := range corner {
		probes = append(probes, at(n))
	}
	return ranges, append(probes, address("203.0.113.9"), address("2a00::1"))
}

// model is what a Builder promises, the slow way.
func model(ranges []Range, addr netip.Addr) uint32 {
	var value uint32
	var best point
	found := false
	for _, r := range ranges {
		if r.First.Is4() != addr.Is4() || addr.Less(r.First) || r.Last.Less(addr) {
			continue
		}
		if size := pointOf(r.Last).minus(pointOf(r.First)); !found || !best.less(size) {
			value, best, found = r.Value, size, true
		}
	}
	return value
}

func build(t require.TestingT, ranges []Range) *Map {
	var b Builder
	for _, r := range ranges {
		require.NoError(t, b.Add(r.First, r.Last, r.Value))
	}
	return b.Build()
}

func TestTheSmallestRangeDecides(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ranges, probes := drawRanges(t, "a")
		m := build(t, ranges)
		for _, addr := range probes {
			require.Equal(t, model(ranges, addr), m.Find(addr), "%v of %v", addr, ranges)
		}
	})
}

func TestMergeChoosesForEveryAddress(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rangesA, probesA := drawRanges(t, "a")
		rangesB, probesB := drawRanges(t, "b")
		a, b := build(t, rangesA), build(t, rangesB)
		choose := func(a, b uint32) uint32 { return a*4 + b }
		m := Merge(a, b, choose)
		for _, addr := range append(probesA, probesB...) {
			require.Equal(t, choose(a.Find(addr), b.Find(addr)), m.Find(addr), addr)
		}
	})
}

func TestFilesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ranges4, probes4 := drawRanges(t, "a")
		ranges6, probes6 := drawRanges(t, "b")
		f := &File{
			Header: Header{
				Name: "list", Content: Kinds, Rows: len(ranges4), Notice: "credit",
				Imported: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
			},
			Entries: []Entry{{Text: "one"}, {Number: 64500, Text: "two"}, {}},
			Map:     build(t, append(ranges4, ranges6...)),
		}
		var once, again bytes.Buffer
		require.NoError(t, Write(&once, f))
		got, err := Read(bytes.NewReader(once.Bytes()))
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(f.Header, got.Header))
		require.Empty(t, cmp.Diff(f.Entries, got.Entries))
		for _, addr := range append(probes4, probes6...) {
			require.Equal(t, f.Map.Find(addr), got.Map.Find(addr), addr)
		}
		require.NoError(t, Write(&again, got))
		require.Equal(t, once.Bytes(), again.Bytes())
	})
}

// TestLargeLinesAreFoundThroughTheirIndex builds enough segments for both
// indexes and compares with a search that uses none.
func TestLargeLinesAreFoundThroughTheirIndex(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var b Builder
	for i := range uint32(20_000) {
		first := point{lo: uint64(random.Uint32())}
		require.NoError(t, b.AddPrefix(netip.PrefixFrom(first.addr(true), 14+int(i%19)), 1+i%200))
		first = point{random.Uint64()>>3 | 1<<61, random.Uint64()}
		require.NoError(t, b.AddPrefix(netip.PrefixFrom(first.addr(false), 16+int(i%113)), 1+i%200))
	}
	m := b.Build()
	require.NotNil(t, m.v4.coarse)
	require.NotNil(t, m.v6.coarse)
	try := func(p point, l *line, is4 bool) {
		t.Helper()
		require.Equal(t, l.search(p, 0, l.len()), m.Find(p.addr(is4)), p.addr(is4))
	}
	for i := range m.v4.len() {
		start := m.v4.start(i)
		try(start, &m.v4, true)
		try(point{lo: (start.lo - 1) & lastV4}, &m.v4, true)
	}
	for i := range m.v6.len() {
		start := m.v6.start(i)
		try(start, &m.v6, false)
		try(start.minus(point{lo: 1}), &m.v6, false)
	}
}

func TestRangesThatAreNone(t *testing.T) {
	t.Parallel()
	var b Builder
	require.ErrorContains(t, b.Add(address("192.0.2.9"), address("192.0.2.1"), 1), "before it begins")
	require.ErrorContains(t, b.Add(address("192.0.2.9"), address("2001:db8::"), 1), "one family")
	require.ErrorContains(t, b.Add(netip.Addr{}, netip.Addr{}, 1), "one family")
	require.ErrorContains(t, b.AddPrefix(netip.Prefix{}, 1), "not a prefix")
	m := b.Build()
	require.Zero(t, m.Find(address("192.0.2.1")))
	require.Zero(t, m.Find(netip.Addr{}))
	require.Zero(t, m.Len())
}

func TestV4InV6ClothesIsV4(t *testing.T) {
	t.Parallel()
	var b Builder
	require.NoError(t, b.AddPrefix(netip.MustParsePrefix("::ffff:192.0.2.0/120"), 7))
	m := b.Build()
	require.EqualValues(t, 7, m.Find(address("192.0.2.255")))
	require.EqualValues(t, 7, m.Find(address("::ffff:192.0.2.0")))
	require.Zero(t, m.Find(address("192.0.3.0")))
	var all []Range
	for r := range m.All() {
		all = append(all, r)
	}
	require.Equal(t, []Range{{address("192.0.2.0"), address("192.0.2.255"), 7}}, all)
	require.Equal(t, 1, m.Len())
}

func small(t testing.TB) []byte {
	t.Helper()
	f := &File{
		Header:  Header{Name: "n", Content: Countries},
		Entries: []Entry{{Text: "NL"}},
		Map: build(t, []Range{
			{address("192.0.2.0"), address("192.0.2.255"), 1},
			{address("2001:db8::"), address("2001:db8::ff"), 1},
		}),
	}
	var b bytes.Buffer
	require.NoError(t, Write(&b, f))
	return b.Bytes()
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	t.Parallel()
	whole := small(t)
	want, err := Read(bytes.NewReader(whole))
	require.NoError(t, err)
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x55
		got, err := Read(bytes.NewReader(damaged))
		if err == nil { // gzip's own time and system bytes say nothing of the content
			require.Equal(t, want, got, "byte %d", i)
			continue
		}
		require.ErrorIs(t, err, ErrDamaged)
	}
	for n := range whole {
		_, err := Read(bytes.NewReader(whole[:n]))
		require.ErrorIs(t, err, ErrDamaged, "cut at %d", n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(small(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read(bytes.NewReader(data))
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		require.LessOrEqual(t, file.Map.Find(address("192.0.2.1")), uint32(len(file.Entries)))
	})
}
