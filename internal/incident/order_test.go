package incident_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/finding"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// open shows the open incidents with all that their findings decide.
func (s *scene) open() []string {
	s.Helper()
	list, err := s.db.Client().Incident.Query().Where(entincident.StatusEQ(entincident.StatusOpen)).
		WithFindings(func(q *ent.FindingQuery) { q.Where(finding.SupersededAtIsNil()).Order(finding.ByNaturalKey()) }).All(s.ctx)
	require.NoError(s, err)
	var out []string
	for _, i := range list {
		var members []string
		for _, f := range i.Edges.Findings {
			members = append(members, fmt.Sprintf("%s (live %t)", f.NaturalKey, f.IsLive))
		}
		out = append(out, fmt.Sprintf("%s, %s, live %t, %s to %s: %s", i.Kind, i.Severity, i.IsLive, i.OccurredAt.UTC(), i.LastActivityAt.UTC(), members))
	}
	return out
}

// Ensure the incidents of one detection time, their liveness included, do not
// depend on the order in which findings became known, on what was known of
// them in between, or on findings that did not last.
func TestAnyOrderSameIncidents(t *testing.T) {
	t.Parallel()
	db := databasetest.SQLite(t)
	rapid.Check(t, func(rt *rapid.T) {
		straight, shuffled := newScene(t, db), newScene(t, db)
		some := anyFinding(rt)
		var findings []func(s *scene) detect.Finding
		for i := range rapid.IntRange(1, 7).Draw(rt, "findings") {
			findings = append(findings, some(string(rune('a'+i))))
		}
		var all, known []detect.Finding
		for _, f := range findings {
			all = append(all, f(straight))
		}
		straight.review(all...)
		for _, f := range rapid.Permutation(findings).Draw(rt, "order") {
			// What is known of the newest is not yet true, and a finding more
			// is believed that will not hold.
			early := f(shuffled)
			early.LastAt = early.LastAt.Add(time.Duration(rapid.IntRange(-2, 2).Draw(rt, "hours")*13) * time.Hour)
			early.OccurredAt = earliest(early.OccurredAt, early.LastAt)
			early.Severity = rapid.SampledFrom([]detect.Severity{detect.SeverityInfo, detect.SeverityCritical}).Draw(rt, "believed")
			shuffled.review(append(slices.Clone(known), early, some("passing")(shuffled))...)
			known = append(known, f(shuffled))
			shuffled.review(known...)
			shuffled.unchangedBy(known...)
		}
		require.ElementsMatch(rt, straight.open(), shuffled.open())
		shuffled.eventsTellAll()
	})
}

// anyFinding draws a finding within 40 days, rather of the last two.
func anyFinding(rt *rapid.T) func(key string) func(s *scene) detect.Finding {
	return func(key string) func(s *scene) detect.Finding {
		at := t0.Add(-time.Duration(rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 2)).Draw(rt, "day"))*day - time.Hour)
		links := []string{fmt.Sprint("session:", rapid.IntRange(0, 8).Draw(rt, "session"))}
		severity := rapid.SampledFrom([]detect.Severity{detect.SeverityInfo, detect.SeverityHigh}).Draw(rt, "severity")
		stage := rapid.SampledFrom([]detect.Stage{detect.StageHold, detect.StageEntry}).Draw(rt, "stage")
		return func(s *scene) detect.Finding {
			return s.found(key, at, func(f *detect.Finding) { f.Links, f.Severity, f.Stage = links, severity, stage })
		}
	}
}

func earliest(x, y time.Time) time.Time {
	if y.Before(x) {
		return y
	}
	return x
}

// revisions are all revisions and how many events there are.
func (s *scene) revisions() map[string]int {
	s.Helper()
	list, err := s.db.Client().Incident.Query().WithEvents().All(s.ctx)
	require.NoError(s, err)
	out := map[string]int{}
	for _, i := range list {
		out[fmt.Sprint("#", i.Number)] = i.Revision
		out["events"] += len(i.Edges.Events)
	}
	return out
}

// unchangedBy checks that the same reviews once more change nothing.
func (s *scene) unchangedBy(known ...detect.Finding) {
	s.Helper()
	before := s.revisions()
	s.review(known...)
	require.Equal(s, before, s.revisions())
}

// eventsTellAll checks that an incident's events, read in order, lead to the
// findings it has, its severity, status and revision: nothing happened unsaid.
func (s *scene) eventsTellAll() {
	s.Helper()
	list, err := s.db.Client().Incident.Query().
		WithEvents(func(q *ent.IncidentEventQuery) { q.Order(incidentevent.BySequence()) }).
		WithFindings(func(q *ent.FindingQuery) { q.Where(finding.SupersededAtIsNil()) }).All(s.ctx)
	require.NoError(s, err)
	byID := map[string]*ent.Incident{}
	for _, i := range list {
		byID[i.ID] = i
	}
	for _, i := range list {
		told, in, ended, sequence := map[string]bool{}, map[string]bool{}, false, 0
		require.Equal(s, incidentevent.KindOpened, i.Edges.Events[0].Kind)
		for _, e := range i.Edges.Events {
			require.Greater(s, e.Sequence, sequence)
			sequence = e.Sequence
			switch e.Kind {
			case incidentevent.KindFindingAdded, incidentevent.KindFindingRestored:
				require.False(s, told[*e.FindingID], "%s of a finding it has", e.Kind)
				told[*e.FindingID] = true
			case incidentevent.KindFindingMoved:
				delete(told, *e.FindingID)
				if e.RelatedID != nil {
					other := fmt.Sprintf("incident #%d:", byID[*e.RelatedID].Number)
					require.Contains(s, []string{"From " + other, "To " + other}, e.Text[:strings.Index(e.Text, ":")+1])
					if strings.HasPrefix(e.Text, "From") {
						told[*e.FindingID] = true
					}
				}
			case incidentevent.KindFindingSuperseded:
				require.True(s, told[*e.FindingID])
				delete(told, *e.FindingID)
			case incidentevent.KindMerged:
				ended = ended || (i.MergedIntoID != nil && *i.MergedIntoID == *e.RelatedID)
			case incidentevent.KindStatusChanged:
				ended = true
			case incidentevent.KindReopened:
				ended = false
			case incidentevent.KindOpened, incidentevent.KindLinked, incidentevent.KindFindingChanged,
				incidentevent.KindSeverityChanged, incidentevent.KindReclassified, incidentevent.KindPublished, incidentevent.KindNoted, incidentevent.KindAsked:
			}
		}
		require.LessOrEqual(s, sequence, i.Revision)
		for _, f := range i.Edges.Findings {
			in[f.ID] = true
		}
		require.Equal(s, in, told, "#%d", i.Number)
		if i.Status == entincident.StatusSuperseded {
			require.True(s, ended, "#%d", i.Number)
		}
		require.Equal(s, i.Status != entincident.StatusOpen, ended, "#%d", i.Number)
	}
}
