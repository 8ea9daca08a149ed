package importer_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/importer"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// story is an old attack on a simulated tenant, some days of its life, and the
// attacks within them.
func story() (*simulator.Tenant, []simulator.Record) {
	world := simulator.New(simulator.Config{Seed: 22, Intensity: 0.2})
	tenant := world.Tenants[2]
	var records []simulator.Record
	records = append(records, world.Attack(simulator.OldCompromise, tenant, now.AddDate(0, 0, -60)).Records...)
	for of, r := range world.History(now.AddDate(0, 0, -12), now) {
		if of == tenant {
			records = append(records, r)
		}
	}
	for _, attack := range []struct {
		kind simulator.AttackKind
		ago  time.Duration
	}{{simulator.Spray, 100 * time.Hour}, {simulator.BlockedSpray, 50 * time.Hour}, {simulator.TokenTheft, 3 * time.Hour}} {
		records = append(records, world.Attack(attack.kind, tenant, now.Add(-attack.ago)).Records...)
	}
	return tenant, records
}

// storyTenant makes the tenant, under the same id in every database: of two
// records of one moment the smaller id goes first, and activities' ids derive
// from the tenant's.
func (h house) storyTenant(of *simulator.Tenant) *ent.Tenant {
	h.Helper()
	scope, err := access.From(h.ctx)
	require.NoError(h, err)
	var made *ent.Tenant
	require.NoError(h, h.db.InTx(h.ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		made, err = tx.Client.Tenant.Create().SetID(typeid.Derived("tenant", "story")).SetOrganizationID(scope.OrganizationID).
			SetName(of.Name).SetNameKey(of.Name).SetMicrosoftTenantID(of.ID.String()).SetCreatedAt(now).Save(ctx)
		return err
	}))
	return made
}

// jsonLines is the records as a file of JSON lines.
func jsonLines(name string, records []simulator.Record) importer.Source {
	var b bytes.Buffer
	for _, r := range records {
		b.Write(r.Raw)
		b.WriteByte('\n')
	}
	return text(name, b.String())
}

// search is audit records as Search-UnifiedAuditLog exports them.
func search(t testing.TB, name string, records []simulator.Record) importer.Source {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"RecordType", "CreationDate", "UserIds", "Operations", "AuditData", "ResultIndex", "ResultCount", "Identity"}}
	for i, r := range records {
		rows = append(rows, []string{"", r.Time.Format("1/2/2006 3:04:05 PM"), "", "", string(r.Raw), strconv.Itoa(i + 1), strconv.Itoa(len(records)), r.ID})
	}
	require.NoError(t, w.WriteAll(rows))
	return text(name, b.String())
}

// Ensure records end in the same findings and incidents in whatever order, in
// however many files, how often and through whichever door they come.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	of, records := story()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		h := newHouse(t, db)
		h.run(h.storyTenant(of), importer.Options{}, jsonLines("in order", records))
		want := databasetest.Take(t, db)
		require.Len(t, want.Activities, len(records))
		require.NotEmpty(t, want.FailedAttacks)
		require.Len(t, want.Incidents, 3, "an old compromise, a spray and a stolen token")
		want.Superseded = nil // which findings stood for a while is up to the order

		for name, sources := range map[string]func(dice *rand.Rand) []importer.Source{
			"backwards": func(*rand.Rand) []importer.Source {
				var all []importer.Source
				for i := range records {
					if i%50 == 0 {
						all = append([]importer.Source{jsonLines(strconv.Itoa(i), records[i:min(i+50, len(records))])}, all...)
					}
				}
				return all
			},
			"shuffled, split, some of it twice": func(dice *rand.Rand) []importer.Source {
				shuffled := shuffle(dice, records)
				var all []importer.Source
				for i := 0; i < len(shuffled); i += 150 {
					all = append(all, jsonLines(strconv.Itoa(i), shuffled[max(0, i-40):min(i+150, len(shuffled))]))
				}
				return append(all, all[0])
			},
			"attacks first, one record after another": func(dice *rand.Rand) []importer.Source {
				var attacks, life []simulator.Record
				for i, r := range records {
					if i < 40 || i >= len(records)-60 {
						attacks = append(attacks, r)
					} else {
						life = append(life, r)
					}
				}
				var all []importer.Source
				for _, r := range shuffle(dice, attacks) {
					all = append(all, jsonLines("one", []simulator.Record{r}))
				}
				return append(all, jsonLines("life", life))
			},
			"two doors": func(dice *rand.Rand) []importer.Source {
				var audit, signIns []simulator.Record
				for _, r := range shuffle(dice, records) {
					if r.Log == simulator.UnifiedAudit {
						audit = append(audit, r)
					} else {
						signIns = append(signIns, r)
					}
				}
				third := len(audit) / 3
				return []importer.Source{
					search(t, "search.csv", audit[:2*third]), jsonLines("signins.json", signIns), jsonLines("audit.json", audit[third:]),
				}
			},
		} {
			seed := rand.Uint64()
			other := databasetest.SQLite
			if db.Dialect() == database.Postgres {
				other = databasetest.Postgres
			}
			h := newHouse(t, other(t))
			s := h.run(h.storyTenant(of), importer.Options{}, sources(rand.New(rand.NewPCG(seed, 0)))...)
			require.Equal(t, len(records), s.New)
			require.Zero(t, s.Changed)
			got := databasetest.Take(t, h.db)
			got.Superseded = nil
			require.Empty(t, cmp.Diff(want, got), "%s, seed %d", name, seed)
		}
	})
}

func shuffle(dice *rand.Rand, records []simulator.Record) []simulator.Record {
	shuffled := append([]simulator.Record(nil), records...)
	dice.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	return shuffled
}
