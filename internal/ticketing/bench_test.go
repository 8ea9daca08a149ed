package ticketing_test

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/ticketing"
)

// BenchmarkTicket measures how long it takes from an incident that is committed
// to its ticket, both with the simulated PSA's answers, one after another.
func BenchmarkTicket(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *database.DB{"SQLite": databasetest.SQLite, "PostgreSQL": databasetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			d := newDesk(b, open(b))
			d.connect()
			d.drain()
			n := 0
			for b.Loop() {
				n++
				d.pass(20 * time.Millisecond) // the budget's clock
				d.found("user"+strconv.Itoa(n), "a")
				require.NoError(b, d.work.Drain(context.Background(), ticketing.Queue))
			}
			require.Len(b, d.vendor.Tickets(), n)
		})
	}
}

// BenchmarkTicketsAtTwentyASecond measures the time from an incident that is
// committed to its ticket, where twenty come a second: the median and the 99th percentile, in milliseconds.
func BenchmarkTicketsAtTwentyASecond(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *database.DB{"SQLite": databasetest.SQLite, "PostgreSQL": databasetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			d := newDesk(b, open(b))
			d.clockOf = time.Now
			d.start()
			d.connect()
			working, stop := context.WithCancel(context.Background())
			var processes sync.WaitGroup
			processes.Go(func() { _ = d.work.Run(working) })
			processes.Go(func() { _ = d.feed.Listen(working, slog.New(slog.DiscardHandler)) })
			defer func() { stop(); processes.Wait() }()
			committed := map[string]time.Time{}
			tick := time.NewTicker(time.Second / 20)
			defer tick.Stop()
			n := 0
			for b.Loop() {
				<-tick.C
				n++
				name := "user" + strconv.Itoa(n)
				d.found(name, "a")
				committed[d.incident(name).ID] = time.Now()
			}
			changed, end := d.feed.Subscribe()
			defer end()
			for len(d.vendor.Tickets()) < n {
				<-changed
			}
			made, err := d.db.Client().TicketEvent.Query().Where(ticketevent.KindEQ(ticketevent.KindCreated)).WithTicket().All(d.ctx)
			require.NoError(b, err)
			var took []time.Duration
			for _, e := range made {
				took = append(took, e.At.Sub(committed[e.Edges.Ticket.IncidentID]))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
