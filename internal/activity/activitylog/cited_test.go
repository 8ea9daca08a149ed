package activitylog_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

// incident makes an incident.
func (f fixture) incident(number int) (id string) {
	f.Helper()
	require.NoError(f, f.db.InTx(f.ctx, func(ctx context.Context, tx *database.Tx) error {
		made, err := tx.Client.Incident.Create().SetOrganizationID(f.org).SetTenantID(f.tenant).SetNumber(number).SetTitle("t").
			SetKind(incident.KindAccountCompromise).SetSeverity("HIGH").SetSeverityRank(3).SetExplanation("x").SetIsLive(true).
			SetOccurredAt(t0).SetLastActivityAt(t0).SetDetectedAt(t0).SetUpdatedAt(t0).Save(ctx)
		if err == nil {
			id = made.ID
		}
		return err
	}))
	return id
}

// finding makes a finding of an incident ("" for none) that cites activities.
func (f fixture) finding(incidentID, key string, evidence ...*activity.Activity) (id string) {
	f.Helper()
	var cited []string
	for _, a := range evidence {
		cited = append(cited, a.ID)
	}
	require.NoError(f, f.db.InTx(f.ctx, func(ctx context.Context, tx *database.Tx) error {
		create := tx.Client.Finding.Create().SetOrganizationID(f.org).SetTenantID(f.tenant).SetNaturalKey(key).SetBook("b").SetRule("r").
			SetIsLive(false).SetSeverity("HIGH").SetConfidence("HIGH").SetStage("HOLD").SetTargets(nil).SetOccurredAt(t0).SetLastAt(t0).
			SetEvidence(cited).SetExplanation("x").SetLinks(nil).SetDetectedAt(t0)
		if incidentID != "" {
			create.SetIncidentID(incidentID)
		}
		if err := create.Exec(ctx); err != nil {
			return err
		}
		made, err := tx.Client.Finding.Query().Where(finding.NaturalKey(key)).Only(ctx)
		if err == nil {
			id = made.ID
		}
		return err
	}))
	return id
}

// Ensure pages of evidence hold what each citer cites, once and oldest first,
// join in both directions, and hold nothing of another organization.
func TestCited(t *testing.T) {
	t.Parallel()
	each(t, func(f fixture) {
		var all []*activity.Activity
		for i := range 9 {
			all = append(all, f.record(strconv.Itoa(i), func(a *activity.Activity) { a.OccurredAt = t0.Add(time.Duration(i/3) * time.Second) }))
		}
		f.append(all...)
		slices.SortFunc(all, func(x, y *activity.Activity) int { // as the log orders them
			if c := x.OccurredAt.Compare(y.OccurredAt); c != 0 {
				return c
			}
			return strings.Compare(x.ID, y.ID)
		})
		unknown := &activity.Activity{ID: "activity_unknown"}
		shared := f.incident(1)
		one := f.finding(shared, "one", all[4], all[0], all[8], unknown, all[2])
		two := f.finding(shared, "two", all[2], all[3])
		apart, nothing := f.finding("", "apart", all[1]), f.finding("", "nothing")

		page := func(by activitylog.Citer, citer string, p activitylog.Page) (ids []string) {
			f.Helper()
			lists, err := f.log.Cited(f.ctx, by, []string{citer, apart, nothing}, p)
			require.NoError(f, err)
			require.Empty(f, lists[nothing])
			for _, e := range lists[citer] {
				ids = append(ids, e.ID)
			}
			return ids
		}
		ids := func(indices ...int) (out []string) {
			for _, i := range indices {
				out = append(out, all[i].ID)
			}
			return out
		}
		at := func(i int) *activitylog.Position {
			return &activitylog.Position{OccurredAt: all[i].OccurredAt, ID: all[i].ID}
		}
		require.Equal(f, ids(0, 2, 4, 8), page(activitylog.Finding, one, activitylog.Page{Limit: 10}))
		require.Equal(f, ids(0, 2, 3, 4, 8), page(activitylog.Incident, shared, activitylog.Page{Limit: 10}), "an activity two findings cite stands once")
		require.Equal(f, ids(0, 2), page(activitylog.Finding, one, activitylog.Page{Limit: 2}))
		require.Equal(f, ids(4, 8), page(activitylog.Finding, one, activitylog.Page{Limit: 2, Start: at(2)}))
		require.Equal(f, ids(4, 8), page(activitylog.Finding, one, activitylog.Page{Limit: 2, FromEnd: true}))
		require.Equal(f, ids(2, 3), page(activitylog.Incident, shared, activitylog.Page{Limit: 2, FromEnd: true, End: at(4)}))
		require.Equal(f, ids(3), page(activitylog.Incident, shared, activitylog.Page{Limit: 5, Start: at(2), End: at(4)}))

		counts, err := f.log.CountCited(f.ctx, activitylog.Finding, []string{one, two, apart, nothing})
		require.NoError(f, err)
		require.Equal(f, map[string]int{one: 4, two: 2, apart: 1}, counts)

		citations, err := f.log.Citations(f.ctx, []string{shared}, ids(0, 1, 2))
		require.NoError(f, err)
		require.ElementsMatch(f, []activitylog.Citation{{shared, all[0].ID, one}, {shared, all[2].ID, one}, {shared, all[2].ID, two}}, citations)

		other, _ := databasetest.Organization(f.T, f.db, "other")
		lists, err := f.log.Cited(other, activitylog.Finding, []string{one}, activitylog.Page{Limit: 10})
		require.NoError(f, err)
		require.Empty(f, lists)
		counts, err = f.log.CountCited(other, activitylog.Finding, []string{one})
		require.NoError(f, err)
		require.Empty(f, counts)
		citations, err = f.log.Citations(other, []string{shared}, ids(0))
		require.NoError(f, err)
		require.Empty(f, citations)
		_, err = f.log.Cited(context.Background(), activitylog.Finding, []string{one}, activitylog.Page{Limit: 1})
		require.ErrorIs(f, err, access.ErrNoScope)
		_, err = f.log.Citations(context.Background(), []string{shared}, ids(0))
		require.ErrorIs(f, err, access.ErrNoScope)
	})
}
