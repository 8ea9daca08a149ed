package incident_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// news returns what happened to an incident since a revision, as whoever
// mirrors it would ask, and the revision it has now.
func (s *scene) news(number, since int) (told []string, revision int) {
	s.Helper()
	i := s.incident(number)
	events, err := i.QueryEvents().Where(incidentevent.SequenceGT(since)).Order(incidentevent.BySequence()).All(s.ctx)
	require.NoError(s, err)
	for _, e := range events {
		require.True(s, e.At.Equal(*s.now))
		require.Equal(s, s.tenant, e.TenantID)
		require.Equal(s, "Cairn: test", e.Principal)
		line := fmt.Sprintf("%s %s", e.Kind, e.Text)
		if e.RelatedID != nil {
			other, err := s.db.Client().Incident.Get(s.ctx, *e.RelatedID)
			require.NoError(s, err)
			line += fmt.Sprintf(" [#%d]", other.Number)
		}
		if e.FindingID != nil {
			f, err := s.db.Client().Finding.Get(s.ctx, *e.FindingID)
			require.NoError(s, err)
			line += fmt.Sprintf(" [%s]", f.NaturalKey)
		}
		told = append(told, line)
	}
	return told, i.Revision
}

// follower mirrors incidents by their revisions.
type follower struct {
	*scene

	seen map[int]int
}

// expect checks what happened to an incident since it was last asked for.
func (f follower) expect(number int, want ...string) {
	f.Helper()
	told, revision := f.news(number, f.seen[number])
	require.Empty(f, cmp.Diff(want, told))
	f.seen[number] = revision
}

// Ensure every step of an incident's life is told once, in order, with the
// finding and the other incident it concerns.
func TestEvents(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		f := follower{s, map[int]int{}}
		a, bridge, c := s.found("a", t0.Add(-20*day)), s.found("bridge", t0.Add(-14*day)), s.found("c", t0.Add(-8*day))
		s.review(a, bridge, c)
		f.expect(1, "OPENED Incident #1 opened.", "FINDING_ADDED because a [a]", "FINDING_ADDED because bridge [bridge]", "FINDING_ADDED because c [c]")

		*s.now = s.now.Add(time.Minute)
		s.review(a, c) // parts
		f.expect(1, "FINDING_SUPERSEDED because bridge [bridge]", "FINDING_MOVED To incident #2: because c [#2] [c]")
		f.expect(2, "OPENED Incident #2 opened.", "FINDING_MOVED From incident #1: because c [#1] [c]")

		*s.now = s.now.Add(time.Minute)
		s.review(a, bridge, c) // joins again
		f.expect(1, "FINDING_RESTORED because bridge [bridge]", "FINDING_MOVED From incident #2: because c [#2] [c]",
			"MERGED Incident #2 joined this one: one episode. [#2]")
		f.expect(2, "FINDING_MOVED To incident #1: because c [#1] [c]", "MERGED Later records showed it to be one episode with incident #1. [#1]")

		*s.now = s.now.Add(time.Minute)
		c.Severity, c.Explanation, c.Targets = detect.SeverityCritical, "it is worse", []string{"mailbox"}
		c.OccurredAt = c.OccurredAt.Add(-time.Hour)
		bridge.Severity = detect.SeverityInfo
		s.review(a, bridge, c)
		f.expect(1,
			"FINDING_CHANGED Changed: severity from HIGH to INFO. [bridge]",
			"FINDING_CHANGED Changed: severity from HIGH to CRITICAL; first act from 2026-02-21T12:00:00Z to 2026-02-21T11:00:00Z; targets from none to mailbox. It now says: it is worse [c]",
			"SEVERITY_CHANGED From HIGH to CRITICAL.")

		*s.now = s.now.Add(time.Minute)
		c.LastAt = s.now.Add(-time.Hour)
		c.Evidence = append(c.Evidence, "activity_more")
		s.review(a, bridge, c)
		f.expect(1, "RECLASSIFIED From leftover persistence to account compromise. It is live: the latest act lay less than 24 hours before its detection, or after it.")

		*s.now = s.now.Add(time.Minute)
		before := f.seen[1]
		c.LastAt = s.now.Add(-time.Minute)
		s.review(a, bridge, c)
		f.expect(1)
		require.Greater(s, f.seen[1], before, "nothing to tell, but the last act's time has changed")
		s.unchangedBy(a, bridge, c)

		*s.now = s.now.Add(time.Minute)
		s.review(bridge)
		f.expect(1, "FINDING_SUPERSEDED because a [a]",
			"FINDING_MOVED Nothing of its episode asks for action any more: because bridge [bridge]",
			"FINDING_SUPERSEDED it is worse [c]",
			"STATUS_CHANGED SUPERSEDED: Later records disproved what asked for action; what is left asks for none.")
		s.eventsTellAll()
	})
}

// Ensure what follows a person's word is told: the end, the new episode's link
// both ways, and that an ended incident asks for action again.
func TestEventsAfterAnEnd(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		f := follower{s, map[int]int{}}
		a := s.found("a", t0.Add(-time.Hour))
		s.review(a)
		f.expect(1, "OPENED Incident #1 opened.", "FINDING_ADDED because a [a]")
		status := func(status entincident.Status, reason string) {
			s.Helper()
			_, err := s.service.SetStatus(s.ctx, s.incident(1).ID, status, reason)
			require.NoError(s, err)
		}
		status(entincident.StatusRemediated, "sessions revoked")
		f.expect(1, "STATUS_CHANGED REMEDIATED: sessions revoked")
		status(entincident.StatusRemediated, "again")
		f.expect(1)

		*s.now = s.now.Add(2 * time.Hour)
		b := s.found("b", t0.Add(time.Hour))
		s.review(a, b)
		f.expect(1, "LINKED Incident #2 follows this one. [#2]")
		f.expect(2, "OPENED Incident #2 opened.", "LINKED It follows incident #1, which had ended. [#1]", "FINDING_ADDED because b [b]")

		a.LastAt = t0.Add(90 * time.Minute)
		s.review(a, b)
		f.expect(1, "FINDING_MOVED From incident #2: because b [#2] [b]",
			"REOPENED OPEN: The attacker acted again after the incident was remediated.",
			"MERGED Incident #2 joined this one: one episode. [#2]")

		status(entincident.StatusFalsePositive, "our own scanner")
		f.expect(1, "STATUS_CHANGED FALSE_POSITIVE: our own scanner")
		status(entincident.StatusContained, "it was none of ours")
		f.expect(1, "REOPENED CONTAINED: it was none of ours")
	})
}

// Ensure events of one incident have a strict order, whoever writes them at once.
func TestEventOrderUnderConcurrency(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		s.review(s.found("a", t0))
		id := s.incident(1).ID
		const people, words = 4, 5
		errs := make(chan error)
		for p := range people {
			go func() {
				var err error
				for w := 0; w < words && err == nil; w++ {
					status := []entincident.Status{entincident.StatusOpen, entincident.StatusContained, entincident.StatusRemediated}[(p+w)%3]
					_, err = s.service.SetStatus(s.ctx, id, status, fmt.Sprint(p, w))
				}
				errs <- err
			}()
		}
		go func() {
			errs <- s.tryReview(s.found("a", t0), s.found("b", t0))
		}()
		for range people + 1 {
			require.NoError(s, <-errs)
		}
		events, err := s.incident(1).QueryEvents().Order(incidentevent.BySequence()).All(s.ctx)
		require.NoError(s, err)
		for n, e := range events {
			require.Equal(s, n+1, e.Sequence)
		}
		require.Equal(s, len(events), s.incident(1).Revision)
	})
}

// Ensure two tenants, and two organizations, that say the same of things by
// the same names keep to their own rows.
func TestTenantsKeepApart(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		one, two := newScene(t, db), newScene(t, db)
		other := *one
		other.tenant = databasetest.Tenant(one.ctx, t, db, "fabrikam").ID
		tenantWide := func(f *detect.Finding) { f.AccountID = "" }
		for _, s := range []*scene{one, two, &other} {
			s.review(s.found("a", t0, tenantWide))
		}
		one.review()
		status := func(s *scene) (out []string) {
			list, err := db.Client().Incident.Query().Where(entincident.TenantID(s.tenant)).WithFindings().All(s.ctx)
			require.NoError(t, err)
			for _, i := range list {
				out = append(out, fmt.Sprint(i.Title, ": ", i.Status, " of ", len(i.Edges.Findings)))
			}
			return out
		}
		require.Equal(t, []string{"Compromise of the tenant: SUPERSEDED of 1"}, status(one))
		require.Equal(t, []string{"Compromise of the tenant: OPEN of 1"}, status(two))
		require.Equal(t, []string{"Compromise of the tenant: OPEN of 1"}, status(&other))

		// A finding that names another tenant's account is a fault, not an incident.
		require.ErrorContains(t, other.tryReview(one.found("b", t0)), "does not have")
		require.ErrorContains(t, two.tryReview(one.found("b", t0)), "does not have")
		var all []*ent.Finding
		all, err := db.Client().Finding.Query().All(two.ctx)
		require.NoError(t, err)
		require.Len(t, all, 1)
	})
}
