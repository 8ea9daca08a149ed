package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/app"
)

// demo is a running demo.
type demo struct {
	testing.TB
	app.DemoStart

	stop  context.CancelFunc
	ended chan error
	log   *bytes.Buffer // to be read when it has ended
}

func startDemo(t *testing.T, dataDir string) demo {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	started, ended, log := make(chan app.DemoStart, 1), make(chan error, 1), &bytes.Buffer{}
	cfg := app.Config{
		DataDir: dataDir, Explorer: true, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Now: func() time.Time { return time.Now().UTC() },
	}
	go func() {
		ended <- app.Demo(ctx, cfg, listener, func(s app.DemoStart) error { started <- s; return nil })
	}()
	select {
	case s := <-started:
		return demo{t, s, stop, ended, log}
	case err := <-ended:
		stop()
		require.NoError(t, err, "the demo ended before it began")
		return demo{}
	}
}

type incident struct {
	Severity    string
	IsLive      bool
	Explanation string
	Tenant      struct{ Name string }
	Findings    struct {
		Nodes []struct{ Rule string }
	}
}

// incidents asks the demo's API what there is.
func (d demo) incidents() []incident {
	d.Helper()
	query, err := json.Marshal(map[string]string{"query": "{ incidents { nodes { severity isLive explanation tenant { name } findings { nodes { rule } } } } }"})
	require.NoError(d, err)
	var answer struct {
		Data   struct{ Incidents struct{ Nodes []incident } }
		Errors []any
	}
	d.post(string(query), &answer)
	require.Empty(d, answer.Errors)
	return answer.Data.Incidents.Nodes
}

func (d demo) post(body string, answer any) {
	d.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.API, strings.NewReader(body))
	require.NoError(d, err)
	request.Header.Set("Authorization", "Bearer "+d.APIKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(d, err)
	defer response.Body.Close()
	require.Equal(d, http.StatusOK, response.StatusCode)
	require.NoError(d, json.NewDecoder(response.Body).Decode(answer))
}

// wait asks until the incidents are as wanted, or the demo ends.
func (d demo) wait(what string, wanted func([]incident) bool) []incident {
	d.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if got := d.incidents(); wanted(got) {
			return got
		}
		select {
		case <-tick.C:
		case err := <-d.ended:
			require.Failf(d, "the demo ended", "before %s: %v\n%s", what, err, d.log)
		}
	}
}

// Ensure the demo shows what it promises, ends cleanly, leaves nothing behind
// and can be started again.
func TestDemo(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	d := startDemo(t, "")
	require.Equal(t, temporary, filepath.Dir(d.DataDir))

	explorer, err := http.Get(d.Explorer)
	require.NoError(t, err)
	require.NoError(t, explorer.Body.Close())
	require.Equal(t, http.StatusOK, explorer.StatusCode)
	query, err := json.Marshal(map[string]string{"query": d.Query})
	require.NoError(t, err)
	var answer map[string]any
	d.post(string(query), &answer)
	require.NotContains(t, answer, "errors", "the query it prints works")

	old := d.wait("the old compromise", func(all []incident) bool { return len(all) == 1 && len(all[0].Findings.Nodes) >= 3 })[0]
	require.False(t, old.IsLive)
	both := d.wait("the live attack, whole", func(all []incident) bool {
		return len(all) == 2 && rules(live(all)) == "inbox-rule mailbox-forwarding session-hijack"
	})
	attacked := live(both)
	require.NotEqual(t, old.Tenant, attacked.Tenant)
	require.NotEmpty(t, attacked.Explanation)

	d.stop()
	require.NoError(t, <-d.ended, "%s", d.log)
	for line := range strings.Lines(d.log.String()) {
		require.NotContains(t, line, "level=ERROR")
	}
	entries, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, entries, "no temporary folder stays")

	again := startDemo(t, "")
	require.NotEqual(t, d.APIKey, again.APIKey)
	again.wait("the old compromise, again", func(all []incident) bool { return len(all) > 0 })
	again.stop()
	require.NoError(t, <-again.ended, "%s", again.log)
}

// live is the incident that is live; the zero one where none is.
func live(all []incident) incident {
	for _, i := range all {
		if i.IsLive {
			return i
		}
	}
	return incident{}
}

// rules are the rules that spoke in an incident, in the order of the alphabet.
func rules(i incident) string {
	told := map[string]bool{}
	for _, f := range i.Findings.Nodes {
		told[f.Rule] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(told)), " ")
}

// Ensure the demo keeps out of a folder that holds anything but a demo, and
// begins anew in one of its own.
func TestDemoFolder(t *testing.T) {
	t.Parallel()
	taken := t.TempDir()
	precious := filepath.Join(taken, "precious")
	require.NoError(t, os.WriteFile(precious, []byte("mine"), 0o600))
	err := app.Demo(t.Context(), app.Config{DataDir: taken}, nil, nil)
	require.ErrorIs(t, err, app.ErrNotADemo)
	require.ErrorContains(t, err, taken)
	require.FileExists(t, precious)

	own := filepath.Join(t.TempDir(), "made", "by the demo")
	first := startDemo(t, own)
	first.wait("the old compromise", func(all []incident) bool { return len(all) > 0 })
	first.stop()
	require.NoError(t, <-first.ended)
	require.FileExists(t, filepath.Join(own, "cairn.db"))
	leftover := filepath.Join(own, "leftover")
	require.NoError(t, os.WriteFile(leftover, nil, 0o600))

	second := startDemo(t, own)
	require.NoFileExists(t, leftover)
	second.stop()
	require.NoError(t, <-second.ended)
}
