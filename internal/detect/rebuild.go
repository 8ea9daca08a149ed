package detect

import (
	"context"
	"fmt"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// Books are a cache of stored activity: what a version of the engine keeps
// differently from the one before, it makes anew. Refold makes the books,
// Rejudge then says what they support.

// Readable says whether a stored book is one of this version of the engine. One
// that is not must be made anew, with all of its tenant.
func Readable(data []byte) bool { return len(data) > 0 && data[0] == bookVersion }

// Refold folds stored activities of a tenant into its books, each once, and
// judges nothing: half of a history supports what the whole does not.
func (e *Engine) Refold(ctx context.Context, ledger Ledger, stored []*activity.Activity) (map[BookKey]*Book, error) {
	p := &pass{ctx: ctx, engine: e, ledger: ledger, desk: make(map[BookKey]*page, len(stored)/4+8)}
	if err := p.fold(stored, nil); err != nil {
		return nil, fmt.Errorf("fold stored activities: %w", err)
	}
	return p.changed(), nil
}

// Rejudge judges books of a tenant. There is a review of every one of them, also
// where it supports nothing.
func (e *Engine) Rejudge(ctx context.Context, ledger Ledger, keys []BookKey) (Outcome, error) {
	p := &pass{ctx: ctx, engine: e, ledger: ledger, desk: make(map[BookKey]*page, 2*len(keys)), every: true}
	if err := p.fetch(append([]BookKey{tenantKey}, keys...)...); err != nil {
		return Outcome{}, err
	}
	for _, k := range keys {
		if g := p.page(k); g.book != nil {
			g.judge, g.sessions = true, true
		}
	}
	if err := p.judge(); err != nil {
		return Outcome{}, fmt.Errorf("judge books again: %w", err)
	}
	return Outcome{Changed: p.changed(), Reviews: p.reviews}, nil
}
