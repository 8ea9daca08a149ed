package model

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// MarshalDateTime writes a moment in RFC 3339, UTC.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, t.UTC().Format(`"`+time.RFC3339Nano+`"`)) // a broken connection shows elsewhere
	})
}

// errDateTime makes a new error each time: the engine notes the path in it.
func errDateTime() error {
	return gqlerror.Errorf("a DateTime is written in RFC 3339, such as 2026-03-01T12:00:00Z, in the years 1 to 9999")
}

// UnmarshalDateTime reads a moment in RFC 3339, cut to the microseconds that
// both databases keep.
func UnmarshalDateTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, errDateTime()
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errDateTime()
	}
	if t = t.UTC().Truncate(time.Microsecond); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, errDateTime()
	}
	return t, nil
}

// MarshalDuration writes a span of time in ISO 8601, in days and below.
func MarshalDuration(d time.Duration) graphql.Marshaler {
	return graphql.MarshalString(formatDuration(d))
}

// UnmarshalDuration reads a span of time in ISO 8601.
func UnmarshalDuration(v any) (time.Duration, error) {
	d, err := graphql.UnmarshalDuration(v)
	if err != nil {
		return 0, gqlerror.Errorf("a Duration is written in ISO 8601, such as P1DT2H30M")
	}
	return d, nil
}

func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d == 0 {
		return "PT0S"
	}
	var b strings.Builder
	if d < 0 {
		b.WriteByte('-')
		d = -d
	}
	b.WriteByte('P')
	if d >= day {
		fmt.Fprintf(&b, "%dD", d/day)
		d %= day
	}
	if d > 0 {
		b.WriteByte('T')
	}
	if d >= time.Hour {
		fmt.Fprintf(&b, "%dH", d/time.Hour)
		d %= time.Hour
	}
	if d >= time.Minute {
		fmt.Fprintf(&b, "%dM", d/time.Minute)
		d %= time.Minute
	}
	if d > 0 {
		b.WriteString(strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S")
	}
	return b.String()
}

// JSON is a JSON value as it was stored.
type JSON json.RawMessage //nolint:recvcheck // reading fills it, writing takes it as it is

// MarshalGQL writes the value; one that is no JSON goes out as a string, so
// that it can't break the answer around it.
func (j JSON) MarshalGQL(w io.Writer) {
	if !json.Valid(j) {
		graphql.MarshalString(string(j)).MarshalGQL(w)
		return
	}
	_, _ = w.Write(j) // a broken connection shows elsewhere
}

// UnmarshalGQL takes any value.
func (j *JSON) UnmarshalGQL(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("JSON value: %w", err)
	}
	*j = raw
	return nil
}

// MarshalAutonomousSystemNumber writes the number as an integer.
func MarshalAutonomousSystemNumber(n uint32) graphql.Marshaler { return graphql.MarshalUint32(n) }

// UnmarshalAutonomousSystemNumber reads an integer from 0 to 4294967295.
func UnmarshalAutonomousSystemNumber(v any) (uint32, error) {
	n, err := graphql.UnmarshalInt64(v)
	if err != nil || n < 0 || n > math.MaxUint32 {
		return 0, gqlerror.Errorf("an AutonomousSystemNumber is an integer from 0 to 4294967295")
	}
	return uint32(n), nil
}
