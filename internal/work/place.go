package work

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/internal/database"
)

// errPlaceLost ends what was done in a place that may be another's by now.
var errPlaceLost = errors.New("the place was lost: its lease ran out")

// How often a place that another process has is asked for.
const (
	placeWait     = 10 * time.Millisecond
	placeWaitMost = 100 * time.Millisecond
)

// Hold takes one of the places that a key has for something that only so many
// may do at once, in all processes together, and waits until one is free. What
// is done in it goes by the context returned, which ends where the place is
// lost; free gives it back. The place of a process that is gone is free when
// its lease ends.
func (r *Runner) Hold(ctx context.Context, name, key, organizationID string, places int, lease time.Duration) (held context.Context, free func(), err error) {
	// The process's own wait here, and one at a time asks the database.
	own := r.placesOf(limitKey{name, key}, places)
	select {
	case own <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	p := &place{runner: r, name: name, key: key, organizationID: organizationID, holder: rand.Text(), lease: lease}
	for wait := placeWait; ; wait = min(2*wait, placeWaitMost) {
		got, err := p.take(ctx, places)
		if got {
			break
		}
		if err == nil {
			err = pause(ctx, Backoff(wait, wait, 0))
		}
		if err != nil {
			<-own
			return nil, nil, fmt.Errorf("hold a place of %s: %w", name, err)
		}
	}
	held, lost := context.WithCancelCause(ctx)
	p.renew(held, lost)
	return held, func() {
		lost(nil)
		p.free(ctx)
		<-own
	}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// placesOf are the places of a key within this process.
func (r *Runner) placesOf(k limitKey, places int) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.places[k]; c != nil && cap(c) == places {
		return c
	}
	c := make(chan struct{}, places)
	r.places[k] = c
	return c
}

// place is one that is taken, or to be.
type place struct {
	runner                            *Runner
	name, key, organizationID, holder string
	lease                             time.Duration
	number                            int
}

// take takes the first place that is free.
func (p *place) take(ctx context.Context, places int) (got bool, err error) {
	err = p.runner.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		got = false
		for n := range places {
			now := p.runner.Now()
			done, err := tx.SQL.ExecContext(ctx,
				"INSERT INTO work_places (name, key, place, organization_id, holder, held_until) VALUES ($1, $2, $3, $4, $5, $6) "+
					"ON CONFLICT (name, key, place) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until WHERE work_places.held_until <= $7",
				p.name, p.key, n, p.organizationID, p.holder, now.Add(p.lease), now)
			if err != nil {
				return err
			}
			if rows, err := done.RowsAffected(); err != nil || rows > 0 {
				p.number, got = n, err == nil
				return err
			}
		}
		return nil
	})
	return got && err == nil, err
}

// renew keeps the place while ctx goes on.
func (p *place) renew(ctx context.Context, lost context.CancelCauseFunc) {
	tick := time.NewTicker(max(time.Millisecond, p.lease/3))
	go func() {
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if err := p.write(ctx, "UPDATE work_places SET held_until = $5 WHERE name = $1 AND key = $2 AND place = $3 AND holder = $4", p.runner.Now().Add(p.lease)); err != nil {
				lost(err)
				return
			}
		}
	}()
}

// free gives the place back. Where that fails it is free when its lease ends.
func (p *place) free(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	err := p.write(ctx, "DELETE FROM work_places WHERE name = $1 AND key = $2 AND place = $3 AND holder = $4")
	if err != nil && !errors.Is(err, errPlaceLost) {
		p.runner.Logger.WarnContext(ctx, "work: a place could not be given back; its lease ends by itself", "limit", p.name, "key", p.key, "error", err)
	}
}

// write changes the place as long as it is its holder's.
func (p *place) write(ctx context.Context, statement string, more ...any) error {
	return p.runner.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		done, err := tx.SQL.ExecContext(ctx, statement, append([]any{p.name, p.key, p.number, p.holder}, more...)...)
		if err != nil {
			return err
		}
		rows, err := done.RowsAffected()
		if err == nil && rows == 0 {
			return errPlaceLost
		}
		return err
	})
}
