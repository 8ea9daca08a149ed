package intake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// How much of the stored activity is refolded at once.
const (
	refoldRecords = 2000
	refoldBytes   = 16 << 20
)

// ErrOvertaken is returned by Rebuild where another process has taken activity
// of the tenant in meanwhile: begin again.
var ErrOvertaken = errors.New("another process has written the tenant's books")

// Rebuild makes the tenant's books anew from its stored activity and brings
// findings and incidents in step with what they say: for a new version of the
// engine, which can't read the books of the one before, and sees more in old
// logs. Findings stand until the books are whole. The book of the tenant is
// written last: what is interrupted before that begins again.
func (in *Intake) Rebuild(ctx context.Context, t *ent.Tenant) error {
	state := in.tenant(t.ID)
	state.mu.Lock()
	defer state.mu.Unlock()
	return in.rebuild(ctx, t, state)
}

// refresh rebuilds what another version of the engine has left behind.
func (in *Intake) refresh(ctx context.Context, t *ent.Tenant, state *tenantState) error {
	if state.readable {
		return nil
	}
	var data []byte
	err := in.db.Reader().QueryRowContext(ctx, "SELECT data FROM books WHERE tenant_id = $1 AND kind = $2", t.ID, string(detect.BookTenant)).Scan(&data)
	switch {
	case errors.Is(err, sql.ErrNoRows): // nothing was taken in yet
	case err != nil:
		return fmt.Errorf("read the tenant's book: %w", err)
	case !detect.Readable(data):
		if err := in.rebuild(ctx, t, state); err != nil {
			return err
		}
	}
	state.readable = true
	return nil
}

func (in *Intake) rebuild(ctx context.Context, t *ent.Tenant, state *tenantState) error {
	r := rebuilding{Intake: in, ctx: ctx, tenant: t, state: state}
	if err := r.run(); err != nil {
		return fmt.Errorf("rebuild the books of tenant %s: %w", t.ID, err)
	}
	state.position, state.readable = r.position, true
	return nil
}

// rebuilding is one run of Rebuild.
type rebuilding struct {
	*Intake

	ctx      context.Context //nolint:containedctx // lives as long as the call it was given to
	tenant   *ent.Tenant
	state    *tenantState
	position int64        // the tenant's intake position after the last step
	book     *detect.Book // the tenant's own, written last
}

func (r *rebuilding) run() error {
	r.state.generation++ // what is cached is of books that go
	err := r.step(func(ctx context.Context, tx *database.Tx, _ *ledger) error {
		_, err := tx.SQL.ExecContext(ctx, "DELETE FROM books WHERE tenant_id = $1 AND kind <> $2", r.tenant.ID, string(detect.BookTenant))
		return err
	})
	if err != nil {
		return err
	}
	if err := r.refold(); err != nil {
		return err
	}
	if err := r.rejudge(); err != nil {
		return err
	}
	if r.book == nil {
		return nil
	}
	return r.step(func(ctx context.Context, _ *database.Tx, l *ledger) error {
		return r.store(ctx, l, map[detect.BookKey]*detect.Book{{Kind: detect.BookTenant}: r.book})
	})
}

// step is one transaction, in which nobody else may have come between.
func (r *rebuilding) step(do func(ctx context.Context, tx *database.Tx, l *ledger) error) error {
	var memory *memory
	var position int64
	err := r.db.InTx(r.ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		if position, err = advance(ctx, tx, r.tenant); err != nil {
			return err
		}
		if r.position != 0 && position != r.position+1 {
			return ErrOvertaken
		}
		memory = newMemory(r.cache, r.tenant.ID, r.state.generation)
		return do(ctx, tx, &ledger{db: r.db, tx: tx, tenant: r.tenant, memory: memory, anew: true, own: r.book})
	})
	if err != nil {
		return err
	}
	r.position = position
	memory.remember()
	return nil
}

// store writes books, but not the tenant's own.
func (r *rebuilding) store(ctx context.Context, l *ledger, books map[detect.BookKey]*detect.Book) error {
	encoded, err := l.encode(books)
	if err != nil {
		return err
	}
	return l.write(ctx, encoded)
}

// refold folds the whole log of the tenant, a piece at a time.
func (r *rebuilding) refold() error {
	filter, page := activitylog.Filter{TenantIDs: []string{r.tenant.ID}}, activitylog.Page{Limit: refoldRecords, Ascending: true}
	for {
		entries, err := r.log.Search(r.ctx, filter, page)
		if err != nil || len(entries) == 0 {
			return err
		}
		for rest := entries; len(rest) > 0; {
			n, bytes := 0, int64(0)
			for n < len(rest) && (n == 0 || bytes+rest[n].RawBytes <= refoldBytes) {
				bytes += rest[n].RawBytes
				n++
			}
			if err := r.refoldPart(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		last := entries[len(entries)-1]
		page.Start = &activitylog.Position{OccurredAt: last.OccurredAt, ID: last.ID}
	}
}

func (r *rebuilding) refoldPart(entries []*activitylog.Entry) error {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	raws, err := r.log.Raw(r.ctx, ids)
	if err != nil {
		return err
	}
	batch := make([]*activity.Activity, 0, len(entries))
	for _, e := range entries {
		raw, there := raws[e.ID]
		if !there {
			continue // has gone by age since
		}
		a, err := r.log.Complete(e, raw)
		if err != nil {
			return err
		}
		batch = append(batch, a)
	}
	return r.step(func(ctx context.Context, _ *database.Tx, l *ledger) error {
		books, err := r.engine.Refold(ctx, l, batch)
		if err != nil {
			return err
		}
		key := detect.BookKey{Kind: detect.BookTenant}
		if own := books[key]; own != nil {
			r.book = own
		}
		books = maps.Clone(books)
		delete(books, key)
		return r.store(ctx, l, books)
	})
}

// rejudge judges every book and applies what it supports.
func (r *rebuilding) rejudge() error {
	last := detect.BookKey{}
	for {
		keys, err := r.keysAfter(last)
		if err != nil || len(keys) == 0 {
			return err
		}
		last = keys[len(keys)-1]
		err = r.step(func(ctx context.Context, tx *database.Tx, l *ledger) error {
			out, err := r.engine.Rejudge(ctx, l, keys)
			if err != nil {
				return err
			}
			delete(out.Changed, detect.BookKey{Kind: detect.BookTenant})
			if err := r.store(ctx, l, out.Changed); err != nil {
				return err
			}
			_, err = r.incidents.Apply(ctx, tx, r.tenant.ID, out.Reviews)
			return err
		})
		if err != nil {
			return err
		}
	}
}

func (r *rebuilding) keysAfter(last detect.BookKey) (keys []detect.BookKey, err error) {
	const statement = "SELECT kind, subject, period FROM books WHERE tenant_id = $1 AND kind <> $2 " +
		"AND (kind > $3 OR kind = $3 AND subject > $4 OR kind = $3 AND subject = $4 AND period > $5) ORDER BY kind, subject, period LIMIT 500"
	rows, err := r.db.Reader().QueryContext(r.ctx, statement, r.tenant.ID, string(detect.BookTenant), string(last.Kind), last.Subject, last.Period)
	if err != nil {
		return nil, fmt.Errorf("list books: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k detect.BookKey
		var kind string
		if err := rows.Scan(&kind, &k.Subject, &k.Period); err != nil {
			return nil, fmt.Errorf("list books: %w", err)
		}
		k.Kind = detect.BookKind(kind)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}
