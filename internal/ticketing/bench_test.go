package ticketing_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
