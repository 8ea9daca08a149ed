package detect

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// fullAccount is an account's month filled in every way there is: sessions of
// many networks and clients, and of every rule more marks than are kept, with
// facts as long as a record can make them.
func fullAccount(t require.TestingT) *AccountBook {
	b := &AccountBook{}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	fold := func(session string, network, look int, marks ...Mark) {
		n++
		a := &activity.Activity{
			AccountID: "account_1", Source: activity.SourceUnifiedAudit, VendorID: strconv.Itoa(n), OccurredAt: start.Add(time.Duration(n) * time.Minute),
			Operation: "FileAccessed", Result: activity.ResultSuccess, Actor: activity.Actor{Kind: activity.ActorUser, Principal: "ann@contoso.example"},
			Address: netip.AddrFrom4([4]byte{100, byte(64 + network>>8), byte(network), 9}), Country: "NL", SessionID: session,
			Network: activity.Network{Number: uint32(64512 + network), Owner: "Somebody's Network", Kind: activity.NetworkHosting},
		}
		a.Identify("org_1", "tenant_1")
		w, err := witness(a)
		require.NoError(t, err)
		for i := range marks {
			marks[i].Witness = w
		}
		_, err = b.fold(a, newAgent(Family(look%int(FamilyOther)), OS(1+look%3)), marks, false)
		require.NoError(t, err)
	}
	long := make([]byte, 0, joinedBytes)
	for len(long) < joinedBytes {
		long = append(long, 'x')
	}
	for i := range 2 * maxSessions {
		for j := range maxSightings + 1 {
			fold(fmt.Sprintf("%08x-0000-4000-8000-000000000000", i), i%7*100+j, j)
		}
	}
	for _, r := range Standard().rules {
		if _, ok := r.(recordRule); !ok {
			continue
		}
		for i := range 2 * maxMarks {
			fold("", i, 1, Mark{Rule: r.Describe().ID, Weight: weightWorst, Facts: []Fact{
				{"to", string(long)}, {factOutside, fmt.Sprintf("%s%d@out.example", long[:300], i)},
			}})
		}
	}
	return b
}

// A book at its caps takes no more memory than the caps promise.
func TestFullBooks(t *testing.T) {
	t.Parallel()
	b := fullAccount(t)
	b.overflow()
	require.Equal(t, excessSessions|excessMarks|excessNotes, b.Excess&^excessPlaces)
	b.trim()
	require.Len(t, b.Sessions, maxSessions)
	require.Len(t, b.Marks, allMarks)
	require.LessOrEqual(t, len(b.Places), maxPlaces)
	size := (&Book{Account: b}).Size()
	require.Less(t, size, 2<<20)
	data, err := EncodeBook(&Book{Account: b})
	require.NoError(t, err)
	require.Less(t, len(data), 2<<20)
	t.Logf("an account's month at its caps: %d KiB in memory, %d KiB stored", size>>10, len(data)>>10)
}

// BenchmarkFullBook folds single records into an account's month at its caps
// and judges it, as a collector does with one that floods the log.
func BenchmarkFullBook(b *testing.B) {
	book := fullAccount(b)
	book.overflow()
	book.trim()
	data, err := EncodeBook(&Book{Account: book})
	require.NoError(b, err)
	b.Run("judge", func(b *testing.B) {
		p := &pass{ctx: b.Context(), engine: Standard(), ledger: noBooks{}, desk: make(map[BookKey]*page)}
		g := p.page(BookKey{Kind: BookAccount, Subject: "account_1", Period: 2026*12 + 2})
		g.book, g.loaded = &Book{Account: book}, true
		for b.Loop() {
			r, err := p.judgeAccount(g, nil)
			require.NoError(b, err)
			b.ReportMetric(float64(len(r.Findings)), "findings")
		}
	})
	b.Run("codec", func(b *testing.B) {
		for b.Loop() {
			read, err := DecodeBook(BookAccount, data)
			require.NoError(b, err)
			_, err = EncodeBook(read)
			require.NoError(b, err)
		}
	})
	b.Run("trim", func(b *testing.B) {
		for b.Loop() {
			read, err := DecodeBook(BookAccount, data)
			require.NoError(b, err)
			s := read.Account.Sessions[0]
			s.Key++
			read.Account.Sessions = append(read.Account.Sessions, s)
			read.Account.trim()
		}
	})
}

// noBooks is a ledger without books.
type noBooks struct{}

func (noBooks) Books(context.Context, []BookKey) (map[BookKey]*Book, error) { return nil, nil }
