package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

func TestDatabaseIsEmptyAndOnesOwn(t *testing.T) {
	t.Parallel()

	first, second := connect(t, pgtest.URL(t)), connect(t, pgtest.URL(t))
	_, err := first.Exec(t.Context(), "CREATE TABLE tenant (id text)")
	require.NoError(t, err)

	var tables int
	const count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
	require.NoError(t, second.QueryRow(t.Context(), count).Scan(&tables))
	require.Zero(t, tables)
	require.NoError(t, first.QueryRow(t.Context(), count).Scan(&tables))
	require.Equal(t, 1, tables)
}

func TestDatabaseIsDroppedUnderOpenConnections(t *testing.T) { //nolint:tparallel // its subtest must be over first
	t.Parallel()

	var url string
	t.Run("user", func(t *testing.T) {
		url = pgtest.URL(t)
		connection, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		require.NoError(t, connection.Ping(t.Context())) // and never closed
	})

	if url == "" {
		t.Skip("SKIPPED: no database was made") // says why above
	}
	_, err := pgx.Connect(t.Context(), url)
	require.Error(t, err, "the database is gone, and so is its role")
}

func TestSkippedOnlyWhenAsked(t *testing.T) {
	t.Setenv(pgtest.SkipVariable, "1")

	var inner testing.TB
	t.Run("skipped", func(t *testing.T) {
		inner = t
		pgtest.URL(t)
		require.Fail(t, "went on")
	})
	require.True(t, inner.Skipped())
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connection.Close(context.WithoutCancel(t.Context()))) })
	return connection
}
