package detect_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// memory is a ledger that keeps books as they are, as the pipeline's cache does.
type memory map[detect.BookKey]*detect.Book

func (m memory) Books(_ context.Context, keys []detect.BookKey) (map[detect.BookKey]*detect.Book, error) {
	out := make(map[detect.BookKey]*detect.Book, len(keys))
	for _, k := range keys {
		if b, ok := m[k]; ok {
			out[k] = b
		}
	}
	return out, nil
}

// benign is a month of people at work: an office, homes, phones; a sign-in in
// ten, a wrong password in two hundred.
func benign(accounts, records int) []*activity.Activity {
	all := make([]*activity.Activity, 0, records)
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	step := 20 * 24 * time.Hour / time.Duration(records)
	for i := range records {
		n := i * 7919 % accounts
		at := start.Add(time.Duration(i) * step)
		from := place{fmt.Sprintf("198.51.%d.%d", n/4096, n/64%64), 64502, "Office Fibre", "NL", activity.NetworkConsumer}
		switch i / accounts % 3 {
		case 1:
			from = place{fmt.Sprintf("10.%d.%d.7", n/256, n%256), 64501, "Hometown Cable", "NL", activity.NetworkConsumer}
		case 2:
			from = place{fmt.Sprintf("192.0.%d.%d", n%8, n%200), 64503, "Example Mobile", "NL", activity.NetworkMobile}
		}
		a := &activity.Activity{
			AccountID: fmt.Sprintf("account_%026d", n), Source: activity.SourceUnifiedAudit, OccurredAt: at,
			Operation: "MailItemsAccessed", Workload: "Exchange", Result: activity.ResultSuccess, VendorID: strconv.Itoa(i),
			Actor:   activity.Actor{Kind: activity.ActorUser, Principal: fmt.Sprintf("user%d@contoso.example", n)},
			Country: from.country, Network: activity.Network{Number: from.number, Owner: from.owner, Kind: from.kind},
			Address: netip.MustParseAddr(from.address), UserAgent: chromeWindows,
			SessionID: fmt.Sprintf("%08x-0000-4000-8000-%012x", n, i/accounts/40),
		}
		switch {
		case i%200 == 0:
			failure(50126)(a)
		case i%10 == 0:
			signIn(a)
		}
		a.Identify("org_1", "tenant_1")
		all = append(all, a)
	}
	return all
}

func BenchmarkProcess(b *testing.B) {
	for _, accounts := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			const batch = 1000
			all := benign(accounts, 200_000)
			e := detect.Standard()
			b.ReportAllocs()
			var books memory
			i := len(all)
			for b.Loop() {
				if i+batch > len(all) {
					books, i = make(memory), 0
				}
				out, err := e.Process(context.Background(), books, all[i:i+batch], nil)
				require.NoError(b, err)
				maps.Copy(books, out.Changed)
				i += batch
			}
			b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkBookCodec(b *testing.B) {
	books := make(memory)
	e := detect.Standard()
	out, err := e.Process(context.Background(), books, benign(20, 20_000), nil)
	require.NoError(b, err)
	var book *detect.Book
	for k, v := range out.Changed {
		if k.Kind == detect.BookAccount {
			book = v
			break
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		data, err := detect.EncodeBook(book)
		require.NoError(b, err)
		_, err = detect.DecodeBook(detect.BookAccount, data)
		require.NoError(b, err)
		b.ReportMetric(float64(len(data)), "bytes")
	}
}
