package graph

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/cairn-itdr/cairn/internal/access"
)

// admission keeps operations from taking more of the server than there is: so
// many requests a second from one principal, so many operations at once and so
// many bytes of raw records in memory from all of them.
type admission struct {
	cfg        Config
	operations *semaphore.Weighted
	raw        *semaphore.Weighted

	mu     sync.Mutex
	rates  map[caller]*rate.Limiter
	shares map[string]*share // by organization
}

// share is what one organization may take of the operations at once, so that
// its storm leaves room for the others.
type share struct {
	places *semaphore.Weighted
	users  int // who hold or wait for a place
}

// caller is who is limited: a principal of an organization.
type caller struct{ organizationID, principalID string }

// Where the configuration does not say otherwise.
const (
	defaultOperations = 16
	defaultRawBytes   = 32 << 20
	defaultPatience   = 5 * time.Second
)

const (
	// rawShares is how many operations may hold their whole share of raw records at once.
	rawShares = 2
	// burst is how many seconds' worth of requests may come at once.
	burst = 10
	// busyRetry is after how long to try again where the server was busy.
	busyRetry = time.Second
	// keptRates is from how many principals on those that ask no more are forgotten.
	keptRates = 1000
)

func newAdmission(cfg Config) *admission {
	return &admission{
		cfg: cfg, operations: semaphore.NewWeighted(int64(cfg.Operations)), raw: semaphore.NewWeighted(rawShares * cfg.RawBytes),
		rates: map[caller]*rate.Limiter{}, shares: map[string]*share{},
	}
}

// paced refuses a request of a principal that asks too often.
func (a *admission) paced(s access.Scope) *gqlerror.Error {
	if a.cfg.RequestsPerSecond == 0 {
		return nil
	}
	now, who := a.cfg.Now(), caller{s.OrganizationID, s.Principal.ID}
	a.mu.Lock()
	defer a.mu.Unlock()
	limiter := a.rates[who]
	if limiter == nil {
		a.forget(now)
		limiter = rate.NewLimiter(rate.Limit(a.cfg.RequestsPerSecond), burst*a.cfg.RequestsPerSecond)
		a.rates[who] = limiter
	}
	r := limiter.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	return rateLimited(wait, "this key may ask %d times a second, %d times at once after a pause: slow down",
		a.cfg.RequestsPerSecond, burst*a.cfg.RequestsPerSecond)
}

// forget drops the principals that are owed nothing any more.
func (a *admission) forget(now time.Time) {
	if len(a.rates) < keptRates {
		return
	}
	for who, limiter := range a.rates {
		if limiter.TokensAt(now) >= float64(limiter.Burst()) {
			delete(a.rates, who)
		}
	}
}

// enter waits a little for a place among the operations under way: first among
// the organization's own, which are half of all, so that nobody waits behind
// another's. The place is free again once leave is called.
func (a *admission) enter(ctx context.Context) (leave func(), refused *gqlerror.Error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, failure(codeUnauthenticated, errUnauthenticated)
	}
	own := a.share(scope.OrganizationID)
	if !acquire(ctx, own.places, 1, a.cfg.Patience) {
		a.done(scope.OrganizationID)
		return nil, busy()
	}
	if !acquire(ctx, a.operations, 1, a.cfg.Patience) {
		own.places.Release(1)
		a.done(scope.OrganizationID)
		return nil, busy()
	}
	return sync.OnceFunc(func() {
		a.operations.Release(1)
		own.places.Release(1)
		a.done(scope.OrganizationID)
	}), nil
}

// share returns the organization's share, which lives until done.
func (a *admission) share(organizationID string) *share {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.shares[organizationID]
	if s == nil {
		s = &share{places: semaphore.NewWeighted(int64(max(1, a.cfg.Operations/2)))}
		a.shares[organizationID] = s
	}
	s.users++
	return s
}

func (a *admission) done(organizationID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.shares[organizationID]
	if s.users--; s.users == 0 {
		delete(a.shares, organizationID)
	}
}

func acquire(ctx context.Context, s *semaphore.Weighted, n int64, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.Acquire(ctx, n) == nil
}

func busy() *gqlerror.Error {
	return rateLimited(busyRetry, "the server is busy with other operations: try again in a moment")
}

// retryAfter is the extension with the seconds to wait.
const retryAfter = "retryAfter"

// rateLimited is a refusal that says, in whole seconds, when to try again.
func rateLimited(wait time.Duration, format string, args ...any) *gqlerror.Error {
	err := failure(codeRateLimited, format, args...)
	err.Extensions[retryAfter] = max(1, int(math.Ceil(wait.Seconds())))
	return err
}
