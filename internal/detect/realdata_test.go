package detect_test

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// sharedData returns a folder of the public sample data, or skips the test.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("CAIRN_SHARED")
	if dir == "" {
		wd, err := os.Getwd()
		require.NoError(t, err)
		for d := wd; ; d = filepath.Dir(d) {
			if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
				dir = filepath.Join(d, "..", "shared")
				break
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	path := filepath.Join(dir, "data", "microsoft365", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: the public sample data (%s) is not beside the repository; set CAIRN_SHARED", name)
	}
	return path
}

// readLog parses and enriches a whole file.
func readLog(t *testing.T, path string) []*activity.Activity {
	t.Helper()
	tables, err := intel.Open("")
	require.NoError(t, err)
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	r, err := format.Open(filepath.Base(path), file, format.Limits{})
	require.NoError(t, err)
	var all []*activity.Activity
	seen := make(map[string]bool)
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		a, err := format.Parse(rec.Raw)
		var skip *format.SkipError
		if errors.As(err, &skip) {
			continue
		}
		require.NoError(t, err)
		a.Identify("org_1", "tenant_1")
		if seen[a.ID] {
			continue
		}
		seen[a.ID] = true
		if a.Actor.Kind == activity.ActorUser || a.Actor.Kind == activity.ActorGuest {
			a.AccountID = typeid.Derived("account", a.Actor.Principal)
		}
		info := tables.Lookup(a.Address)
		a.Country, a.Network = info.Country, info.Network
		all = append(all, &a)
	}
}

func judgeLog(t *testing.T, path string) (*shelf, []*activity.Activity) {
	t.Helper()
	all := readLog(t, path)
	s := newShelf(t)
	e := detect.Standard()
	for batch := range slices.Chunk(all, 500) {
		s.process(e, batch...)
	}
	return s, all
}

func account(user string) string { return typeid.Derived("account", user) }

func TestPrintReal(t *testing.T) {
	if os.Getenv("PRINT") == "" {
		t.Skip()
	}
	files := []string{"invictus/o365_ual.ndjson.gz"}
	m, _ := filepath.Glob(filepath.Join(sharedData(t, "det-eng-samples"), "*"))
	for _, f := range m {
		files = append(files, "det-eng-samples/"+filepath.Base(f))
	}
	files = append(files, "otrf/goldensaml_aad_audit.ndjson.gz", "otrf/goldensaml_office_activity.ndjson.gz", "otrf/goldensaml_m365_defender.ndjson.gz")
	for _, f := range files {
		s, all := judgeLog(t, sharedData(t, f))
		names := map[string]string{}
		kinds := map[activity.ActorKind]int{}
		for _, a := range all {
			names[a.AccountID] = a.Actor.Principal
			kinds[a.Actor.Kind]++
		}
		t.Log("=== ", f, len(all), kinds)
		fs, failed := s.live()
		slices.SortFunc(fs, func(a, b detect.Finding) int { return a.OccurredAt.Compare(b.OccurredAt) })
		for _, x := range fs {
			t.Logf("%s %s %s/%s ev=%d links=%v\n     %s\n     targets %q", names[x.AccountID], x.Rule, x.Severity, x.Confidence, len(x.Evidence), x.Links, x.Explanation, x.Targets)
		}
		for _, x := range failed {
			t.Logf("FAILED %s %s %s %s n=%d %s known=%v", x.Day.Format("2006-01-02"), x.Tactic, x.Source, strings.Split(names[x.AccountID], "@")[0], x.Attempts, x.UserAgent, x.PasswordKnown)
		}
		n := 0
		for k, b := range s.books {
			n += len(b)
			if len(b) > 8000 {
				t.Log(k, len(b))
			}
		}
		t.Log("books", len(s.books), "bytes", n)
	}
	_ = netip.Addr{}
}
