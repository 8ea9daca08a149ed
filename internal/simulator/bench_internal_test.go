package simulator

import (
	"testing"
)

func BenchmarkHistory(b *testing.B) {
	w := New(Config{Seed: 1})
	n := 0
	for b.Loop() {
		for range w.History(start, start.AddDate(0, 0, 2)) {
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
