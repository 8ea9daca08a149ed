package audit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

// Ensure a chain holds while nothing is touched, and tells where something was.
func TestChain(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, one := databasetest.Organization(t, db, "One")
		other, _ := databasetest.Organization(t, db, "Two")
		sealer := audit.NewSealer(db)
		write := func(ctx context.Context, n int) {
			require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
				for i := range n {
					if err := audit.Write(ctx, tx, now.Add(time.Duration(i)*time.Second), audit.Entry{Action: fmt.Sprint("act ", i), Result: audit.OK}); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		write(ctx, 1203)
		write(other, 2)
		n, err := sealer.Seal(context.Background())
		require.NoError(t, err)
		require.Equal(t, 1205, n)
		write(ctx, 3) // of a time before those that are sealed
		_, err = sealer.Seal(context.Background())
		require.NoError(t, err)
		all, err := sealer.Verify(context.Background())
		require.NoError(t, err)
		require.Len(t, all, 2)
		for _, v := range all {
			require.Empty(t, v.Problems)
			require.Zero(t, v.Unsealed)
			require.Len(t, v.Head, 64)
			if v.OrganizationID == one.ID {
				require.EqualValues(t, 1206, v.Sealed)
			}
		}

		// Somebody with the database in hand changes one and takes one out.
		require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			_, err := tx.SQL.ExecContext(ctx, "UPDATE audit_entries SET result = 'FORBIDDEN' WHERE action = 'act 7' AND organization_id = $1", one.ID)
			if err != nil {
				return err
			}
			_, err = tx.SQL.ExecContext(ctx, "DELETE FROM audit_entries WHERE action = 'act 900' AND organization_id = $1", one.ID)
			return err
		}))
		all, err = sealer.Verify(context.Background())
		require.ErrorIs(t, err, audit.ErrBroken)
		for _, v := range all {
			if v.OrganizationID == one.ID {
				require.Len(t, v.Problems, 2)
				require.Contains(t, v.Problems[0], "act 7")
				require.Contains(t, v.Problems[1], "missing")
			} else {
				require.Empty(t, v.Problems)
			}
		}
	})
}

// Ensure two processes that seal at once make one chain.
func TestSealAtOnce(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		ctx, _ := databasetest.Organization(t, db, "One")
		require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			for range 200 {
				if err := audit.Write(ctx, tx, now, audit.Entry{Action: "act", Result: audit.OK}); err != nil {
					return err
				}
			}
			return nil
		}))
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() {
				_, err := audit.NewSealer(db).Seal(context.Background())
				errs <- err
			}()
		}
		for range cap(errs) {
			require.NoError(t, <-errs)
		}
		all, err := audit.NewSealer(db).Verify(context.Background())
		require.NoError(t, err)
		require.EqualValues(t, 200, all[0].Sealed)
	})
}
