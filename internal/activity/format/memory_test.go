package format_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// TestMemoryStaysFlat streams 560 MB of records with lines of 50 MB among
// them. It is not parallel: it looks at the heap of the whole test binary.
//
//nolint:paralleltest // see above
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: streams 560 MB, not in -short")
	}
	block := strings.Repeat(audit(1)+"\n", 40_000)
	parts := make([]io.Reader, 0, 64)
	for range 8 {
		parts = append(parts, strings.NewReader(block), strings.NewReader(`{"a":"`), &stretch{'a', 50 << 20}, strings.NewReader("\n"),
			strings.NewReader(block), strings.NewReader(`{"a":"`), &stretch{'a', 5 << 20}, strings.NewReader("\"}\n"))
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	reader, err := format.Open("log", io.MultiReader(parts...), format.Limits{})
	require.NoError(t, err)
	records, rejected := 0, 0
	for {
		_, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if _, ok := errors.AsType[*format.RejectError](err); ok {
			rejected++
			most = max(most, heap())
			continue
		}
		require.NoError(t, err)
		if records++; records%100_000 == 0 {
			most = max(most, heap())
		}
	}
	require.Equal(t, 640_000, records)
	require.Equal(t, 16, rejected)
	// The window may grow to twice the largest record, and be copied once.
	require.Less(t, most-before, uint64(4*format.DefaultLimits.RecordBytes))
}
