package graph_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entgo.io/ent"
	"github.com/stretchr/testify/require"

	entities "github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
)

// nested are operations in which every level leads to others.
var nested = map[string]string{
	"account, tenant and findings": `{incidents(first:50){nodes{number account{principal} tenant{name} findings(first:2){nodes{rule explanation}}}}}`,
	"evidence":                     `{incidents(first:50){nodes{findings(first:2){totalCount nodes{account{principal tenant{name}} incident{number} evidence(first:3){nodes{id account{principal} tenant{name}}}}}}}}`,
	"timeline":                     `{incidents(first:50){nodes{timeline(first:5){nodes{id ... on TimelineEvidence{activity{account{principal}} findings{rule}} ... on IncidentEvent{incident{number}}}}}}}`,
	"activities":                   `{activities(filter:{},first:50){nodes{account{principal tenant{name}} tenant{name}}}}`,
	"accounts":                     `{accounts(first:50){nodes{tenant{name}}}}`,
	"nodes":                        `{incidents(first:50){nodes{previous{account{principal} findings(last:1){nodes{rule}}} mergedInto{number}}}}`,
}

// fill makes incidents number from to n, each with an account, findings and evidence of its own.
func (w world) fill(from, n int) {
	w.Helper()
	tn := w.tenant(fmt.Sprintf("tenant %d", n), "")
	earlier := w.incident(tn, w.account(tn, "earlier@contoso.example"), 1000+n, func(c *entities.IncidentCreate) {
		c.SetDetectedAt(now.AddDate(0, 0, -9))
	})
	for i := from; i <= n; i++ {
		a := w.account(tn, fmt.Sprintf("p%d@contoso.example", i))
		in := w.incident(tn, a, i, func(c *entities.IncidentCreate) { c.SetPreviousID(earlier.ID).SetMergedIntoID(earlier.ID) })
		for k := range 3 {
			at := now.Add(time.Duration(k) * time.Minute)
			var cited []*activity.Activity
			for c := range 2 {
				cited = append(cited, w.activity(tn, a, fmt.Sprintf("%d-%d-%d", i, k, c), at, nil))
			}
			w.finding(in, fmt.Sprintf("%d-%d", i, k), at, cited...)
		}
	}
}

// constant checks that count finds as many statements with 50 incidents as with 5.
func (w world) constant(count func(query string) int) {
	w.Helper()
	w.fill(1, 5)
	few := map[string]int{}
	for name, query := range nested {
		few[name] = count(query)
		require.Positive(w, few[name])
		require.Less(w, few[name], 15, name)
	}
	w.fill(6, 50)
	for name, query := range nested {
		require.Equal(w, few[name], count(query), name)
	}
	w.Log("statements:", few)
}

// Ensure the number of entity queries does not grow with the number of items.
// (The activity log is no entity; the test below sees its statements.)
func TestConstantStatementsSQLite(t *testing.T) {
	t.Parallel()
	db := databasetest.SQLite(t)
	w := newWorld(t, db, nil)
	var mu sync.Mutex
	queries := 0
	db.Client().Intercept(ent.InterceptFunc(func(next ent.Querier) ent.Querier {
		return ent.QuerierFunc(func(ctx context.Context, q ent.Query) (ent.Value, error) {
			mu.Lock()
			queries++
			mu.Unlock()
			return next.Query(ctx, q)
		})
	}))
	w.constant(func(query string) int {
		queries = 0
		w.get(query)
		return queries
	})
}

// Ensure the number of statements PostgreSQL is sent, counted on the wire, does
// not grow with the number of items.
func TestConstantStatementsPostgreSQL(t *testing.T) {
	t.Parallel()
	wire := tap(t, pgtest.URL(t))
	db, err := database.Open(context.Background(), database.Config{URL: wire.url})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w := newWorld(t, db, nil)
	w.constant(func(query string) int {
		w.get(query)
		before := wire.count()
		w.get(query)
		return wire.count() - before
	})
}

// wiretap passes PostgreSQL's protocol through, and counts the SELECTs carried
// out and the bytes answered.
type wiretap struct {
	url      string
	received atomic.Int64

	mu      sync.Mutex
	selects int
}

func (w *wiretap) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.selects
}

func tap(t *testing.T, rawURL string) *wiretap {
	t.Helper()
	u, err := url.Parse(rawURL)
	require.NoError(t, err)
	server := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	u.Host = listener.Addr().String()
	w := &wiretap{url: u.String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				return
			}
			go func() { defer client.Close(); _, _ = io.Copy(client, io.TeeReader(upstream, counter{&w.received})) }()
			go func() { defer upstream.Close(); w.pass(upstream, client) }()
		}
	}()
	return w
}

// counter counts the bytes written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// pass copies a client's messages: a start-up message without type, then
// messages of a type, a length and a body. Parse ('P') names a statement, Bind
// ('B') says that it is carried out.
func (w *wiretap) pass(to io.Writer, from io.Reader) {
	statements := map[string]string{}
	for start := true; ; start = false {
		header := make([]byte, 5)
		if start {
			header = header[:4]
		}
		if _, err := io.ReadFull(from, header); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(header[len(header)-4:])-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		switch parts := bytes.SplitN(body, []byte{0}, 3); {
		case start:
		case header[0] == 'P':
			statements[string(parts[0])] = string(parts[1])
		case header[0] == 'B' && isRead(statements[string(parts[1])]):
			w.mu.Lock()
			w.selects++
			w.mu.Unlock()
		}
		if _, err := to.Write(slices.Concat(header, body)); err != nil {
			return
		}
	}
}

// isRead leaves out what tells a connection whose rows it may see: that
// depends on which connection was free.
func isRead(statement string) bool {
	return strings.HasPrefix(statement, "SELECT") && !strings.Contains(statement, "set_config")
}
