package work_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/work"
)

// BenchmarkClaim measures a claim, with its row's end, where ten thousand rows of
// five keys are due.
func BenchmarkClaim(b *testing.B) {
	const due, keys = 10_000, 5
	for name, open := range map[string]func(testing.TB) *database.DB{"SQLite": databasetest.SQLite, "PostgreSQL": databasetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			y := newYard(b, open(b))
			y.exec("CREATE INDEX chores_due ON chores (connection_id, urgency, created_at, id) WHERE next_attempt_at IS NOT NULL")
			for from := 0; from < due; from += 500 {
				var rows []string
				for n := from; n < from+500; n++ {
					rows = append(rows, fmt.Sprintf("('c%d', $1, 'k%d', 't', $2, $2)", n, n%keys))
				}
				y.exec("INSERT INTO chores (id, organization_id, connection_id, tenant_id, created_at, next_attempt_at) VALUES "+strings.Join(rows, ", "), y.org, t0)
			}
			if y.db.Dialect() == database.Postgres {
				y.exec("ANALYZE chores")
			}
			q := y.chores(nil)
			q.Limits = q.Limits[:1]
			ran, enough := 0, make(chan struct{})
			q.Workers = 1
			q.Run = func(context.Context, *work.Claim) work.Outcome {
				if ran++; ran == b.N {
					close(enough)
				}
				return work.Outcome{Again: t0}
			}
			r := y.runner(q)
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan struct{})
			b.ResetTimer()
			go func() { defer close(done); _ = r.Run(ctx) }()
			<-enough
			b.StopTimer()
			stop()
			<-done
		})
	}
}
