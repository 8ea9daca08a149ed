package graph

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
)

// Ensure dwell time runs while an incident is open, ends with containment, and is never negative.
func TestDwellTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { v := now.Add(d); return &v }
	hours := func(n int) *time.Duration { v := time.Duration(n) * time.Hour; return &v }
	for name, c := range map[string]struct {
		incident ent.Incident
		want     *time.Duration
	}{
		"open":            {ent.Incident{Status: incident.StatusOpen, OccurredAt: *at(-3 * time.Hour)}, hours(3)},
		"contained":       {ent.Incident{Status: incident.StatusContained, OccurredAt: *at(-3 * time.Hour), ContainedAt: at(-time.Hour)}, hours(2)},
		"remediated":      {ent.Incident{Status: incident.StatusRemediated, OccurredAt: *at(-3 * time.Hour), ContainedAt: at(-2 * time.Hour)}, hours(1)},
		"false positive":  {ent.Incident{Status: incident.StatusFalsePositive, OccurredAt: *at(-3 * time.Hour)}, nil},
		"superseded":      {ent.Incident{Status: incident.StatusSuperseded, OccurredAt: *at(-3 * time.Hour)}, nil},
		"future":          {ent.Incident{Status: incident.StatusOpen, OccurredAt: *at(time.Hour)}, hours(0)},
		"contained early": {ent.Incident{Status: incident.StatusContained, OccurredAt: now, ContainedAt: at(-time.Hour)}, hours(0)},
	} {
		require.Equal(t, c.want, dwellTime(&c.incident, now), name)
	}
}

// Ensure a loader reads what it was told to expect in one go, each key once.
func TestLoader(t *testing.T) {
	t.Parallel()
	var fetched [][]string
	broken := false
	l := newLoader(func(_ context.Context, keys []string) (map[string]int, error) {
		fetched = append(fetched, keys)
		if broken {
			return nil, errors.New("broken")
		}
		out := map[string]int{}
		for _, k := range keys {
			if k != "absent" {
				out[k] = len(k)
			}
		}
		return out, nil
	})
	l.expect("a", "bb", "absent", "", "a")
	got, err := l.load(t.Context(), "bb", "ccc")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"bb": 2, "ccc": 3}, got)
	require.Equal(t, [][]string{{"a", "absent", "bb", "ccc"}}, fetched)
	one, err := l.one(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, 1, one)
	one, err = l.one(t.Context(), "absent")
	require.NoError(t, err)
	require.Zero(t, one)
	l.expect("a", "bb")
	_, err = l.load(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, fetched, 1)
	broken = true
	_, err = l.one(t.Context(), "d")
	require.EqualError(t, err, "broken")
	broken = false
	one, err = l.one(t.Context(), "d")
	require.NoError(t, err)
	require.Equal(t, 1, one)

	fetched = nil
	for i := range keysPerFetch + 1 {
		l.expect(fmt.Sprintf("%06d", i))
	}
	_, err = l.one(t.Context(), "000000")
	require.NoError(t, err)
	require.Len(t, fetched, 2)
}
