package activitylog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/database"
)

// Appended says what became of a batch.
type Appended struct {
	New     []*activity.Activity // stored for the first time
	Changed []*activity.Activity // stored in place of an earlier version
	Known   int                  // stored already, or an earlier version of what is; or dropped by age, and stored again
}

// Append stores a batch within tx: Sift, then Store.
func (l *Log) Append(ctx context.Context, tx *database.Tx, batch []*activity.Activity, now time.Time) (Appended, error) {
	sifted, err := l.Sift(ctx, tx, batch, now)
	if err != nil {
		return Appended{}, err
	}
	return sifted.Appended, sifted.Store(ctx)
}

// Sifted is a batch whose new records are known and not stored yet.
type Sifted struct {
	Appended

	tx    *database.Tx
	fresh []*activity.Activity
	now   time.Time
}

// Sift finds out which records of a batch are new, and puts changed ones in
// the place of their earlier versions. A record whose identity is stored
// already is known, or, where its content differs and wins (activity.Newer),
// changed. One that Prune has dropped is known as well, and Store stores it
// again: whoever imports it wants to look at it, and what it led to is there.
// Records must carry the organization of the scope, and be of one tenant.
//
// Two transactions must not sift and store for one tenant at once: the caller
// holds the tenant's intake position.
func (l *Log) Sift(ctx context.Context, tx *database.Tx, batch []*activity.Activity, now time.Time) (*Sifted, error) {
	s, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("append activities: %w", err)
	}
	versions, known := latest(batch)
	out := &Sifted{Appended: Appended{Known: known}, tx: tx, now: now}
	ids := make([]string, len(versions))
	for i, v := range versions {
		if v.OrganizationID != s.OrganizationID {
			return nil, fmt.Errorf("append activity %s: record of another organization", v.ID)
		}
		if v.TenantID != versions[0].TenantID {
			return nil, fmt.Errorf("append activity %s: record of another tenant than the batch's first", v.ID)
		}
		ids[i] = v.ID
	}
	stored, err := l.storedDigests(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, id := range ids {
		if _, ok := stored[id]; !ok {
			missing = append(missing, id)
		}
	}
	dropped, err := recall(ctx, tx, missing)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		digest, ok := stored[v.ID]
		switch {
		case dropped[v.ID]:
			out.fresh = append(out.fresh, v)
			out.Known++
		case !ok:
			out.fresh = append(out.fresh, v)
			out.New = append(out.New, v)
		case bytes.Equal(digest, v.Digest):
			out.Known++
		default:
			replaced, err := l.replaceIfNewer(ctx, tx, v, now)
			if err != nil {
				return nil, err
			}
			if replaced {
				out.Changed = append(out.Changed, v)
			} else {
				out.Known++
			}
		}
	}
	return out, nil
}

// Store stores the new records.
func (s *Sifted) Store(ctx context.Context) error {
	if len(s.fresh) == 0 {
		return nil
	}
	run, err := openRun(ctx, s.tx, s.fresh)
	if err != nil {
		return fmt.Errorf("store activities: %w", err)
	}
	if s.tx.Dialect() == database.Postgres {
		return copyRows(ctx, s.tx, s.fresh, run, s.now)
	}
	return insertRows(ctx, s.tx, s.fresh, run, s.now)
}

// latest keeps of each record its winning version, in the order of first appearance.
func latest(batch []*activity.Activity) (versions []*activity.Activity, known int) {
	at := make(map[string]int, len(batch))
	versions = make([]*activity.Activity, 0, len(batch))
	for _, a := range batch {
		i, seen := at[a.ID]
		if !seen {
			at[a.ID] = len(versions)
			versions = append(versions, a)
			continue
		}
		known++
		if !bytes.Equal(versions[i].Digest, a.Digest) && activity.Newer(a, versions[i]) {
			versions[i] = a
		}
	}
	return versions, known
}

// maxParameters stays below SQLite's limit of 32,766 bound values a statement.
const maxParameters = 30000

func (l *Log) storedDigests(ctx context.Context, tx *database.Tx, ids []string) (_ map[string][]byte, err error) {
	out := make(map[string][]byte)
	for len(ids) > 0 {
		n := min(len(ids), maxParameters)
		q := newQuery(tx.Dialect())
		q.in("id", ids[:n])
		ids = ids[n:]
		if err := l.readDigests(ctx, tx, q, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (l *Log) readDigests(ctx context.Context, tx *database.Tx, q *query, into map[string][]byte) (err error) {
	rows, err := tx.SQL.QueryContext(ctx, q.statement("id, digest", "", 0), q.args...)
	if err != nil {
		return fmt.Errorf("look up known activities: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		var digest []byte
		if err := rows.Scan(&id, &digest); err != nil {
			return fmt.Errorf("look up known activities: %w", err)
		}
		into[id] = digest
	}
	return rows.Err()
}

// replaceIfNewer puts v in the place of the stored version where it wins.
func (l *Log) replaceIfNewer(ctx context.Context, tx *database.Tx, v *activity.Activity, now time.Time) (bool, error) {
	q := newQuery(tx.Dialect())
	q.in("id", []string{v.ID})
	var shape, raw string
	var run int64
	if err := tx.SQL.QueryRowContext(ctx, q.statement("shape, raw, run", "", 0), q.args...).Scan(&shape, &raw, &run); err != nil {
		return false, fmt.Errorf("read activity %s: %w", v.ID, err)
	}
	old, err := l.parse(shape, []byte(raw))
	if err != nil {
		return false, fmt.Errorf("activity %s: stored record can't be read again: %w", v.ID, err)
	}
	old.Raw = []byte(raw)
	if !activity.Newer(v, &old) {
		return false, nil
	}
	if err := widenRun(ctx, tx, run, v.OccurredAt); err != nil {
		return false, err
	}
	q = newQuery(tx.Dialect())
	sets := make([]string, 0, len(columns))
	for i, value := range row(v, run, now) {
		if columns[i] != "id" {
			sets = append(sets, columns[i]+" = "+q.bind(value))
		}
	}
	statement := "UPDATE activities SET " + strings.Join(sets, ", ") + " WHERE id = " + q.bind(v.ID) //nolint:gosec // every value is bound
	_, err = tx.SQL.ExecContext(ctx, statement, q.args...)
	if err != nil {
		return false, fmt.Errorf("change activity %s: %w", v.ID, err)
	}
	return true, nil
}

// insertChunk is how many rows one INSERT carries on SQLite: more gain nothing
// (BenchmarkAppend), fewer cost calls.
const insertChunk = 40

func insertRows(ctx context.Context, tx *database.Tx, versions []*activity.Activity, run int64, now time.Time) (err error) {
	tuple := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
	head := "INSERT INTO activities (" + strings.Join(columns, ", ") + ") VALUES "
	full, err := tx.SQL.PrepareContext(ctx, head+strings.TrimSuffix(strings.Repeat(tuple+",", insertChunk), ","))
	if err != nil {
		return fmt.Errorf("store activities: %w", err)
	}
	defer func() { err = errors.Join(err, full.Close()) }()
	args := make([]any, 0, insertChunk*len(columns))
	for len(versions) >= insertChunk {
		args = args[:0]
		for _, v := range versions[:insertChunk] {
			args = append(args, row(v, run, now)...)
		}
		if _, err := full.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("store activities: %w", err)
		}
		versions = versions[insertChunk:]
	}
	for _, v := range versions {
		if _, err := tx.SQL.ExecContext(ctx, head+tuple, row(v, run, now)...); err != nil {
			return fmt.Errorf("store activity %s: %w", v.ID, err)
		}
	}
	return nil
}

func copyRows(ctx context.Context, tx *database.Tx, versions []*activity.Activity, run int64, now time.Time) error {
	err := tx.CopyFrom(ctx, "activities", columns, pgx.CopyFromSlice(len(versions), func(i int) ([]any, error) {
		return row(versions[i], run, now), nil
	}))
	if err != nil {
		return fmt.Errorf("store activities: %w", err)
	}
	return nil
}
