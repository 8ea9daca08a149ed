package importer_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/auditentry"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/importer"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// lastAudit is what the audit log says of the last import.
func (h house) lastAudit() *ent.AuditEntry {
	h.Helper()
	e, err := h.db.Client().AuditEntry.Query().Where(auditentry.Action("importActivity")).Order(ent.Desc(auditentry.FieldID)).First(h.ctx)
	require.NoError(h, err)
	return e
}

func (h house) tenantCount() int {
	h.Helper()
	n, err := h.db.Client().Tenant.Query().Count(h.ctx)
	require.NoError(h, err)
	return n
}

func records(from, to int) string {
	var lines strings.Builder
	for i := from; i < to; i++ {
		lines.WriteString(record(fmt.Sprint("r", i), home, "2026-01-01T00:00:00"))
	}
	return lines.String()
}

// Ensure the audit log says how an import ended and what it did, and that an
// import which takes nothing leaves no tenant.
func TestOutcome(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		empty := text("empty.json", "")
		s := h.run(h.tenant("fabrikam"), importer.Options{MicrosoftTenantID: home}, empty, text("foreign.json", record("1", other, "2026-01-01T00:00:00")))
		require.Empty(h, s.TenantID)
		require.Empty(h, s.MicrosoftTenantID)
		require.False(h, s.Bound)
		require.Zero(h, h.tenantCount())
		e := h.lastAudit()
		require.Equal(h, "FAILED", e.Result)
		require.Nil(h, e.TenantID)
		require.Equal(h, `1 read: 0 new, 0 known, 0 changed, 0 skipped, 1 rejected; 2 of 2 files refused; tenant "fabrikam" not made; from empty.json, foreign.json`, e.Detail)
		var told strings.Builder
		require.NoError(h, s.WriteText(&told))
		require.Contains(h, told.String(), "Tenant fabrikam was not made: there was no record to take\n")

		s = h.run(h.tenant("fabrikam"), importer.Options{}, empty, text("a\nb.json", records(0, 3)))
		require.Equal(h, []any{3, true, home}, []any{s.New, s.Bound, s.MicrosoftTenantID})
		require.Equal(h, 1, h.tenantCount())
		e = h.lastAudit()
		require.Equal(h, "PARTIAL", e.Result)
		require.Equal(h, s.TenantID, *e.TenantID)
		require.Equal(h, `3 read: 3 new, 0 known, 0 changed, 0 skipped, 0 rejected; 1 of 2 files refused; from empty.json, a\nb.json`, e.Detail)

		started, err := h.db.Client().AuditEntry.Query().Where(auditentry.Result("STARTED")).Only(h.ctx)
		require.NoError(h, err, "that of the import which took nothing left none")
		require.Equal(h, []any{s.TenantID, `from empty.json, a\nb.json`}, []any{*started.TenantID, started.Detail})

		h.run(h.tenant("fabrikam"), importer.Options{}, text("a.json", records(0, 3)))
		require.Equal(h, "OK", h.lastAudit().Result)
		require.Contains(h, h.lastAudit().Detail, "0 new, 3 known")

		_, err = h.Import(h.ctx, h.tenant("fabrikam"), []importer.Source{text("a.json", records(0, 3))}, importer.Options{MicrosoftTenantID: other})
		require.Equal(h, refusal.Conflict, refusal.From(err).Code)
		require.Equal(h, "CONFLICT", h.lastAudit().Result)
		require.Contains(h, h.lastAudit().Detail, "stopped by: tenant")
	})
}

// Ensure an import that is interrupted says so in the audit log, with what it
// had done, and leaves no tenant where that was nothing.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		interrupted := func(before, after string) importer.Summary {
			ctx, cancel := context.WithCancel(h.ctx)
			defer cancel()
			s, err := h.Import(ctx, h.tenant("fabrikam"), []importer.Source{
				text("whole", before),
				{Name: "cut", Open: func() (io.ReadCloser, error) {
					return io.NopCloser(io.MultiReader(strings.NewReader(after), stopper{cancel}, strings.NewReader(after))), nil
				}},
			}, importer.Options{MicrosoftTenantID: home})
			require.ErrorIs(h, err, context.Canceled)
			require.Equal(h, "INTERRUPTED", h.lastAudit().Result)
			return s
		}
		s := interrupted("", records(0, 100))
		require.Zero(h, s.New)
		require.Zero(h, h.tenantCount())
		require.Nil(h, h.lastAudit().TenantID)

		s = interrupted(records(0, 10), records(10, 20))
		require.GreaterOrEqual(h, s.New, 10)
		require.Equal(h, s.TenantID, *h.lastAudit().TenantID)
		require.Contains(h, h.lastAudit().Detail, fmt.Sprintf("%d new", s.New))
	})
}

// Ensure an import that the database stops is called failed.
func TestFailed(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		tenant := h.tenant("fabrikam")
		tenant.OrganizationID = "organization_of_somebody_else"
		_, err := h.Import(h.ctx, tenant, []importer.Source{text("a", records(0, 1))}, importer.Options{})
		require.Error(h, err)
		require.Equal(h, "FAILED", h.lastAudit().Result)
		require.Zero(h, h.tenantCount())
	})
}

// Ensure imports that start at once into a tenant that is not there yet end in
// one tenant, which has all their records.
func TestFirstImportsAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		const imports, each = 4, 50
		drafts := make([]*ent.Tenant, imports)
		for i := range drafts {
			drafts[i] = h.tenant("fabrikam") // all before the first is stored
		}
		errs := make([]error, imports)
		summaries := make([]importer.Summary, imports)
		var wait sync.WaitGroup
		for i := range imports {
			wait.Go(func() {
				summaries[i], errs[i] = h.Import(h.ctx, drafts[i], []importer.Source{text("a", records(i*each, (i+1)*each))}, importer.Options{})
			})
		}
		wait.Wait()
		bound := 0
		for i, s := range summaries {
			require.NoError(h, errs[i])
			require.Equal(h, each, s.New)
			require.Equal(h, summaries[0].TenantID, s.TenantID)
			if s.Bound {
				bound++
			}
		}
		require.Equal(h, 1, bound)
		require.Equal(h, 1, h.tenantCount())
		again := h.run(h.tenant("fabrikam"), importer.Options{}, text("a", records(0, imports*each)))
		require.Equal(h, imports*each, again.Known)
	})
}

// Ensure copies of one directory's logs can be taken into a second tenant.
func TestForeignStaysUnbound(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		lines := text("a", records(0, 2))
		h.run(h.tenant("fabrikam"), importer.Options{}, lines)
		_, err := h.Import(h.ctx, h.tenant("copy"), []importer.Source{lines}, importer.Options{})
		require.ErrorContains(h, err, `belongs to the tenant "fabrikam"`)
		require.ErrorContains(h, err, "--accept-foreign")
		require.Equal(h, 1, h.tenantCount())
		for _, news := range []int{2, 0} {
			s := h.run(h.tenant("copy"), importer.Options{AcceptForeign: true}, lines)
			require.Equal(h, []any{news, false, ""}, []any{s.New, s.Bound, s.MicrosoftTenantID})
			require.Contains(h, s.Unbound, `belongs to the tenant "fabrikam"`)
		}
	})
}

// Ensure records that retention dropped and that are imported again change
// nothing that detection has made of them.
func TestDroppedRecordsCountOnce(t *testing.T) {
	t.Parallel()
	each(t, func(h house) {
		var lines strings.Builder
		for i := range 30 {
			fmt.Fprintf(&lines, `{"CreationTime":"2025-01-01T00:%02d:00","Id":"f%d","Operation":"UserLoginFailed","OrganizationId":"%s","RecordType":15,`+
				`"ErrorNumber":"50126","UserKey":"k","UserType":0,"Version":1,"Workload":"AzureActiveDirectory","UserId":"user%d@fabrikam.example","ClientIP":"198.51.100.7"}`+"\n", i, i, home, i%15)
		}
		logs := text("failed.json", lines.String())
		h.run(h.tenant("fabrikam"), importer.Options{}, logs)
		before := databasetest.Take(h, h.db)
		require.NotEmpty(h, before.FailedAttacks)

		dropped, err := h.log.Prune(h.ctx, now.Add(time.Hour), 7)
		require.NoError(h, err)
		require.NotZero(h, dropped)
		require.Len(h, databasetest.Take(h, h.db).Activities, len(before.Activities)-dropped)
		s := h.run(h.tenant("fabrikam"), importer.Options{}, logs)
		require.Equal(h, []int{0, 30}, []int{s.New, s.Known})
		require.Empty(h, cmp.Diff(before, databasetest.Take(h, h.db)))
	})
}
