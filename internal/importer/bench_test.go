package importer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/importer"
	"github.com/cairn-itdr/cairn/internal/simulator"
)

// loadRecords is how many records one measured import holds.
const loadRecords = 60_000

func load(b *testing.B, accounts int) []byte {
	b.Helper()
	var lines bytes.Buffer
	_, err := simulator.Load{
		Seed: 1, Accounts: accounts, Records: loadRecords, Log: simulator.UnifiedAudit,
		From: now.Add(-48 * time.Hour), TenantID: home,
	}.Write(&lines)
	require.NoError(b, err)
	return lines.Bytes()
}

// BenchmarkImport measures the import, everything included, beside a bare
// insert of the same records on the same database: the same unique key and the
// same indexes, the values ready to be stored. Compare records/s within a run;
// the import must reach 60 % of the bare insert, and 5,000 records/s.
func BenchmarkImport(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(60)) // as the command does
	for _, kind := range []struct {
		name string
		open func(testing.TB) *database.DB
	}{{"SQLite", databasetest.SQLite}, {"PostgreSQL", databasetest.Postgres}} {
		for _, accounts := range []int{1_000, 100_000} {
			lines := load(b, accounts)
			b.Run(fmt.Sprintf("%s/%d-accounts/import", kind.name, accounts), func(b *testing.B) {
				var elapsed time.Duration
				for b.Loop() {
					b.StopTimer()
					h := newHouse(b, kind.open(b))
					t := h.tenant("load")
					b.StartTimer()
					start := time.Now()
					s := h.run(t, importer.Options{MicrosoftTenantID: home}, importer.Source{Name: "load", Rereadable: true, Open: func() (io.ReadCloser, error) {
						return io.NopCloser(bytes.NewReader(lines)), nil
					}})
					elapsed += time.Since(start)
					require.Equal(b, loadRecords, s.New)
				}
				b.ReportMetric(float64(b.N*loadRecords)/elapsed.Seconds(), "records/s")
			})
			b.Run(fmt.Sprintf("%s/%d-accounts/bare", kind.name, accounts), func(b *testing.B) {
				var elapsed time.Duration
				for b.Loop() {
					b.StopTimer()
					db := kind.open(b)
					rows := bareRows(b, lines)
					b.StartTimer()
					start := time.Now()
					bareInsert(b, db, rows)
					elapsed += time.Since(start)
				}
				b.ReportMetric(float64(b.N*loadRecords)/elapsed.Seconds(), "records/s")
			})
		}
	}
}

var bareColumns = []string{"id", "organization_id", "tenant_id", "account_id", "occurred_at", "run", "session_id", "address", "raw"}

func bareRows(b *testing.B, lines []byte) [][]any {
	b.Helper()
	rows := make([][]any, 0, loadRecords)
	for line := range bytes.Lines(lines) {
		a, err := format.Parse(bytes.TrimSpace(line))
		require.NoError(b, err)
		a.Identify("organization_01h455vb4pex5vsknk084sn02q", "tenant_01h455vb4pex5vsknk084sn02q")
		account := ""
		if a.Actor.Kind == activity.ActorUser {
			account = "account_" + fmt.Sprintf("%026.26s", strings.ReplaceAll(a.Actor.Principal, "@", ""))
		}
		address := ""
		if a.Address.IsValid() {
			address = a.Address.String()
		}
		rows = append(rows, []any{a.ID, a.OrganizationID, a.TenantID, account, a.OccurredAt, len(rows) / 16_384, a.SessionID, address, string(line)})
	}
	return rows
}

func bareInsert(b *testing.B, db *database.DB, rows [][]any) {
	b.Helper()
	text, when := "text", "datetime"
	if db.Dialect() == database.Postgres {
		text, when = `text COLLATE "C"`, "timestamptz"
	}
	ctx, _ := databasetest.Organization(b, db, "bare")
	require.NoError(b, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		for _, s := range []string{
			fmt.Sprintf("CREATE TABLE bare (id %[1]s PRIMARY KEY, organization_id %[1]s, tenant_id %[1]s, account_id %[1]s, occurred_at %[2]s, run integer, session_id %[1]s, address %[1]s, raw text)", text, when),
			"CREATE INDEX bare_o ON bare (organization_id, occurred_at, id)",
			"CREATE INDEX bare_t ON bare (tenant_id, occurred_at, id)",
			"CREATE INDEX bare_a ON bare (run, account_id, occurred_at) WHERE account_id <> ''",
			"CREATE INDEX bare_s ON bare (run, session_id, occurred_at) WHERE session_id <> ''",
			"CREATE INDEX bare_d ON bare (run, address, occurred_at) WHERE address <> ''",
		} {
			if _, err := tx.SQL.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}))
	const batch, perStatement = 4000, 40
	tuple := "(" + strings.TrimSuffix(strings.Repeat("?,", len(bareColumns)), ",") + ")"
	statement := "INSERT INTO bare (" + strings.Join(bareColumns, ",") + ") VALUES " + strings.TrimSuffix(strings.Repeat(tuple+",", perStatement), ",")
	for len(rows) > 0 {
		part := rows[:min(batch, len(rows))]
		rows = rows[len(part):]
		require.NoError(b, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			if db.Dialect() == database.Postgres {
				return tx.CopyFrom(ctx, "bare", bareColumns, pgx.CopyFromRows(part))
			}
			insert, err := tx.SQL.PrepareContext(ctx, statement)
			if err != nil {
				return err
			}
			defer insert.Close()
			args := make([]any, 0, perStatement*len(bareColumns))
			for i := 0; i < len(part); i += perStatement {
				args = args[:0]
				for _, row := range part[i : i+perStatement] {
					args = append(args, row...)
				}
				if _, err := insert.ExecContext(ctx, args...); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}
