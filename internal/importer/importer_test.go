package importer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/importer"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/intake"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// house is an organization's import, on one database.
type house struct {
	testing.TB

	ctx     context.Context
	db      *database.DB
	log     *activitylog.Log
	tenants *tenant.Service
	*importer.Importer
}

func each(t *testing.T, test func(h house)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) { test(newHouse(t, db)) })
}

func newHouse(t testing.TB, db *database.DB) house {
	t.Helper()
	ctx, _ := databasetest.Organization(t, db, "MSP")
	networks, err := intel.Open("")
	require.NoError(t, err)
	log := activitylog.New(db, func(shape string, raw []byte) (activity.Activity, error) {
		return format.ShapeByName(shape).Parse(raw)
	})
	tenants := tenant.New(db, clock)
	in := intake.New(db, detect.Standard(), incident.New(db, clock), log, networks, clock)
	return house{t, ctx, db, log, tenants, importer.New(db, in, tenants, clock)}
}

func (h house) tenant(name string) *ent.Tenant {
	h.Helper()
	t, err := h.tenants.ByName(h.ctx, name)
	require.NoError(h, err)
	return t
}

func text(name, content string) importer.Source {
	return importer.Source{Name: name, Rereadable: true, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte(content))), nil
	}}
}

func file(path string) importer.Source {
	return importer.Source{Name: filepath.Base(path), Rereadable: true, Open: func() (io.ReadCloser, error) { return os.Open(path) }}
}

func (h house) run(t *ent.Tenant, options importer.Options, sources ...importer.Source) importer.Summary {
	h.Helper()
	s, err := h.Import(h.ctx, t, sources, options)
	require.NoError(h, err)
	return s
}

const (
	home  = "3a3c4f0e-0c5e-4f6a-9b0a-5a1f6c1d2e3f"
	other = "7b7c4f0e-0c5e-4f6a-9b0a-5a1f6c1d2e3f"
)

func record(id, directory, when string) string {
	return `{"CreationTime":"` + when + `","Id":"` + id + `","Operation":"FileAccessed","OrganizationId":"` + directory +
		`","RecordType":6,"UserKey":"k","UserType":0,"Version":1,"Workload":"SharePoint","UserId":"ann@fabrikam.example","ClientIP":"198.51.100.7"}` + "\n"
}

// Ensure a tenant is bound to the directory most records name, and keeps the others out.
func TestBinding(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		lines := record("1", other, "2026-01-01T00:00:00") + record("2", home, "2026-01-01T00:00:01") + record("3", home, "2026-01-01T00:00:02")
		s := h.run(h.tenant("fabrikam"), importer.Options{}, text("a.json", lines))
		require.True(h, s.Bound)
		require.Equal(h, home, s.MicrosoftTenantID)
		require.Equal(h, []int{3, 2, 1, 1}, []int{s.Read, s.New, s.Rejected, s.Foreign})
		require.Equal(h, 1, s.Rejections[0].Line)
		require.Contains(h, s.Rejections[0].Reason, other)

		s = h.run(h.tenant("Fabrikam"), importer.Options{AcceptForeign: true}, text("a.json", lines))
		require.False(h, s.Bound)
		require.Equal(h, []int{3, 1, 2, 0}, []int{s.Read, s.New, s.Known, s.Rejected})

		_, err := h.Import(h.ctx, h.tenant("fabrikam"), nil, importer.Options{MicrosoftTenantID: other})
		require.ErrorContains(h, err, "is bound to the Microsoft tenant "+home)
		_, err = h.Import(h.ctx, h.tenant("second"), []importer.Source{text("b", record("9", home, "2026-01-01T00:00:00"))}, importer.Options{})
		require.ErrorContains(h, err, "belongs to the tenant")

		s = h.run(h.tenant("told"), importer.Options{MicrosoftTenantID: other}, text("c", lines))
		require.Equal(h, []int{1, 2}, []int{s.New, s.Foreign})
	})
}

// Ensure a stream is bound like a file and read to its end.
func TestStandardInput(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		stream := bytes.NewReader([]byte(record("1", home, "2026-01-01T00:00:00") + record("2", home, "2026-01-01T00:00:01")))
		opened := 0
		s := h.run(h.tenant("fabrikam"), importer.Options{}, importer.Source{Name: "-", Open: func() (io.ReadCloser, error) {
			opened++
			return io.NopCloser(stream), nil
		}})
		require.True(h, s.Bound)
		require.Equal(h, 2, s.New)
		require.Equal(h, 1, opened)
	})
}

// Ensure a bad record or file costs itself and no more, and is named.
func TestBadInput(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := w.Write([]byte(record("z1", home, "2026-01-01T00:00:00") + record("z2", home, "2026-01-01T00:00:00")))
		require.NoError(h, err)
		require.NoError(h, w.Close())
		s := h.run(h.tenant("fabrikam"), importer.Options{},
			text("mixed.json", record("1", home, "2026-01-01T00:00:00")+
				`{"CreationTime":"2026-01-01T00:00:00","Id":"trunc`+"\n"+
				record("", home, "2026-01-01T00:00:00")+
				record("f", home, "2099-01-01T00:00:00")+
				record("2", home, "2026-01-01T00:00:00")),
			text("empty.json", ""),
			text("binary", "\x7fELF\x00\x00\x01\x02"),
			text("cut.gz", zipped.String()[:zipped.Len()-12]),
			importer.Source{Name: "gone", Rereadable: true, Open: func() (io.ReadCloser, error) { return os.Open(filepath.Join(h.TempDir(), "gone")) }},
			importer.Source{Name: "folder", Open: func() (io.ReadCloser, error) { return nil, errors.New("it is a folder: name the files in it") }},
			text("last.json", record("3", home, "2026-01-01T00:00:00")),
		)
		require.GreaterOrEqual(h, s.New, 3)
		require.Equal(h, 3, s.Rejected)
		var refused []string
		for _, r := range s.Refused {
			require.NotEmpty(h, r.Reason)
			refused = append(refused, r.File)
		}
		require.Equal(h, []string{"empty.json", "binary", "cut.gz", "gone", "folder"}, refused)
		require.Equal(h, 2, s.Rejections[0].Line)
		require.Contains(h, s.Rejections[2].Reason, "future")
		again := h.run(h.tenant("fabrikam"), importer.Options{}, text("last.json", record("3", home, "2026-01-01T00:00:00")))
		require.Equal(h, []int{0, 1}, []int{again.New, again.Known})
	})
}

// Ensure an import that is stopped can be run again and ends complete.
func TestStoppedImportIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		var lines bytes.Buffer
		for i := range 5000 {
			lines.WriteString(record(string(rune('a'+i%26))+time.Duration(i).String(), home, "2026-01-01T00:00:00"))
		}
		ctx, cancel := context.WithCancel(h.ctx)
		source := importer.Source{Name: "big", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(lines.Bytes()[:lines.Len()/2]), stopper{cancel}, bytes.NewReader(lines.Bytes()[lines.Len()/2:]))), nil
		}}
		_, err := h.Import(ctx, h.tenant("fabrikam"), []importer.Source{source}, importer.Options{MicrosoftTenantID: home})
		require.Error(h, err)
		s := h.run(h.tenant("fabrikam"), importer.Options{}, text("big", lines.String()))
		require.Equal(h, 5000, s.New+s.Known)
		require.Zero(h, s.Rejected)
	})
}

// stopper cancels when the import reaches it.
type stopper struct{ cancel context.CancelFunc }

func (s stopper) Read([]byte) (int, error) { s.cancel(); return 0, io.EOF }

// shared returns the folder of real logs, or skips loudly.
func shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("CAIRN_SHARED")
	if dir == "" {
		at, err := os.Getwd()
		require.NoError(t, err)
		for dir = filepath.Join(at, "shared"); at != filepath.Dir(at); at = filepath.Dir(at) {
			dir = filepath.Join(filepath.Dir(at), "shared")
			if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
				break
			}
		}
	}
	logs := filepath.Join(dir, "data", "microsoft365")
	if _, err := os.Stat(logs); err != nil {
		t.Skip("SKIPPED: the real logs (shared/data) are not here")
	}
	return logs
}

// Ensure every real log is read, and reading it again adds nothing.
func TestRealLogs(t *testing.T) {
	t.Parallel()
	logs := shared(t)
	each(t, func(h house) {
		for _, set := range []struct {
			name, pattern       string
			read, skipped, news int
		}{
			{"invictus", "invictus/*", 5373, 0, 5373},
			{"otrf", "otrf/*", 14, 8, 4},
			{"samples", "det-eng-samples/*", 60, 0, 57},
		} {
			paths, err := filepath.Glob(filepath.Join(logs, set.pattern))
			require.NoError(h, err)
			var sources []importer.Source
			for _, p := range paths {
				sources = append(sources, file(p))
			}
			s := h.run(h.tenant(set.name), importer.Options{AcceptForeign: true}, sources...)
			skipped := 0
			for _, n := range s.Skipped {
				skipped += n
			}
			require.Empty(h, s.Refused)
			require.Empty(h, s.Rejections)
			require.Equal(h, []int{set.read, skipped, s.New}, []int{s.Read, set.skipped, set.news})
			var b bytes.Buffer
			require.NoError(h, s.WriteText(&b))
			h.Log(b.String())
			again := h.run(h.tenant(set.name), importer.Options{AcceptForeign: true}, sources...)
			require.Zero(h, again.New+again.Changed+len(again.Opened)+len(again.Joined)+len(again.Findings)+again.Superseded)
		}
	})
}
