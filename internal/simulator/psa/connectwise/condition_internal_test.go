package connectwise

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	all := []record{
		{"id": float64(1), "summary": "a \"b\" c", "board": map[string]any{"id": float64(2), "name": "Help"}, "closedFlag": false, "_info": map[string]any{"lastUpdated": "2026-01-02T00:00:00Z"}},
		{"id": float64(2), "summary": "other", "board": map[string]any{"id": float64(3), "name": "Security"}, "closedFlag": true, "_info": map[string]any{"lastUpdated": "2026-01-01T00:00:00Z"}},
	}
	for conditions, want := range map[string]int{
		`id=1`: 1, `id in (1,2)`: 2, `id not in (1)`: 1, `board/name="help"`: 1, `summary contains "OTH"`: 1, `closedFlag=true`: 1,
		`lastUpdated>[2026-01-01T12:00:00Z]`: 1, `lastUpdated>=[2026-01-01T00:00:00Z]`: 2, `(id=1 or id=2) and board/id!=2`: 1, `summary like "%the%"`: 1, ``: 2,
	} {
		kept, err := s.filter(all, conditions)
		require.NoError(t, err, conditions)
		require.Len(t, kept, want, conditions)
	}
	for _, wrong := range []string{`id=`, `id`, `id in 1`, `id in (1`, `(id=1`, `id=1 and`, `summary=bare`, `lastUpdated>[yesterday]`, `id ~ 1`, `summary="open`} {
		_, err := s.filter(all, wrong)
		require.Error(t, err, wrong)
	}
}

func FuzzConditions(f *testing.F) {
	for _, seed := range []string{`id in (1,2) and board/name="a"`, `(a=[2026-01-01T00:00:00Z]) or b not contains "x"`, `"`, `((((`} {
		f.Add(seed)
	}
	s := New(Config{})
	f.Fuzz(func(_ *testing.T, conditions string) {
		_, _ = s.filter([]record{{"id": float64(1), "a": "b"}}, conditions) // it answers, and does not fall over
	})
}
