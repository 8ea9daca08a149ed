package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/internal/database"
)

// end writes how a run went and gives the row free.
func (c *Claim) end(ctx context.Context, out Outcome) error {
	err := c.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := c.runner.Now()
		var wakes int
		if err := tx.SQL.QueryRowContext(ctx, c.queue.onTable("SELECT wakes FROM %s WHERE id = $1"), c.ID).Scan(&wakes); err != nil {
			return err
		}
		resting, err := c.judge(ctx, tx, out, now)
		if err != nil {
			return err
		}
		settled := c.settle(out, wakes > c.wakes, resting, now)
		if out.Record != nil {
			if err := out.Record(ctx, tx, settled); err != nil {
				return err
			}
		}
		_, err = tx.SQL.ExecContext(ctx, c.queue.onTable("UPDATE %s SET claimed_until = NULL, attempts = $1, next_attempt_at = $2 WHERE id = $3"),
			settled.Attempts, settled.Next, c.ID)
		return err
	})
	if errors.Is(err, ErrStale) { // whoever holds it now does the same
		return nil
	}
	if err != nil {
		return fmt.Errorf("end the claim of %s: %w", c.ID, err)
	}
	return nil
}

// settle says what becomes of the row. Whatever called for another look during
// the run gets one: the run may have read before it.
func (c *Claim) settle(out Outcome, woken, resting bool, now time.Time) Settled {
	s := Settled{Woken: woken}
	q := c.queue
	at := func(t time.Time) *time.Time { return &t }
	switch {
	case out.Err == nil && woken:
		s.Next = at(now)
	case out.Err == nil:
		if !out.Again.IsZero() {
			s.Next = at(out.Again)
		}
	case resting:
		// The key rests, and the row need not: when the key does not any more
		// the newest row is tried first, however often it failed.
		s.Attempts = c.Attempts + 1
		s.Next = at(now)
	case woken:
		s.Attempts = 1
		s.Next = at(now.Add(max(out.After, Backoff(q.Retry, q.RetryMost, 0))))
	default:
		s.Attempts = c.Attempts + 1
		if !out.Final {
			s.Next = at(now.Add(max(out.After, Backoff(q.Retry, q.RetryMost, c.Attempts))))
		}
		if !out.Again.IsZero() && (out.Final || out.Again.Before(*s.Next)) {
			s.Next = at(out.Again)
		}
	}
	return s
}

// Wake has rows looked at again because something about them changed. One that
// waits after a failure goes on waiting, or for a person: the news alone mends
// nothing.
func (r *Runner) Wake(ctx context.Context, tx *database.Tx, table string, ids ...string) error {
	return r.touch(ctx, tx, "UPDATE "+table+" SET wakes = wakes + 1, next_attempt_at = CASE WHEN attempts = 0 THEN $1 ELSE next_attempt_at END WHERE id = $2", ids)
}

// Restart has rows tried at once, by a person's word or because what stood in
// the way is mended, and counts no failures of before.
func (r *Runner) Restart(ctx context.Context, tx *database.Tx, table string, ids ...string) error {
	return r.touch(ctx, tx, "UPDATE "+table+" SET wakes = wakes + 1, attempts = 0, next_attempt_at = $1 WHERE id = $2", ids)
}

// touch updates rows one after another in the order given: callers sort ids, so
// that two of them do not wait for each other.
func (r *Runner) touch(ctx context.Context, tx *database.Tx, statement string, ids []string) error {
	now := r.Now()
	for _, id := range ids {
		if _, err := tx.SQL.ExecContext(ctx, statement, now, id); err != nil {
			return fmt.Errorf("make %s due: %w", id, err)
		}
	}
	return nil
}
