package intake_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/intake"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

var now = time.Date(2026, 6, 20, 0, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// batchSize is small, so that batch after batch changes the same books.
const batchSize = 60

// records are a simulated tenant's fortnight under every attack, shuffled.
var records = func() [][]byte {
	world := simulator.New(simulator.Config{Seed: 31, Intensity: 0.1})
	tenant := world.Tenants[0]
	var raw [][]byte
	for of, r := range world.History(now.AddDate(0, 0, -14), now) {
		if of == tenant {
			raw = append(raw, r.Raw)
		}
	}
	for i, kind := range simulator.AttackKinds {
		for _, r := range world.Attack(kind, tenant, now.AddDate(0, 0, -3*i-1)).Records {
			raw = append(raw, r.Raw)
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(raw), func(i, j int) { raw[i], raw[j] = raw[j], raw[i] })
	return raw
}()

// place is a tenant in a database of its own, and who takes its records in.
type place struct {
	testing.TB

	ctx      context.Context
	db       *database.DB
	tenant   *ent.Tenant
	networks *intel.Tables
}

func newPlace(t testing.TB, db *database.DB) place {
	t.Helper()
	ctx, _ := databasetest.Organization(t, db, "MSP")
	networks, err := intel.Open("")
	require.NoError(t, err)
	p := place{TB: t, ctx: ctx, db: db, networks: networks}
	require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		// Everywhere the same id: records of one second are told apart by ids
		// that derive from the tenant's.
		p.tenant, err = tx.Client.Tenant.Create().SetID(typeid.Derived("tenant", "contoso")).
			SetName("contoso").SetNameKey("contoso").SetCreatedAt(now).Save(ctx)
		return err
	}))
	return p
}

// process is an intake as a process just started has it. Applying findings asks
// for the time: at then runs in the midst of a batch, when its books have been
// changed in memory and the database has been told of them.
func (p place) process(at func() time.Time) *intake.Intake {
	log := activitylog.New(p.db, func(shape string, raw []byte) (activity.Activity, error) {
		return format.ShapeByName(shape).Parse(raw)
	})
	return intake.New(p.db, detect.Standard(), incident.New(p.db, at), log, p.networks, clock)
}

// batches are the records, parsed afresh and prepared.
func (p place) batches(in *intake.Intake) [][]*activity.Activity {
	p.Helper()
	var all []*activity.Activity
	for _, raw := range records {
		a, err := format.Parse(raw)
		require.NoError(p, err)
		in.Prepare(p.tenant, &a)
		all = append(all, &a)
	}
	return slices.Collect(slices.Chunk(all, batchSize))
}

func (p place) take(in *intake.Intake, batch []*activity.Activity) intake.Result {
	p.Helper()
	r, err := in.Take(p.ctx, p.tenant, batch)
	require.NoError(p, err)
	return r
}

// truth is what a new process for every batch makes of the batches wanted: it
// believes nothing but the database.
func truth(t testing.TB, wanted func(n int) bool) databasetest.Snapshot {
	t.Helper()
	p := newPlace(t, databasetest.SQLite(t))
	for n, batch := range p.batches(p.process(clock)) {
		if wanted(n) {
			p.take(p.process(clock), batch)
		}
	}
	s := databasetest.Take(t, p.db)
	require.NotEmpty(t, s.Findings)
	require.NotEmpty(t, s.FailedAttacks)
	require.NotEmpty(t, s.Incidents)
	return s
}

func every(int) bool { return true }

func even(n int) bool { return n%2 == 0 }

// same compares all that two databases hold.
func (p place) same(want databasetest.Snapshot) {
	p.Helper()
	require.Empty(p, cmp.Diff(want, databasetest.Take(p, p.db)))
}

// Ensure a process that remembers books and accounts makes of the batches what
// processes that remember nothing make of them, and that its memory is used.
func TestMemoryChangesNothing(t *testing.T) {
	t.Parallel()
	want := truth(t, every)
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		p := newPlace(t, db)
		in := p.process(clock)
		for _, batch := range p.batches(in) {
			p.take(in, batch)
		}
		p.same(want)
		require.Positive(t, in.Remembered())
		for _, batch := range p.batches(in) {
			r := p.take(in, batch)
			require.Equal(t, intake.Result{Known: len(batch)}, r, "taking a batch again changes nothing")
		}
		p.same(want)
	})
}

// Ensure what fell out of memory only costs time.
func TestForgotten(t *testing.T) {
	t.Parallel()
	want := truth(t, every)
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		p := newPlace(t, db)
		in := p.process(clock)
		for _, batch := range p.batches(in) {
			in.Forget()
			p.take(in, batch)
		}
		p.same(want)
	})
}

// Ensure two processes that take a tenant's batches by turns each learn what
// the other did.
func TestTwoProcessesByTurns(t *testing.T) {
	t.Parallel()
	want := truth(t, every)
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		p := newPlace(t, db)
		processes := []*intake.Intake{p.process(clock), p.process(clock)}
		for n, batch := range p.batches(processes[0]) {
			// One after another, two in a row, and back.
			p.take(processes[[]int{0, 1, 1, 0, 1}[n%5]], batch)
		}
		p.same(want)
	})
}
