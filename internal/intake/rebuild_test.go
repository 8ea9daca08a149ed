package intake_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

// Books of another version are made anew from the stored activity, by itself,
// and everything that follows from them is as it was.
func TestBooksOfAnotherVersion(t *testing.T) {
	t.Parallel()
	want := truth(t, every)
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		p := newPlace(t, db)
		all := p.batches(p.process(clock))
		for _, batch := range all[:len(all)-1] {
			p.take(p.process(clock), batch)
		}
		// As a version before, or after, has left them.
		statement := "UPDATE books SET data = X'01FF'"
		if p.db.Dialect() == database.Postgres {
			statement = `UPDATE books SET data = '\x01ff'`
		}
		(&saboteur{place: p}).exec(statement)
		p.take(p.process(clock), all[len(all)-1])
		p.same(want)
		require.NoError(t, p.process(clock).Rebuild(p.ctx, p.tenant), "and again")
		p.same(want)
	})
}
