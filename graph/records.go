package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
)

// records are the raw records of activities that were listed together. A raw
// record has up to 4 MiB, so none is read before a field needs one; then all
// of them are, in one statement, where the operation's share of memory allows.
type records struct {
	log   *activitylog.Log
	share *rawShare
	bytes map[string]int64 // by activity

	mu   sync.Mutex
	read bool
	raws map[string][]byte
	err  error
}

// record is the raw record of one activity.
type record struct {
	of    *records // nil until the activity is to be shown
	entry *activitylog.Entry

	once  sync.Once
	whole *activity.Activity
	err   error
}

// view is how the API shows an activity.
func view(e *activitylog.Entry) *model.Activity {
	return &model.Activity{Activity: &e.Activity, Record: &record{entry: e}}
}

// sawActivities notes where activities lead that are shown together, and that
// their raw records are to be read together, if at all.
func (l *loaders) sawActivities(list ...*model.Activity) {
	of := &records{log: l.cfg.Log, share: l.raws, bytes: map[string]int64{}}
	for _, a := range list {
		if r, ok := a.Record.(*record); ok {
			r.of, of.bytes[a.ID] = of, r.entry.RawBytes
		}
		l.tenants.expect(a.TenantID)
		l.accounts.expect(a.AccountID)
	}
}

// load reads the records once; who asks again learns the same.
func (r *records) load(ctx context.Context) (map[string][]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read {
		return r.raws, r.err
	}
	r.read = true
	var total int64
	for _, n := range r.bytes {
		total += n
	}
	if r.err = r.share.take(ctx, total); r.err != nil {
		return nil, r.err
	}
	r.raws = make(map[string][]byte, len(r.bytes))
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(r.bytes)), keysPerFetch) {
		found, err := r.log.Raw(ctx, ids)
		if err != nil {
			r.raws, r.err = nil, fmt.Errorf("read raw records: %w", err)
			return nil, r.err
		}
		maps.Copy(r.raws, found)
	}
	return r.raws, nil
}

// Raw returns the raw record.
func (r *record) Raw(ctx context.Context) ([]byte, error) {
	raws, err := r.of.load(ctx)
	if err != nil {
		return nil, err
	}
	raw, ok := raws[r.entry.ID]
	if !ok { // retention took it in between
		return nil, failure(codeNotFound, "activity %s was dropped while it was being read", r.entry.ID)
	}
	return raw, nil
}

// Whole returns the activity with what its raw record says.
func (r *record) Whole(ctx context.Context) (*activity.Activity, error) {
	raw, err := r.Raw(ctx)
	if err != nil {
		return nil, err
	}
	r.once.Do(func() { r.whole, r.err = r.of.log.Complete(r.entry, raw) })
	return r.whole, r.err
}

// rawShare is what one operation may hold of raw records, out of what all
// operations together may.
type rawShare struct {
	cfg Config
	all *semaphore.Weighted

	mu    sync.Mutex
	taken int64
}

func (a *admission) rawShare() *rawShare { return &rawShare{cfg: a.cfg, all: a.raw} }

// take takes n bytes for as long as the operation lasts. It waits for other
// operations to end only while it holds nothing itself: else two could wait
// for each other.
func (s *rawShare) take(ctx context.Context, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken+n > s.cfg.RawBytes {
		return failure(codeTooComplex,
			"the raw records of the activities asked for have %d bytes, and one operation may read %d: "+
				"ask for fewer activities at once, or leave out the fields that are read from the raw record", s.taken+n, s.cfg.RawBytes)
	}
	granted := s.all.TryAcquire(n)
	if !granted && s.taken == 0 {
		granted = acquire(ctx, s.all, n, s.cfg.Patience)
	}
	if !granted {
		return busy()
	}
	s.taken += n
	return nil
}

// release gives back what was taken.
func (s *rawShare) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Release(s.taken)
	s.taken = 0
}

type rawShareKey struct{}

func rawShareOf(ctx context.Context) *rawShare {
	s, ok := ctx.Value(rawShareKey{}).(*rawShare)
	if !ok {
		panic("graph: no share of memory in context") // the transport gives one to every operation
	}
	return s
}
