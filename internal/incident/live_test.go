package incident_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/detect"
)

// Ensure liveness follows from the latest act that holds and the detection,
// and from nothing else.
func TestLiveFollowsTheEvidence(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		isLive := func(number int, want bool) {
			s.Helper()
			require.Equal(s, want, s.incident(number).IsLive)
		}
		a := s.found("a", t0.Add(-3*day))
		s.review(a)
		isLive(1, false)

		// Days later come records of acts shortly before the detection: the
		// attacker was still there when it was detected.
		*s.now = t0.Add(4 * day)
		late := a
		late.LastAt = t0.Add(-23 * time.Hour)
		s.review(late)
		isLive(1, true)
		// And when they turn out to be somebody else's, it was past.
		s.review(a)
		isLive(1, false)
		// The same as a finding of its own.
		s.review(a, s.found("b", t0.Add(-23*time.Hour)))
		isLive(1, true)
		// Old evidence that comes late takes nothing away.
		s.review(a, s.found("b", t0.Add(-23*time.Hour)), s.found("older", t0.Add(-5*day)))
		isLive(1, true)
		s.review(a, s.found("older", t0.Add(-5*day)))
		isLive(1, false)

		// Exactly 24 hours is past.
		s.review(a, s.found("b", t0.Add(-24*time.Hour)))
		isLive(1, false)
	})
}

// Ensure what parts from an incident keeps the time it was detected: it was
// live then, whenever it parts.
func TestPartingKeepsTheDetection(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		old, bridge, fresh := s.found("old", t0.Add(-12*day)), s.found("bridge", t0.Add(-6*day)), s.found("fresh", t0.Add(-time.Hour))
		s.review(old, bridge, fresh)
		require.True(s, s.incident(1).IsLive)
		*s.now = t0.Add(10 * day)
		s.review(old, fresh)
		require.Equal(s, []string{"#1 OPEN old", "#2 OPEN fresh"}, s.state())
		require.False(s, s.incident(1).IsLive)
		require.True(s, s.incident(2).IsLive)
		require.True(s, t0.Equal(s.incident(2).DetectedAt))
	})
}

// Ensure a book that could not keep all it was told takes back nothing that was
// found from it, and weakens nothing.
func TestOverflowedBookTakesNothingBack(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		a, b := s.found("a", t0), s.found("b", t0)
		s.review(a, b)
		weak := b
		weak.Severity, weak.Explanation = detect.SeverityInfo, "hardly anything"
		flooded := func(findings ...detect.Finding) {
			s.Helper()
			r := s.apply(detect.Review{Book: book, Overflowed: true, Findings: findings})
			require.Zero(s, r.Superseded)
		}
		flooded(weak, s.found("flood", t0))
		require.Equal(s, []string{"#1 OPEN a b flood"}, s.state())
		require.Equal(s, detect.SeverityHigh, s.incident(1).Severity)
		require.Contains(s, s.incident(1).Explanation, "because b")
		worse := b
		worse.Severity = detect.SeverityCritical
		flooded(worse)
		require.Equal(s, detect.SeverityCritical, s.incident(1).Severity)
		// Another book's findings are judged as ever.
		s.review(b)
		require.Equal(s, []string{"#1 OPEN b"}, s.state())
	})
}
