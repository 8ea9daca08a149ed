package importer

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// largeRecords is a stream of n records of 1 MiB, made as it is read.
func largeRecords(n int) io.Reader {
	padding := strings.Repeat("x", 1<<20)
	var parts []io.Reader
	for i := range n {
		parts = append(parts, strings.NewReader(fmt.Sprintf(`{"CreationTime":"2026-01-01T00:00:00","Id":"%d","Operation":"FileAccessed",`+
			`"OrganizationId":"3a3c4f0e-0c5e-4f6a-9b0a-5a1f6c1d2e3f","UserId":"ann@fabrikam.example","Padding":"`, i)),
			strings.NewReader(padding), strings.NewReader("\"}\n"))
	}
	return io.MultiReader(parts...)
}

// Ensure what is read ahead is bounded in bytes, not in records alone: a few
// megabytes of gzip hold thousands of records of megabytes.
func TestLargeRecordsTravelInSmallChunks(t *testing.T) {
	t.Parallel()
	const records = 40
	reader, err := format.Open("large", largeRecords(records), format.Limits{})
	require.NoError(t, err)
	work, ordered := make(chan *chunk, records+1), make(chan *chunk, records+1)
	require.NoError(t, readChunks(context.Background(), reader, work, ordered))
	close(ordered)
	n := 0
	for c := range ordered {
		size := 0
		for _, r := range c.records {
			size += len(r.Raw)
		}
		require.LessOrEqual(t, size, chunkBytes+2<<20)
		n += len(c.records)
	}
	require.Equal(t, records, n, "none is lost")
}

// Ensure learning a stream's directory keeps little of it, and loses nothing.
func TestLargeRecordsOfAStreamAreNotAllKept(t *testing.T) {
	t.Parallel()
	const records = 80
	taken := &countingReader{r: largeRecords(records)}
	src := Source{Name: "-", Open: func() (io.ReadCloser, error) { return io.NopCloser(taken), nil }}
	counts := map[string]int{}
	require.NoError(t, count(context.Background(), &src, counts))
	require.Less(t, taken.n, int64(streamBytes+8<<20))
	require.NotEmpty(t, counts)
	again, err := src.Open()
	require.NoError(t, err)
	whole, err := io.Copy(io.Discard, again)
	require.NoError(t, err)
	require.Greater(t, whole, int64(records<<20))
}

// endless is a text of one letter without end.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.n += int64(len(p))
	return len(p), nil
}

// Ensure learning a file's directory ends, whatever the file unpacks to: here a
// record, and one that never ends.
func TestFileIsLookedAtInPart(t *testing.T) {
	t.Parallel()
	rest := &endless{}
	src := Source{Name: "bomb", Rereadable: true, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(`{"CreationTime":"2026-01-01T00:00:00","Id":"1","Operation":"FileAccessed",`+
			`"OrganizationId":"3a3c4f0e-0c5e-4f6a-9b0a-5a1f6c1d2e3f","UserId":"ann@fabrikam.example"}`+"\n"+`{"x": "`), rest)), nil
	}}
	counts := map[string]int{}
	require.NoError(t, count(context.Background(), &src, counts))
	require.Equal(t, map[string]int{"3a3c4f0e-0c5e-4f6a-9b0a-5a1f6c1d2e3f": 1}, counts)
	require.Less(t, rest.n, int64(fileBytes+1<<20))
}
