package incident_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/failedattack"
	"github.com/cairn-itdr/cairn/ent/finding"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// scene is one account of one tenant whose findings come and go.
type scene struct {
	testing.TB

	ctx     context.Context
	db      *database.DB
	service *incident.Service
	now     *time.Time
	tenant  string
	account string
}

func newScene(t testing.TB, db *database.DB) *scene {
	t.Helper()
	now := t0
	s := &scene{TB: t, db: db, now: &now}
	s.service = incident.New(db, func() time.Time { return *s.now })
	ctx, o := databasetest.Organization(t, db, "MSP")
	s.ctx, s.tenant = ctx, databasetest.Tenant(ctx, t, db, "contoso").ID
	require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		a, err := tx.Client.Account.Create().SetOrganizationID(o.ID).SetTenantID(s.tenant).SetPrincipal("ann@contoso.example").SetCreatedAt(t0).Save(ctx)
		if err == nil {
			s.account = a.ID
		}
		return err
	}))
	return s
}

func each(t *testing.T, test func(s *scene)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) { test(newScene(t, db)) })
}

var book = detect.BookKey{Kind: detect.BookAccount, Subject: "account", Period: 1}

// found is a finding at a moment, by a key.
func (s *scene) found(key string, at time.Time, change ...func(*detect.Finding)) detect.Finding {
	f := detect.Finding{
		Key: key, Book: book, Rule: "rule-" + key, Severity: detect.SeverityHigh, Confidence: detect.ConfidenceHigh, Stage: detect.StageHold,
		AccountID: s.account, OccurredAt: at, LastAt: at, Evidence: []string{"activity_" + key}, Explanation: "because " + key,
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func (s *scene) review(findings ...detect.Finding) incident.Result {
	s.Helper()
	return s.apply(detect.Review{Book: book, Findings: findings})
}

func (s *scene) tryReview(findings ...detect.Finding) error {
	return s.db.InTx(s.ctx, func(ctx context.Context, tx *database.Tx) error {
		_, err := s.service.Apply(ctx, tx, s.tenant, []detect.Review{{Book: book, Findings: findings}})
		return err
	})
}

func (s *scene) apply(reviews ...detect.Review) incident.Result {
	s.Helper()
	var out incident.Result
	require.NoError(s, s.db.InTx(s.ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		out, err = s.service.Apply(ctx, tx, s.tenant, reviews)
		return err
	}))
	return out
}

// state shows the incidents: number, status and the keys of live findings.
func (s *scene) state() []string {
	s.Helper()
	list, err := s.db.Client().Incident.Query().Order(entincident.ByNumber()).
		WithFindings(func(q *ent.FindingQuery) { q.Where(finding.SupersededAtIsNil()).Order(finding.ByNaturalKey()) }).All(s.ctx)
	require.NoError(s, err)
	var out []string
	for _, i := range list {
		line := []string{fmt.Sprintf("#%d %s", i.Number, i.Status)}
		for _, f := range i.Edges.Findings {
			line = append(line, f.NaturalKey)
		}
		out = append(out, strings.Join(line, " "))
	}
	return out
}

func (s *scene) incident(number int) *ent.Incident {
	s.Helper()
	i, err := s.db.Client().Incident.Query().Where(entincident.Number(number)).Only(s.ctx)
	require.NoError(s, err)
	return i
}

// Ensure evidence within seven days, or linked, is one incident, and other evidence another.
func TestEpisodes(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		link := func(f *detect.Finding) { f.Links = []string{"session:1"} }
		r := s.review(s.found("a", t0.Add(-60*day)), s.found("b", t0.Add(-54*day)), s.found("c", t0.Add(-40*day)),
			s.found("d", t0.Add(-20*day), link), s.found("e", t0, link))
		require.Len(s, r.Opened, 3)
		require.Equal(s, []string{"#1 OPEN a b", "#2 OPEN c", "#3 OPEN d e"}, s.state())
		require.Equal(s, incident.Result{NewFindings: map[string]int{}}, s.review(s.found("a", t0.Add(-60*day)), s.found("b", t0.Add(-54*day)),
			s.found("c", t0.Add(-40*day)), s.found("d", t0.Add(-20*day), link), s.found("e", t0, link)), "the same reviews change nothing")
	})
}

// Ensure a late record that bridges two incidents makes them one, and says so.
func TestBridge(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		a, b, c := s.found("a", t0.Add(-20*day)), s.found("b", t0.Add(-14*day)), s.found("c", t0.Add(-8*day))
		s.review(a, c)
		require.Equal(s, []string{"#1 OPEN a", "#2 OPEN c"}, s.state())
		r := s.review(a, b, c)
		require.Empty(s, r.Opened)
		require.Equal(s, []string{"#1 OPEN a b c", "#2 SUPERSEDED"}, s.state())
		merged := s.incident(2)
		require.Equal(s, s.incident(1).ID, *merged.MergedIntoID)
		require.Contains(s, merged.StatusReason, "#1")
	})
}

// Ensure an incident whose findings later records disproved is closed with
// that reason, stays in sight, and comes back when they hold again.
func TestSupersede(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		a, b := s.found("a", t0), s.found("b", t0.Add(time.Hour))
		s.review(a, b)
		require.Equal(s, 1, s.review(a).Superseded)
		require.Equal(s, []string{"#1 OPEN a"}, s.state())
		s.review()
		require.Equal(s, []string{"#1 SUPERSEDED"}, s.state())
		require.NotEmpty(s, s.incident(1).StatusReason)
		all, err := s.db.Client().Finding.Query().Where(finding.IncidentID(s.incident(1).ID)).Count(s.ctx)
		require.NoError(s, err)
		require.Equal(s, 2, all, "superseded findings stay")
		s.review(b)
		require.Equal(s, []string{"#1 OPEN b"}, s.state())
		require.Empty(s, s.incident(1).StatusReason)
		events, err := s.db.Client().IncidentEvent.Query().Where(incidentevent.KindEQ(incidentevent.KindFindingSuperseded)).Count(s.ctx)
		require.NoError(s, err)
		require.Equal(s, 2, events)
	})
}

// Ensure late evidence from before a remediation joins the remediated
// incident, and evidence after it is a new episode, linked to the old.
func TestAfterRemediation(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		a := s.found("a", t0.Add(-2*day))
		s.review(a)
		first := s.incident(1)
		_, err := s.service.SetStatus(s.ctx, first.ID, entincident.StatusRemediated, "password reset, rule deleted")
		require.NoError(s, err)
		late, again := s.found("late", t0.Add(-day)), s.found("again", t0.Add(time.Hour))
		*s.now = t0.Add(2 * time.Hour)
		s.review(a, late)
		require.Equal(s, []string{"#1 REMEDIATED a late"}, s.state())
		s.review(a, late, again)
		require.Equal(s, []string{"#1 REMEDIATED a late", "#2 OPEN again"}, s.state())
		require.Equal(s, first.ID, *s.incident(2).PreviousID)
		s.review(a, again)
		require.Equal(s, []string{"#1 REMEDIATED a", "#2 OPEN again"}, s.state(), "a status set by a person stays")
	})
}

// Ensure evidence that goes on after a remediation opens the incident again,
// and that what somebody dismissed swallows nothing he has not seen.
func TestEndedIncidents(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		a := s.found("a", t0.Add(-time.Hour))
		s.review(a)
		_, err := s.service.SetStatus(s.ctx, s.incident(1).ID, entincident.StatusRemediated, "sessions revoked")
		require.NoError(s, err)
		*s.now = t0.Add(3 * time.Hour)
		a.LastAt = t0.Add(2 * time.Hour)
		s.review(a)
		require.Equal(s, []string{"#1 OPEN a"}, s.state())
		i := s.incident(1)
		require.Contains(s, i.StatusReason, "after the incident was remediated")
		require.Nil(s, i.RemediatedAt)

		_, err = s.service.SetStatus(s.ctx, i.ID, entincident.StatusFalsePositive, "our own scanner")
		require.NoError(s, err)
		a.LastAt = t0.Add(5 * time.Hour)
		s.review(a, s.found("real", t0))
		require.Equal(s, []string{"#1 FALSE_POSITIVE a", "#2 OPEN real"}, s.state())
	})
}

// Ensure evidence that began before a remediation and went on after it is not
// taken for settled, whether it comes at once or bit by bit.
func TestEvidenceAcrossRemediation(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		a := s.found("a", t0.Add(-2*day))
		s.review(a)
		_, err := s.service.SetStatus(s.ctx, s.incident(1).ID, entincident.StatusRemediated, "password reset")
		require.NoError(s, err)
		*s.now = t0.Add(5 * time.Hour)
		across := s.found("across", t0.Add(-day))
		across.LastAt = t0.Add(4 * time.Hour)
		s.review(a, across)
		require.Equal(s, []string{"#1 REMEDIATED a", "#2 OPEN across"}, s.state(), "somebody must hear of it now")
		require.Equal(s, s.incident(1).ID, *s.incident(2).PreviousID)
		s.unchangedBy(a, across)
	})
}

// Ensure what asks nobody to act opens nothing, but joins what does.
func TestWeakFindings(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		weak := s.found("weak", t0, func(f *detect.Finding) { f.Severity = detect.SeverityInfo })
		s.review(weak)
		require.Empty(s, s.state())
		s.review(weak, s.found("strong", t0.Add(time.Hour)))
		require.Equal(s, []string{"#1 OPEN strong weak"}, s.state())
		require.Equal(s, detect.SeverityHigh, s.incident(1).Severity)
	})
}

// Ensure an incident does not outlive the findings that asked for action, and
// comes back with them.
func TestOnlyWeakFindingsLeft(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		weak := s.found("weak", t0, func(f *detect.Finding) { f.Severity = detect.SeverityInfo })
		strong := s.found("strong", t0.Add(time.Hour))
		s.review(weak, strong)
		s.review(weak)
		require.Equal(s, []string{"#1 SUPERSEDED"}, s.state())
		require.NotEmpty(s, s.incident(1).StatusReason)
		s.review(weak, strong)
		require.Equal(s, []string{"#1 OPEN strong weak"}, s.state())
	})
}

// Ensure an incident parts when what held its findings together is disproved.
func TestSplit(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		a, bridge, c := s.found("a", t0.Add(-20*day)), s.found("bridge", t0.Add(-14*day)), s.found("c", t0.Add(-8*day))
		s.review(a, bridge, c)
		require.Equal(s, []string{"#1 OPEN a bridge c"}, s.state())
		require.Len(s, s.review(a, c).Opened, 1)
		require.Equal(s, []string{"#1 OPEN a", "#2 OPEN c"}, s.state())
		s.review(a, bridge, c)
		require.Equal(s, []string{"#1 OPEN a bridge c", "#2 SUPERSEDED"}, s.state())
	})
}

// Ensure kind and liveness follow the design: late-found hold evidence alone is leftover persistence.
func TestKindAndLive(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		old := s.found("old", t0.Add(-90*day))
		s.review(old)
		i := s.incident(1)
		require.False(s, i.IsLive)
		require.Equal(s, entincident.KindLeftoverPersistence, i.Kind)
		require.Equal(s, "Leftover persistence in the account of ann@contoso.example", i.Title)
		entry := s.found("entry", t0.Add(-91*day), func(f *detect.Finding) { f.Stage = detect.StageEntry })
		s.review(old, entry)
		i = s.incident(1)
		require.Equal(s, entincident.KindAccountCompromise, i.Kind)
		require.False(s, i.IsLive)
		s.review(old, entry, s.found("fresh", t0.Add(-23*time.Hour)))
		i = s.incident(2)
		require.True(s, i.IsLive)
		require.Equal(s, entincident.KindAccountCompromise, i.Kind, "hold evidence of today is an attack under way")
	})
}

// Ensure a finding whose earliest evidence moved it to another book moves, and is not superseded.
func TestFindingMovesBetweenBooks(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		s.review(s.found("a", t0))
		earlier := detect.BookKey{Kind: detect.BookAccount, Subject: "account", Period: 0}
		moved := s.found("a", t0.Add(-day), func(f *detect.Finding) { f.Book = earlier })
		s.apply(detect.Review{Book: book}, detect.Review{Book: earlier, Findings: []detect.Finding{moved}})
		require.Equal(s, []string{"#1 OPEN a"}, s.state())
		s.apply(detect.Review{Book: book})
		require.Equal(s, []string{"#1 OPEN a"}, s.state())
	})
}

// Ensure the counts of failed attacks follow the reviews.
func TestFailedAttacks(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		failed := detect.FailedAttack{Day: t0.Truncate(day), Tactic: detect.TacticPasswordSpray, Source: "192.0.2.0/24", AccountID: s.account, Attempts: 3, FirstAt: t0, LastAt: t0}
		for _, attempts := range []int{3, 5, 5} {
			failed.Attempts = attempts
			s.apply(detect.Review{Book: book, Failed: []detect.FailedAttack{failed}})
			row, err := s.db.Client().FailedAttack.Query().Where(failedattack.TenantID(s.tenant)).Only(s.ctx)
			require.NoError(s, err)
			require.Equal(s, attempts, row.Attempts)
		}
		s.review()
		n, err := s.db.Client().FailedAttack.Query().Count(s.ctx)
		require.NoError(s, err)
		require.Zero(s, n)
	})
}

// Ensure a person's change of status is checked, dated and kept in the history.
func TestSetStatus(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		s.review(s.found("a", t0))
		id := s.incident(1).ID
		refused := func(status entincident.Status, reason string, code refusal.Code) {
			s.Helper()
			_, err := s.service.SetStatus(s.ctx, id, status, reason)
			require.NotNil(s, refusal.From(err), err)
			require.Equal(s, code, refusal.From(err).Code)
		}
		refused(entincident.StatusContained, "  ", refusal.Invalid)
		refused(entincident.StatusSuperseded, "x", refusal.Invalid)
		_, err := s.service.SetStatus(s.ctx, "incident_unknown", entincident.StatusContained, "x")
		require.Equal(s, refusal.NotFound, refusal.From(err).Code)
		other, _ := databasetest.Organization(s, s.db, "other")
		_, err = s.service.SetStatus(other, id, entincident.StatusContained, "x")
		require.Equal(s, refusal.NotFound, refusal.From(err).Code, "another organization's incident does not exist")

		*s.now = t0.Add(time.Hour)
		i, err := s.service.SetStatus(s.ctx, id, entincident.StatusContained, "sessions revoked")
		require.NoError(s, err)
		require.True(s, s.now.Equal(*i.ContainedAt))
		*s.now = t0.Add(2 * time.Hour)
		i, err = s.service.SetStatus(s.ctx, id, entincident.StatusRemediated, "done")
		require.NoError(s, err)
		require.True(s, t0.Add(time.Hour).Equal(*i.ContainedAt))
		require.True(s, s.now.Equal(*i.RemediatedAt))
		i, err = s.service.SetStatus(s.ctx, id, entincident.StatusContained, "a rule is left to delete")
		require.NoError(s, err)
		require.True(s, t0.Add(time.Hour).Equal(*i.ContainedAt), "it was contained all the while")
		require.Nil(s, i.RemediatedAt)
		i, err = s.service.SetStatus(s.ctx, id, entincident.StatusOpen, "it was not")
		require.NoError(s, err)
		require.Nil(s, i.ContainedAt)
		require.Nil(s, i.RemediatedAt)
		s.review()
		refused(entincident.StatusContained, "x", refusal.Conflict)
		audits, err := s.db.Client().AuditEntry.Query().Count(s.ctx)
		require.NoError(s, err)
		require.Equal(s, 4, audits)
	})
}
