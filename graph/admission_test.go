package graph_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/graph"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

const kilobyte = 1 << 10

// large makes activities whose raw records have so many bytes and more, and an
// incident with a finding that cites them. It returns the ids of the incident,
// the finding and one activity.
func (w world) large(count, size int) (ids []string) {
	w.Helper()
	tn := w.tenant("contoso", "")
	a := w.account(tn, "mary@contoso.example")
	var cited []*activity.Activity
	for i := range count {
		cited = append(cited, w.activity(tn, a, strconv.Itoa(i), now.Add(time.Duration(i)*time.Second), func(a *activity.Activity) {
			a.Raw = fmt.Appendf(nil, `{"Agent":"%d","Filler":%q}`, i, strings.Repeat("x", size))
		}))
	}
	i := w.incident(tn, a, 1, nil)
	f := w.finding(i, "f", now, cited...)
	return []string{i.ID, f.ID, cited[0].ID}
}

// lean are queries that columns answer.
func lean(ids []string) []string {
	return []string{
		`{activities(filter:{},first:100){totalCount nodes{id occurredAt source operation result ipAddress country network{kind} sessionId application{id} subject sender account{principal}}}}`,
		`{node(id:"` + ids[0] + `"){... on Incident{timeline(first:100){totalCount nodes{id ... on TimelineEvidence{activity{id account{principal}} findings{rule}}}}}}}`,
		`{node(id:"` + ids[1] + `"){... on Finding{evidence(first:50){totalCount nodes{id operation}}}}}`,
		`{node(id:"` + ids[2] + `"){... on Activity{operation}}}`,
	}
}

// greedy are queries that need more raw records than one operation may read.
func greedy(ids []string) []string {
	return []string{
		`{activities(filter:{},first:100){nodes{raw}}}`,
		`{activities(filter:{},first:100){nodes{userAgent}}}`,
		`{activities(filter:{},first:100){nodes{application{name}}}}`,
		`{node(id:"` + ids[0] + `"){... on Incident{timeline(first:100){nodes{... on TimelineEvidence{activity{raw}}}}}}}`,
		`{node(id:"` + ids[1] + `"){... on Finding{evidence{nodes{parameters{name}}}}}}`,
	}
}

// Ensure raw records are neither parsed where columns answer, nor where they
// are more than an operation may read, and that what fits is answered whole.
func TestRawRecordsAreReadWhenAskedFor(t *testing.T) {
	t.Parallel()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		var parsed atomic.Int64 // bytes
		w := newWorld(t, db, func(c *graph.Config) {
			c.RawBytes = 50 * kilobyte
			c.Log = activitylog.New(db, func(shape string, raw []byte) (activity.Activity, error) {
				parsed.Add(int64(len(raw)))
				return reread(shape, raw)
			})
		})
		ids := w.large(20, 10*kilobyte)
		for _, query := range lean(ids) {
			w.get(query)
		}
		refused := func(query string) {
			a := w.ask(query)
			require.NotEmpty(t, a.Errors, query)
			for _, e := range a.Errors {
				require.Equal(t, "TOO_COMPLEX", e.Extensions["code"])
				require.Equal(t, "request_1", e.Extensions["requestId"])
				require.Contains(t, e.Message, "ask for fewer activities at once")
				require.NotEmpty(t, e.Path)
			}
		}
		for _, query := range greedy(ids) {
			refused(query)
		}
		require.Zero(t, parsed.Load())
		refused(`{a:activities(filter:{},first:4){nodes{raw}} b:activities(filter:{},last:4){nodes{raw}}}`) // all lists of an operation count

		w.get(`{activities(filter:{},first:4){nodes{raw}}}`)
		require.Zero(t, parsed.Load(), "to show a record it need not be understood")
		w.expect(`{"activities":{"nodes":[{"userAgent":"19","target":null},{"userAgent":"18","target":null}]}}`,
			`{activities(filter:{},first:2){nodes{userAgent target}}}`)
		require.Less(t, parsed.Load(), int64(21*kilobyte), "each shown record once, and none beyond the page")
		for range 10 { // what one operation took, the next may take again
			w.get(`{activities(filter:{},first:4){nodes{userAgent}}}`)
		}
		require.Empty(t, w.logs.String())
	})
}

// Ensure the database is not asked for what is not shown: bytes are counted on the wire.
func TestBytesReadStayBounded(t *testing.T) {
	t.Parallel()
	wire := pgtest.Tap(t, pgtest.URL(t))
	db, err := database.Open(context.Background(), database.Config{URL: wire.URL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	const size = 1 << 20
	w := newWorld(t, db, func(c *graph.Config) { c.RawBytes = 2 * size })
	ids := w.large(20, size)
	for _, query := range append(lean(ids), greedy(ids)...) {
		require.Less(t, w.received(wire, query), int64(100*kilobyte), query)
	}
	one := w.received(wire, `{activities(filter:{},first:1){nodes{raw}}}`)
	require.Greater(t, one, int64(size))
	require.Less(t, one, int64(size+100*kilobyte), "nothing beyond the page")
}

// received asks and returns how many bytes the database answered with.
func (w world) received(wire *pgtest.Wire, query string) int64 {
	before := wire.Answered()
	w.ask(query)
	return wire.Answered() - before
}

// Ensure evidence and timeline are paged by the database, whatever their length.
func TestPagesOfLongLists(t *testing.T) {
	t.Parallel()
	wire := pgtest.Tap(t, pgtest.URL(t))
	db, err := database.Open(context.Background(), database.Config{URL: wire.URL})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := newWorld(t, db, nil)
	tn := w.tenant("contoso", "")
	in := w.incident(tn, nil, 1, nil)
	pages := func(n int) (bytes []int64) {
		var cited []*activity.Activity
		for i := range 50 {
			cited = append(cited, w.activity(tn, nil, fmt.Sprintf("%d-%d", n, i), now.Add(time.Duration(i)*time.Second), func(a *activity.Activity) {
				a.Subject = strings.Repeat("s", kilobyte)
			}))
		}
		f := w.finding(in, strconv.Itoa(n), now.Add(time.Duration(n)*time.Minute), cited...)
		for _, query := range []string{
			`{node(id:"` + in.ID + `"){... on Incident{timeline(first:2){nodes{id}}}}}`,
			`{node(id:"` + in.ID + `"){... on Incident{timeline(last:2){nodes{id}}}}}`,
			`{node(id:"` + f.ID + `"){... on Finding{evidence(first:2){nodes{id}}}}}`,
		} {
			w.get(query)
			bytes = append(bytes, w.received(wire, query))
		}
		return bytes
	}
	few := pages(0)
	for n := range 5 {
		pages(n + 1)
	}
	for i, bytes := range pages(6) {
		require.Less(t, bytes, few[i]+10*kilobyte, "seven times the evidence, the same page")
	}
}

// Ensure one principal that asks too often is told when to go on, and no other suffers.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	db := databasetest.SQLite(t)
	var clock atomic.Int64
	clock.Store(now.UnixNano())
	w := newWorld(t, db, func(c *graph.Config) {
		c.RequestsPerSecond = 2
		c.Now = func() time.Time { return time.Unix(0, clock.Load()) }
	})
	other := w.as("MSP Two")
	for range 20 {
		w.get(`{viewer{id}}`)
	}
	for _, body := range []string{`{"query":"{viewer{id}}"}`, `{"query":"mutation{createTenant(input:{name:\"x\"}){tenant{id}}}"}`, `nonsense`} {
		a := w.send(http.MethodPost, "application/json", body)
		require.Equal(t, http.StatusTooManyRequests, a.status)
		require.Equal(t, "RATE_LIMITED", a.code(t))
		require.InDelta(t, 1, a.Errors[0].Extensions["retryAfter"], 0)
		require.Equal(t, "1", a.header.Get("Retry-After"))
		require.Contains(t, a.Errors[0].Message, "2 times a second")
	}
	other.get(`{viewer{id}}`)
	n, err := db.Client().Tenant.Query().Count(w.ctx)
	require.NoError(t, err)
	require.Zero(t, n, "what is refused is not done")

	clock.Add(int64(time.Second))
	w.get(`{viewer{id}}`)
	w.get(`{viewer{id}}`)
	require.Equal(t, "RATE_LIMITED", w.ask(`{viewer{id}}`).code(t), "being refused costs nothing, but earns nothing")
	clock.Add(int64(time.Hour))
	for range 20 {
		w.get(`{viewer{id}}`)
	}
	require.Equal(t, "RATE_LIMITED", w.ask(`{viewer{id}}`).code(t), "a long pause saves up ten seconds' worth")
}

// stalled is a world whose raw records are not understood before leave is
// closed; each attempt is told in entered.
func stalled(t *testing.T, change func(*graph.Config)) (w world, entered, leave chan struct{}) {
	t.Helper()
	db := databasetest.SQLite(t)
	entered, leave = make(chan struct{}), make(chan struct{})
	w = newWorld(t, db, func(c *graph.Config) {
		c.Patience = time.Millisecond
		c.Log = activitylog.New(db, func(shape string, raw []byte) (activity.Activity, error) {
			entered <- struct{}{}
			<-leave
			return reread(shape, raw)
		})
		change(c)
	})
	w.large(1, 900)
	return w, entered, leave
}

// Ensure no organization takes more than half of the operations that may run at
// once, and its next is told to come back.
func TestOperationsAtOnce(t *testing.T) {
	t.Parallel()
	w, entered, leave := stalled(t, func(c *graph.Config) { c.Operations = 4 })
	answers := make(chan answer, 2)
	for range 2 {
		go func() { answers <- w.ask(`{activities(filter:{}){nodes{userAgent}}}`) }()
		<-entered
	}
	// Another organization does not wait behind this one's storm.
	w.as("MSP Two").get(`{viewer{id}}`)
	a := w.ask(`{viewer{id}}`)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Equal(t, "RATE_LIMITED", a.code(t))
	require.Equal(t, "1", a.header.Get("Retry-After"))
	require.InDelta(t, 1, a.Errors[0].Extensions["retryAfter"], 0)
	close(leave)
	for range 2 {
		require.Empty(t, (<-answers).Errors)
	}
	w.get(`{viewer{id}}`)
	require.Empty(t, w.logs.String())
}

// Ensure all operations together hold no more raw records than they may.
func TestRawRecordsAtOnce(t *testing.T) {
	t.Parallel()
	w, entered, leave := stalled(t, func(c *graph.Config) { c.RawBytes = 1000 })
	answers := make(chan answer, 2)
	for range 2 {
		go func() { answers <- w.ask(`{activities(filter:{}){nodes{userAgent}}}`) }()
		<-entered
	}
	w.get(`{activities(filter:{}){nodes{operation}}}`)
	a := w.ask(`{activities(filter:{}){nodes{raw}}}`)
	require.Equal(t, "RATE_LIMITED", a.code(t))
	require.Equal(t, "1", a.header.Get("Retry-After"))
	close(leave)
	for range 2 {
		require.Empty(t, (<-answers).Errors)
	}
	require.Contains(t, w.get(`{activities(filter:{}){nodes{raw}}}`), "Filler")
}
