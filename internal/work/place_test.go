package work_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Ensure no more are at a thing at once than it has places, in all processes
// together, and that everybody gets his turn.
func TestPlacesOverProcesses(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		ctx := access.System(context.Background(), "test", y.org)
		for _, places := range []int{1, 2} {
			var mu sync.Mutex
			at, most := 0, 0
			var all sync.WaitGroup
			for range 3 {
				r := y.runner()
				for range 4 {
					all.Go(func() {
						held, free, err := r.Hold(ctx, "creation", "c", y.org, places, time.Minute)
						if err != nil {
							t.Errorf("hold: %v", err)
							return
						}
						mu.Lock()
						at++
						most = max(most, at)
						mu.Unlock()
						var one int // something that takes a while
						if err := y.db.Reader().QueryRowContext(held, "SELECT count(*) FROM chores").Scan(&one); err != nil {
							t.Errorf("held: %v", err)
						}
						mu.Lock()
						at--
						mu.Unlock()
						free()
					})
				}
			}
			all.Wait()
			require.LessOrEqual(y, most, places)
		}
		var left int
		require.NoError(y, y.db.Reader().QueryRowContext(y.ctx(), "SELECT count(*) FROM work_places").Scan(&left))
		require.Zero(y, left)
	})
}

// Ensure the place of a process that is gone is another's when its lease ends,
// not before, and that one who lost his place learns it.
func TestPlaceOfADeadProcess(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		ctx := access.System(context.Background(), "test", y.org)
		const lease = 3 * time.Second // a third of it passes on the machine's clock before it is renewed
		dead := y.runner()
		held, _, err := dead.Hold(ctx, "creation", "c", y.org, 1, lease)
		require.NoError(y, err)
		waits, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, _, err = y.runner().Hold(waits, "creation", "c", y.org, 1, lease)
		require.ErrorIs(y, err, context.DeadlineExceeded)
		_, free, err := y.runner().Hold(ctx, "creation", "another", y.org, 1, lease)
		require.NoError(y, err, "another key has places of its own")
		free()

		y.pass(lease)
		mine, free, err := y.runner().Hold(ctx, "creation", "c", y.org, 1, lease)
		require.NoError(y, err)
		<-held.Done()
		require.ErrorContains(y, context.Cause(held), "lost")
		require.NoError(y, mine.Err())
		free()
	})
}
