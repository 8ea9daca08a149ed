package intel

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		_, err := Open("")
		require.NoError(b, err)
	}
}

func BenchmarkLookup(b *testing.B) {
	t, err := Open("")
	require.NoError(b, err)
	random := rand.New(rand.NewPCG(1, 2))
	var four, six []netip.Addr
	for i := range t.places.All() {
		if random.IntN(20) == 0 {
			if i.First.Is4() {
				four = append(four, i.Last)
			} else {
				six = append(six, i.Last)
			}
		}
	}
	random.Shuffle(len(four), func(i, j int) { four[i], four[j] = four[j], four[i] })
	random.Shuffle(len(six), func(i, j int) { six[i], six[j] = six[j], six[i] })
	for name, addrs := range map[string][]netip.Addr{"v4": four, "v6": six} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				t.Lookup(addrs[i])
				if i++; i == len(addrs) {
					i = 0
				}
			}
		})
	}
}

func BenchmarkOpenCold(b *testing.B) {
	for b.Loop() {
		_, err := open(nil)
		require.NoError(b, err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-heap")
}
