package model_test

import (
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairn-itdr/cairn/graph/model"
)

func written(m graphql.Marshaler) string {
	var b strings.Builder
	m.MarshalGQL(&b)
	return b.String()
}

// Ensure moments are UTC, microseconds at most, and within the years both databases keep.
func TestDateTime(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2026-03-01T12:00:00Z": `"2026-03-01T12:00:00Z"`, "2026-03-01T12:00:00.123456789+02:00": `"2026-03-01T10:00:00.123456Z"`,
	} {
		at, err := model.UnmarshalDateTime(in)
		require.NoError(t, err)
		require.Equal(t, want, written(model.MarshalDateTime(at)))
	}
	for _, in := range []any{"", "2026-03-01", "2026-03-01T12:00:00", "yesterday", 1, nil, "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"} {
		_, err := model.UnmarshalDateTime(in)
		require.Error(t, err, "%v", in)
	}
}

// Ensure durations are ISO 8601 in days and below, and come back as they went.
func TestDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[time.Duration]string{
		0: "PT0S", time.Second: "PT1S", 90 * time.Minute: "PT1H30M", 24 * time.Hour: "P1D", 49*time.Hour + time.Second: "P2DT1H1S",
		400 * 24 * time.Hour: "P400D", 1500 * time.Millisecond: "PT1.5S",
	} {
		require.Equal(t, `"`+want+`"`, written(model.MarshalDuration(in)))
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "seconds")) * time.Second
		got, err := model.UnmarshalDuration(strings.Trim(written(model.MarshalDuration(d)), `"`))
		require.NoError(t, err)
		require.Equal(t, d, got)
	})
	_, err := model.UnmarshalDuration("an hour")
	require.Error(t, err)
}

// Ensure a stored record that is no JSON can't break the answer around it.
func TestJSON(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, `{"a":[1]}`, written(model.JSON(`{"a":[1]}`)))
	require.JSONEq(t, `"{\"a\":"`, written(model.JSON(`{"a":`)))
	require.JSONEq(t, `""`, written(model.JSON(nil)))
	var j model.JSON
	require.NoError(t, j.UnmarshalGQL(map[string]any{"a": 1}))
	require.JSONEq(t, `{"a":1}`, string(j))
}
