package work

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

// strikes is how many failures in a row have a key rest.
const strikes = 5

// states are the keys of a queue's limits.
type states map[limitKey]*state

func (s states) of(name, key string) *state {
	k := limitKey{name, key}
	if s[k] == nil {
		s[k] = &state{}
	}
	return s[k]
}

func (s *state) add(urgent bool) {
	s.total++
	if !urgent {
		s.bulk++
	}
}

// states reads how the limits stand, and has every other process that would
// claim under one of them wait until tx ends.
func (r *Runner) states(ctx context.Context, tx *database.Tx, q *queue) (states, error) {
	var names []string
	for _, l := range q.Limits {
		names = append(names, l.Name)
	}
	slices.Sort(names)
	out := states{}
	for _, name := range names {
		if tx.Dialect() == database.Postgres {
			if _, err := tx.SQL.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "cairn work "+name); err != nil {
				return nil, fmt.Errorf("lock the limit: %w", err)
			}
		}
		if err := r.readLimit(ctx, tx, name, out); err != nil {
			return nil, fmt.Errorf("read the limit %s: %w", name, err)
		}
	}
	return out, nil
}

func (r *Runner) readLimit(ctx context.Context, tx *database.Tx, name string, out states) error {
	now := r.Now()
	// What is under way comes first: whoever ends a run writes both at once, and
	// so a place that is seen free comes with the rest that its failure led to.
	if err := r.underWay(ctx, tx, name, now, out); err != nil {
		return err
	}
	rows, err := tx.SQL.QueryContext(ctx,
		"SELECT key, parallel, failures, paused_until FROM work_limits WHERE name = $1 AND (parallel > 0 OR failures > 0 OR paused_until > $2)", name, now)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var parallel, failures int
		var paused sql.NullTime
		if err := rows.Scan(&key, &parallel, &failures, &paused); err != nil {
			return err
		}
		s := out.of(name, key)
		s.parallel, s.tripped, s.paused = parallel, failures >= strikes, paused.Valid && paused.Time.After(now)
	}
	return rows.Err()
}

// underWay counts the rows under way of all queues that share a limit.
func (r *Runner) underWay(ctx context.Context, tx *database.Tx, name string, now time.Time, out states) error {
	var parts []string
	for _, other := range r.queues {
		for _, l := range other.Limits {
			if l.Name == name {
				parts = append(parts, fmt.Sprintf("SELECT %s AS key, urgency FROM %s WHERE claimed_until > $1", l.Column, other.Table))
			}
		}
	}
	under, err := tx.SQL.QueryContext(ctx, fmt.Sprintf(
		"SELECT key, urgency > 0, count(*) FROM (%s) AS under_way GROUP BY key, urgency > 0", strings.Join(parts, " UNION ALL ")), now)
	if err != nil {
		return err
	}
	defer under.Close()
	for under.Next() {
		var key string
		var urgent bool
		var n int
		if err := under.Scan(&key, &urgent, &n); err != nil {
			return err
		}
		s := out.of(name, key)
		s.total += n
		if !urgent {
			s.bulk += n
		}
	}
	return under.Err()
}

// judge notes what a run says of the limits it ran under, and returns whether
// the key it blames rests now. A success ends a row of failures; it does not end
// a rest that another run was told to keep.
func (c *Claim) judge(ctx context.Context, tx *database.Tx, out Outcome, now time.Time) (resting bool, err error) {
	if out.Err == nil {
		for n, l := range c.queue.Limits {
			_, err := tx.SQL.ExecContext(ctx, "UPDATE work_limits SET failures = 0 WHERE name = $1 AND key = $2 AND failures > 0", l.Name, c.keys[n])
			if err != nil {
				return false, fmt.Errorf("note the limit %s: %w", l.Name, err)
			}
		}
		return false, nil
	}
	if out.Blame == "" {
		return false, nil
	}
	failures, err := c.strike(ctx, tx, out)
	if err != nil {
		return false, fmt.Errorf("note the limit %s: %w", out.Blame, err)
	}
	if !out.Plain && failures < strikes {
		return false, nil
	}
	until := now.Add(max(out.After, Backoff(c.runner.Pause, c.runner.PauseMost, max(0, failures-strikes))))
	_, err = tx.SQL.ExecContext(ctx,
		"UPDATE work_limits SET paused_until = $1 WHERE name = $2 AND key = $3 AND (paused_until IS NULL OR paused_until < $1)",
		until, out.Blame, c.Key(out.Blame))
	if err != nil {
		return false, fmt.Errorf("note the limit %s: %w", out.Blame, err)
	}
	return true, nil
}

// strike counts a failure of a key. A row that fails again and again says no
// more of the key than it did the first time, unless the key is known to fail.
func (c *Claim) strike(ctx context.Context, tx *database.Tx, out Outcome) (failures int, err error) {
	first := 0
	if c.Attempts == 0 || out.Plain {
		first = 1
	}
	err = tx.SQL.QueryRowContext(ctx,
		"INSERT INTO work_limits (name, key, organization_id, failures, reason) VALUES ($1, $2, $3, $4, $5) "+
			"ON CONFLICT (name, key) DO UPDATE SET reason = excluded.reason, "+
			"failures = work_limits.failures + CASE WHEN work_limits.failures >= $6 THEN 1 ELSE excluded.failures END RETURNING failures",
		out.Blame, c.Key(out.Blame), c.OrganizationID, first, out.Reason, strikes).Scan(&failures)
	return failures, err
}

// LimitState is how a key of a limit stands.
type LimitState struct {
	Parallel, PerMinute int        // 0: nothing was set
	PausedUntil         *time.Time // nil where it does not rest
	Failures            int        // in a row
	Reason              string     // of the last failure
	CallsThisMinute     int
}

// LimitState returns how a key stands.
func (r *Runner) LimitState(ctx context.Context, name, key string) (LimitState, error) {
	if _, err := access.From(ctx); err != nil {
		return LimitState{}, fmt.Errorf("read the limit %s: %w", name, err)
	}
	var s LimitState
	var paused, minute sql.NullTime
	err := r.DB.Reader().QueryRowContext(ctx,
		"SELECT parallel, per_minute, paused_until, failures, reason, minute, minute_calls FROM work_limits WHERE name = $1 AND key = $2", name, key).
		Scan(&s.Parallel, &s.PerMinute, &paused, &s.Failures, &s.Reason, &minute, &s.CallsThisMinute)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the limit %s: %w", name, err)
	}
	if paused.Valid && paused.Time.After(r.Now()) {
		until := paused.Time.UTC()
		s.PausedUntil = &until
	}
	if !minute.Valid || r.Now().Sub(minute.Time) >= time.Minute {
		s.CallsThisMinute = 0
	}
	return s, nil
}

// SetLimit says how many rows of a key may be under way at once and how many
// calls a minute it bears; 0 leaves it to the queue, or is no limit. A rest ends:
// whoever sets the limits anew has mended something.
func (r *Runner) SetLimit(ctx context.Context, tx *database.Tx, name, key, organizationID string, parallel, perMinute int) error {
	_, err := tx.SQL.ExecContext(ctx,
		"INSERT INTO work_limits (name, key, organization_id, parallel, per_minute) VALUES ($1, $2, $3, $4, $5) "+
			"ON CONFLICT (name, key) DO UPDATE SET parallel = excluded.parallel, per_minute = excluded.per_minute, "+
			"failures = 0, reason = '', paused_until = NULL, spoken_until = NULL",
		name, key, organizationID, parallel, perMinute)
	if err != nil {
		return fmt.Errorf("set the limit %s: %w", name, err)
	}
	return nil
}
