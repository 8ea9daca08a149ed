package work

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
)

// budget is what this process has taken out of a key's calls and not made yet:
// some at a time, for a row written for each call would cost more than the call.
type budget struct {
	mu       sync.Mutex
	left     int
	at       time.Time // when the next of them may be made
	interval time.Duration
}

// burst is how long a rest may have saved calls up for: a person who opens a form
// asks for much at once. Limits that vendors count over minutes bear it where
// the budget leaves room for it.
const burst = 20 * time.Second

// Take waits until a key's budget of calls allows one more, whichever process
// makes it. A key without a budget never waits.
func (r *Runner) Take(ctx context.Context, name, key string) error {
	at, err := r.turn(ctx, limitKey{name, key})
	if err != nil {
		return err
	}
	wait := at.Sub(r.Now())
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Runner) turn(ctx context.Context, k limitKey) (time.Time, error) {
	r.mu.Lock()
	b := r.budgets[k]
	if b == nil {
		b = &budget{}
		r.budgets[k] = b
	}
	r.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 || r.Now().Sub(b.at) > time.Second { // what was not used is past
		if err := r.take(ctx, k, b); err != nil {
			return time.Time{}, fmt.Errorf("take calls out of the budget of %s: %w", k.key, err)
		}
	}
	at := b.at
	b.left--
	b.at = at.Add(b.interval)
	return at, nil
}

// unlimited is how many calls are counted at once where nothing limits them.
const unlimited = 100

// take speaks for the next calls of a key.
func (r *Runner) take(ctx context.Context, k limitKey, b *budget) error {
	ctx = access.SystemAcrossOrganizations(ctx, "work")
	return r.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		lock := ""
		if tx.Dialect() == database.Postgres {
			lock = " FOR UPDATE"
		}
		now := r.Now()
		var perMinute, calls int
		var spoken, minute sql.NullTime
		err := tx.SQL.QueryRowContext(ctx, "SELECT per_minute, spoken_until, minute, minute_calls FROM work_limits WHERE name = $1 AND key = $2"+lock, k.name, k.key).
			Scan(&perMinute, &spoken, &minute, &calls)
		if errors.Is(err, sql.ErrNoRows) || err == nil && perMinute == 0 {
			b.left, b.at, b.interval = unlimited, now, 0
			return nil
		}
		if err != nil {
			return err
		}
		taken := max(1, perMinute/600) // those of a tenth of a second
		b.interval = time.Minute / time.Duration(perMinute)
		b.at = now.Add(-burst)
		if spoken.Valid && spoken.Time.After(b.at) {
			b.at = spoken.Time
		}
		b.left = taken
		if this := now.Truncate(time.Minute); !minute.Valid || !minute.Time.Equal(this) {
			minute, calls = sql.NullTime{Time: this, Valid: true}, 0
		}
		_, err = tx.SQL.ExecContext(ctx, "UPDATE work_limits SET spoken_until = $1, minute = $2, minute_calls = $3 WHERE name = $4 AND key = $5",
			b.at.Add(time.Duration(taken)*b.interval), minute.Time, calls+taken, k.name, k.key)
		return err
	})
}
