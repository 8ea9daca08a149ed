package work

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Run works until ctx ends, and returns when what was under way has ended too.
// The queues go on independently: one that can't read its rows says so and
// looks again.
func (r *Runner) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, q := range r.queues {
		g.Go(func() error { return r.serve(ctx, q) })
	}
	return g.Wait()
}

func (r *Runner) serve(ctx context.Context, q *queue) error {
	defer q.going.Wait()
	signal, end := r.Signals.Subscribe(q.WokenBy...)
	defer end()
	tick := time.NewTicker(r.Sweep)
	defer tick.Stop()
	for {
		if _, err := r.dispatch(ctx, q); err != nil && ctx.Err() == nil {
			r.Logger.ErrorContext(ctx, "work: due rows could not be claimed; the next look tries again", "queue", q.Name, "error", err)
		}
		select {
		case <-signal:
		case <-q.freed:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Drain works off what is due in a queue, and what becomes due meanwhile, until
// nothing is that could be claimed now. It is for tests and commands; Run does
// the same and stays.
func (r *Runner) Drain(ctx context.Context, name string) error {
	for _, q := range r.queues {
		if q.Name != name {
			continue
		}
		for {
			n, err := r.dispatch(ctx, q)
			if err != nil {
				q.going.Wait()
				return err
			}
			if n == 0 && q.idle() {
				if n, err = r.dispatch(ctx, q); err != nil || n == 0 { // the last to end may have left something
					return err
				}
			}
			select {
			case <-q.freed:
			case <-ctx.Done():
				q.going.Wait()
				return ctx.Err()
			}
		}
	}
	return fmt.Errorf("work: no queue is named %q", name)
}

func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.busy == 0
}

// dispatch claims as many rows as there are places, and begins to work on them.
func (r *Runner) dispatch(ctx context.Context, q *queue) (int, error) {
	q.mu.Lock()
	urgent := q.Workers + 1 - q.busy
	bulk := max(0, q.Workers-(q.busy-q.urgent))
	q.mu.Unlock()
	if urgent <= 0 {
		return 0, nil
	}
	claims, err := r.claim(ctx, q, min(bulk, urgent), urgent)
	for _, c := range claims {
		q.mu.Lock()
		q.busy++
		inOwnPlace := c.Urgent && q.urgent == 0
		if inOwnPlace {
			q.urgent++
		}
		q.mu.Unlock()
		q.going.Go(func() {
			defer q.leave(inOwnPlace)
			r.work(ctx, c)
		})
	}
	return len(claims), err
}

func (q *queue) leave(ownPlace bool) {
	q.mu.Lock()
	q.busy--
	if ownPlace {
		q.urgent--
	}
	q.mu.Unlock()
	select {
	case q.freed <- struct{}{}:
	default:
	}
}

// work runs one claim, and ends it.
func (r *Runner) work(ctx context.Context, c *Claim) {
	scoped := access.System(ctx, c.queue.Name, c.OrganizationID)
	running, stop := context.WithCancelCause(scoped)
	defer stop(nil)
	r.renew(running, c, stop)

	outcome := r.run(running, c)
	if ctx.Err() != nil { // stopped: the row stays due, and whoever comes next goes on at once
		c.release(context.WithoutCancel(scoped))
		return
	}
	if err := c.end(scoped, outcome); err != nil {
		if ctx.Err() != nil { // stopped while it was being written: as above
			c.release(context.WithoutCancel(scoped))
			return
		}
		r.Logger.ErrorContext(scoped, "work: what a run left could not be written; the row is tried again when its lease ends",
			"queue", c.queue.Name, "row", c.ID, "error", err)
	}
}

// run calls the capability; a defect of it costs this run and nothing else.
func (r *Runner) run(ctx context.Context, c *Claim) (out Outcome) {
	defer func() {
		if p := recover(); p != nil {
			r.Logger.ErrorContext(ctx, "work: a defect ended a run", "queue", c.queue.Name, "row", c.ID, "panic", p, "stack", string(debug.Stack()))
			out = Outcome{Err: fmt.Errorf("a defect: %v", p)}
		}
	}()
	return c.queue.Run(ctx, c)
}

// renew keeps the lease while ctx goes on. A lease that is lost ends ctx.
func (r *Runner) renew(ctx context.Context, c *Claim, lost context.CancelCauseFunc) {
	tick := time.NewTicker(max(time.Millisecond, c.queue.Lease/3))
	go func() {
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if err := c.extend(ctx); err != nil {
				lost(err)
				return
			}
		}
	}()
}
