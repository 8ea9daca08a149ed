// Package intake takes batches of activity in: whichever door they come
// through (an import, later a collector), one transaction holds the
// activities, the detection books they changed, the findings and the
// incidents they led to. Either all of a batch is in, or nothing of it.
//
// What may not live here: reading of files or vendors, rules, incidents' life.
package intake

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/VictoriaMetrics/fastcache"
	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/intel"
)

// Network says what is known of an address.
type Network interface {
	Lookup(addr netip.Addr) intel.Info
}

// Intake takes activity in.
type Intake struct {
	db        *database.DB
	engine    *detect.Engine
	incidents *incident.Service
	log       *activitylog.Log
	network   Network
	now       func() time.Time

	cache   *fastcache.Cache
	mu      sync.Mutex
	tenants map[string]*tenantState
}

// tenantState is what this process knows of a tenant's intake.
type tenantState struct {
	mu sync.Mutex // one batch of a tenant at a time
	// position is the tenant's intake position after this process' last batch.
	// Where the database says otherwise, another process has written since,
	// and what is cached of the tenant is stale.
	position   int64
	generation uint64
	readable   bool // its books are this version's
}

// New returns an intake.
func New(db *database.DB, engine *detect.Engine, incidents *incident.Service, log *activitylog.Log, network Network, now func() time.Time) *Intake {
	return &Intake{
		db: db, engine: engine, incidents: incidents, log: log, network: network, now: now,
		cache: fastcache.New(cacheBytes), tenants: map[string]*tenantState{},
	}
}

// Result says what a batch led to.
type Result struct {
	New, Changed, Known int
	Incidents           incident.Result
}

// Prepare makes a parsed record one of the tenant's: its identity, and what is
// known of its address. It is safe to call from many goroutines.
func (in *Intake) Prepare(t *ent.Tenant, a *activity.Activity) {
	a.Identify(t.OrganizationID, t.ID)
	if a.Address.IsValid() {
		info := in.network.Lookup(a.Address)
		a.Country, a.Network = info.Country, info.Network
	}
}

// With is what is to be done in the transaction that takes a batch in.
type With func(ctx context.Context, tx *database.Tx) error

// Take stores a batch of prepared records of one tenant and everything that
// follows from it. After an error nothing of the batch is stored, and it may
// be taken again; after success taking it again changes nothing. With runs
// first in the transaction, for what is to be stored only if the batch is. It
// can't be part of another transaction: what it keeps in memory is true once
// its own has committed.
func (in *Intake) Take(ctx context.Context, t *ent.Tenant, batch []*activity.Activity, with ...With) (Result, error) {
	if in.db.InTransaction(ctx) {
		return Result{}, fmt.Errorf("take activity of tenant %s in: a batch needs a transaction of its own", t.ID)
	}
	state := in.tenant(t.ID)
	state.mu.Lock()
	defer state.mu.Unlock()
	if err := in.refresh(ctx, t, state); err != nil {
		return Result{}, err
	}
	var out Result
	var position int64
	var memory *memory
	err := in.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		if position, err = advance(ctx, tx, t); err != nil {
			return err
		}
		if position != state.position+1 {
			state.generation++
		}
		memory = newMemory(in.cache, t.ID, state.generation)
		out, err = in.take(ctx, tx, t, memory, batch, with)
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("take activity of tenant %s in: %w", t.ID, err)
	}
	state.position = position
	memory.remember()
	return out, nil
}

func (in *Intake) take(ctx context.Context, tx *database.Tx, t *ent.Tenant, memory *memory, batch []*activity.Activity, with []With) (Result, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return Result{}, err
	}
	if scope.OrganizationID != t.OrganizationID {
		return Result{}, errors.New("the tenant belongs to another organization")
	}
	for _, do := range with {
		if err := do(ctx, tx); err != nil {
			return Result{}, err
		}
	}
	accounts := accounts{tx: tx, tenant: t, memory: memory, now: in.now, made: map[string]bool{}}
	if err := accounts.assign(ctx, batch); err != nil {
		return Result{}, err
	}
	sifted, err := in.log.Sift(ctx, tx, batch, in.now())
	if err != nil {
		return Result{}, err
	}
	out := Result{New: len(sifted.New), Changed: len(sifted.Changed), Known: sifted.Known}
	// The database stores the records while the engine thinks about them.
	var storing errgroup.Group
	storing.Go(func() error { return sifted.Store(ctx) })
	defer func() { _ = storing.Wait() }() // a panic, too, leaves the transaction to nobody else
	ledger := &ledger{db: in.db, tx: tx, tenant: t, memory: memory, made: accounts.made}
	reviews, encoded, err := in.detect(ctx, ledger, sifted)
	if err := errors.Join(storing.Wait(), err); err != nil {
		return Result{}, err
	}
	if err := ledger.write(ctx, encoded); err != nil {
		return Result{}, err
	}
	if len(reviews) > 0 {
		if out.Incidents, err = in.incidents.Apply(ctx, tx, t.ID, reviews); err != nil {
			return Result{}, err
		}
	}
	return out, nil
}

func (in *Intake) detect(ctx context.Context, l *ledger, sifted *activitylog.Sifted) ([]detect.Review, []encodedBook, error) {
	outcome, err := in.engine.Process(ctx, l, sifted.New, sifted.Changed)
	if err != nil {
		return nil, nil, fmt.Errorf("detect: %w", err)
	}
	encoded, err := l.encode(outcome.Changed)
	return outcome.Reviews, encoded, err
}

func (in *Intake) tenant(id string) *tenantState {
	in.mu.Lock()
	defer in.mu.Unlock()
	state, ok := in.tenants[id]
	if !ok {
		state = &tenantState{}
		in.tenants[id] = state
	}
	return state
}

// advance moves the tenant's intake position by one and returns it. The row it
// changes stays locked until the transaction ends, so that batches of one
// tenant follow each other whichever process takes them.
func advance(ctx context.Context, tx *database.Tx, t *ent.Tenant) (position int64, err error) {
	const statement = "INSERT INTO intake_positions (tenant_id, organization_id, position) VALUES ($1, $2, 1) " +
		"ON CONFLICT (tenant_id) DO UPDATE SET position = intake_positions.position + 1 RETURNING position"
	err = tx.SQL.QueryRowContext(ctx, statement, t.ID, t.OrganizationID).Scan(&position)
	if err != nil {
		return 0, fmt.Errorf("advance the intake position: %w", err)
	}
	return position, nil
}
