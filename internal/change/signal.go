package change

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/internal/database"
)

// signals tells subscribers within the process that something has changed.
type signals struct {
	mu  sync.Mutex
	all map[*subscription]bool
}

type subscription struct {
	kinds map[string]bool // all where empty
	c     chan struct{}
}

// send tells those that asked for one of the kinds; "" is everybody.
func (s *signals) send(kinds string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.all {
		if kinds != "" && len(sub.kinds) > 0 && !wants(sub, kinds) {
			continue
		}
		select {
		case sub.c <- struct{}{}:
		default: // it has been told and has not looked yet
		}
	}
}

func wants(sub *subscription, kinds string) bool {
	for k := range strings.SplitSeq(kinds, ",") {
		if sub.kinds[k] {
			return true
		}
	}
	return false
}

// Subscribe returns a channel that holds a signal whenever something of these
// kinds (of any, where none is given) has changed since it was last read. Read
// the feed once before waiting for the first. Call end when done with it.
func (f *Feed) Subscribe(kinds ...string) (signal <-chan struct{}, end func()) {
	sub := &subscription{kinds: map[string]bool{}, c: make(chan struct{}, 1)}
	for _, k := range kinds {
		sub.kinds[k] = true
	}
	f.signals.mu.Lock()
	defer f.signals.mu.Unlock()
	f.signals.all[sub] = true
	return sub.c, func() {
		f.signals.mu.Lock()
		defer f.signals.mu.Unlock()
		delete(f.signals.all, sub)
	}
}

// reconnectAfter is how long Listen waits after it lost the database.
const reconnectAfter = time.Second

// Listen has subscribers hear of what other processes on the same database
// change, until ctx ends. On SQLite there are none, and it only waits.
func (f *Feed) Listen(ctx context.Context, logger *slog.Logger) error {
	if f.db.Dialect() != database.Postgres {
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		// Whoever listens again may have missed something: everybody looks.
		err := f.db.Listen(ctx, channel, func() { f.signals.send("") }, f.signals.send)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		logger.WarnContext(ctx, "changes of other processes are not heard for a moment; workers look by themselves meanwhile", "error", err)
		timer := time.NewTimer(reconnectAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
