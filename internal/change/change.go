// Package change is the change feed: a row for everything a client or a worker
// may want to hear of, written in the transaction that changes it.
//
// Rows are numbered in the order in which their transactions commit: they are
// written last of all, under a lock that ends with the commit. So whoever has
// read up to a number has missed nothing below it, however long another
// transaction took. A signal after the commit says that there is something to
// read; it may be lost, and then the next one says so.
//
// What may not live here: what a change means, and who may hear of it. Rows
// carry organization and tenant; readers read within their scope, and then the
// object itself through it.
package change

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// What names a kind of object that changes.
type What string

// The kinds.
const (
	Incident      What = "INCIDENT"
	Ticket        What = "TICKET"
	PSAConnection What = "PSA_CONNECTION"
	Notification  What = "NOTIFICATION"
	Tenant        What = "TENANT"
)

// Change says that an object is different from what it was.
type Change struct {
	Cursor         int64 // set by Note's commit: reading goes on behind it
	OrganizationID string
	TenantID       string // empty for what belongs to the organization
	What           What
	ObjectID       string
	Revision       int // of the object, 0 where it counts none
}

// ErrPruned is returned where changes behind a cursor have been dropped for
// their age: the reader reads everything anew, and goes on from Latest.
var ErrPruned = errors.New("the changes behind this cursor have been dropped")

// Feed writes and reads the changes of a database.
type Feed struct {
	db  *database.DB
	now func() time.Time

	signals signals
}

// New returns the feed. Listen lets it hear of other processes' changes.
func New(db *database.DB, now func() time.Time) *Feed {
	return &Feed{db: db, now: now, signals: signals{all: map[*subscription]bool{}}}
}

// pending is what a transaction has noted and not yet written.
type pending struct {
	order []key
	rows  map[key]Change
}

// key is an object; of its changes in one transaction the last one stands.
type key struct {
	what What
	id   string
}

// Note notes changes; they are written when tx commits.
func (f *Feed) Note(tx *database.Tx, changes ...Change) {
	p := database.Keep(tx, f, func() *pending {
		p := &pending{rows: map[key]Change{}}
		tx.BeforeCommit(func(ctx context.Context) error { return f.write(ctx, tx, p) })
		return p
	})
	for _, c := range changes {
		k := key{c.What, c.ObjectID}
		if _, ok := p.rows[k]; !ok {
			p.order = append(p.order, k)
		}
		p.rows[k] = c
	}
}

// rowsAtOnce is how many rows one statement writes.
const rowsAtOnce = 1000

// channel is what processes that share a database tell each other on.
const channel = "cairn_changes"

const insert = "INSERT INTO changes (organization_id, tenant_id, what, object_id, revision, at) VALUES "

func (f *Feed) write(ctx context.Context, tx *database.Tx, p *pending) error {
	if len(p.order) == 0 {
		return nil
	}
	postgres := tx.Dialect() == database.Postgres
	if postgres {
		// Numbers are given and become visible in one order. SQLite has one writer anyway.
		if _, err := tx.SQL.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", channel); err != nil {
			return fmt.Errorf("note changes: %w", err)
		}
	}
	now := f.now()
	var kinds []string
	for part := range slices.Chunk(p.order, rowsAtOnce) {
		args := make([]any, 0, len(part)*6)
		for _, k := range part {
			c := p.rows[k]
			args = append(args, c.OrganizationID, c.TenantID, string(c.What), c.ObjectID, c.Revision, now)
			if !slices.Contains(kinds, string(c.What)) {
				kinds = append(kinds, string(c.What))
			}
		}
		_, err := tx.SQL.ExecContext(ctx, insert+tx.Tuples(len(part), 6), args...)
		if err != nil {
			return fmt.Errorf("note changes: %w", err)
		}
	}
	told := strings.Join(kinds, ",")
	if postgres {
		if _, err := tx.SQL.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, told); err != nil {
			return fmt.Errorf("tell of changes: %w", err)
		}
	}
	tx.AfterCommit(func() { f.signals.send(told) })
	return nil
}

// Latest returns the cursor behind everything that has changed so far.
func (f *Feed) Latest(ctx context.Context) (int64, error) {
	if _, err := access.From(ctx); err != nil {
		return 0, fmt.Errorf("read the latest change: %w", err)
	}
	var latest int64
	if err := f.db.Reader().QueryRowContext(marks(ctx), "SELECT coalesce(max(id), 0) FROM changes").Scan(&latest); err != nil {
		return 0, fmt.Errorf("read the latest change: %w", err)
	}
	return latest, nil
}

// After returns the changes behind a cursor in the scope of ctx, in order, and
// the cursor behind them. ErrPruned where some of them may be gone.
func (f *Feed) After(ctx context.Context, cursor int64, limit int) (changes []Change, next int64, err error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, cursor, fmt.Errorf("read changes: %w", err)
	}
	rows, err := f.db.Reader().QueryContext(ctx,
		"SELECT id, organization_id, tenant_id, what, object_id, revision FROM changes WHERE id > $1 AND (organization_id = $2 OR $3) ORDER BY id LIMIT $4",
		cursor, scope.OrganizationID, scope.EveryOrganization(), limit)
	if err != nil {
		return nil, cursor, fmt.Errorf("read changes: %w", err)
	}
	defer rows.Close()
	next = cursor
	for rows.Next() {
		var c Change
		if err := rows.Scan(&c.Cursor, &c.OrganizationID, &c.TenantID, &c.What, &c.ObjectID, &c.Revision); err != nil {
			return nil, cursor, fmt.Errorf("read changes: %w", err)
		}
		changes = append(changes, c)
		next = c.Cursor
	}
	if err := rows.Err(); err != nil {
		return nil, cursor, fmt.Errorf("read changes: %w", err)
	}
	// Asked last: what was pruned while the rows were read is noticed.
	var pruned int64
	err = f.db.Reader().QueryRowContext(marks(ctx), "SELECT coalesce(max(id), 0) FROM changes WHERE what = $1", string(boundary)).Scan(&pruned)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, cursor, fmt.Errorf("read changes: %w", err)
	}
	if cursor < pruned {
		return nil, cursor, ErrPruned
	}
	return changes, next, nil
}

// marks is for reading numbers of changes, which are nobody's.
func marks(ctx context.Context) context.Context {
	return access.SystemAcrossOrganizations(ctx, "change feed")
}

// boundary marks the newest change that was dropped.
const boundary What = "PRUNED"

// Prune drops the changes noted before the given moment. ctx reaches across
// organizations. The newest of them stays as a mark, of nobody's.
func (f *Feed) Prune(ctx context.Context, before time.Time) error {
	err := f.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		var newest int64
		if err := tx.SQL.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM changes WHERE at < $1", before).Scan(&newest); err != nil {
			return err
		}
		if newest == 0 {
			return nil
		}
		if _, err := tx.SQL.ExecContext(ctx, "DELETE FROM changes WHERE id < $1", newest); err != nil {
			return err
		}
		_, err := tx.SQL.ExecContext(ctx, "UPDATE changes SET what = $1, organization_id = '', tenant_id = '', object_id = '' WHERE id = $2", string(boundary), newest)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop old changes: %w", err)
	}
	return nil
}
