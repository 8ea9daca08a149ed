// Package collect connects tenants to Microsoft 365 and keeps reading what
// happens in them: sign-ins, directory audits, the unified audit log, and the
// directory's accounts. Each source of a tenant is a row (collector) that package
// work claims when it is due; what was read, what follows from it and how far the
// source has been read commit together.
//
// What may not live here: Microsoft's APIs (integrations/microsoft365), what a
// record means (activity, detect), what its storing leads to (intake).
package collect

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/collector"
	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/intake"
	"github.com/cairn-itdr/cairn/internal/work"
)

// Intake takes records in.
type Intake interface {
	Prepare(t *ent.Tenant, a *activity.Activity)
	Take(ctx context.Context, t *ent.Tenant, batch []*activity.Activity, with ...intake.With) (intake.Result, error)
}

// Config is what collecting needs of the rest.
type Config struct {
	DB   *database.DB
	Work *work.Runner
	Feed *change.Feed
	// Intake is made when it is first needed: the address tables take a while.
	Intake func() (Intake, error)
	// Detection is the application that tenants consent to in order to be
	// watched, Response the one they let act; nil where none is registered.
	Detection, Response *microsoft365.App
	// Link makes the address of a page of Cairn's from its path.
	Link   func(path string) string
	Pace   Pace
	Now    func() time.Time
	Logger *slog.Logger
}

// Pace is how often things are asked for and how long they take.
type Pace struct {
	// Poll is how often each source is read.
	Poll time.Duration
	// Overlap is how far a reading of a log that fills late reaches back.
	Overlap time.Duration
	// Window is how much of the past is read in one step.
	Window time.Duration
	// Baseline is how long a tenant's life is learned before it counts as known,
	// where its past does not reach that far.
	Baseline time.Duration
	// Lease, Retry and RetryMost are the work's.
	Lease, Retry, RetryMost time.Duration
}

// StandardPace is for the real Microsoft 365.
var StandardPace = Pace{
	Poll: time.Minute, Overlap: 45 * time.Minute, Window: 6 * time.Hour, Baseline: 72 * time.Hour,
	Lease: time.Minute, Retry: 10 * time.Second, RetryMost: 30 * time.Minute,
}

// Service connects tenants and reads them.
type Service struct{ Config }

// New returns the service. Register has its work done.
func New(cfg Config) *Service { return &Service{cfg} }

const (
	// Queue is the work on collectors; the duty's name as well.
	Queue      = "collecting"
	collectors = "collectors"
	workers    = 8
	// tenantLimit keeps one busy tenant from starving the others.
	tenantLimit   = "collected tenant"
	tenantSources = 2
)

// Register has the work runner read the sources that are due.
func (s *Service) Register() {
	s.Work.Register(work.Queue{
		Name: Queue, Table: collectors, Newest: "created_at", Workers: workers,
		Limits:  []work.Limit{{Name: tenantLimit, Column: "tenant_id", Parallel: tenantSources}},
		WokenBy: []string{string(change.Tenant)},
		Lease:   s.Pace.Lease, Retry: s.Pace.Retry, RetryMost: s.Pace.RetryMost, Run: s.run,
	})
}

// sources are what is read of a tenant, in the order of their use to detection.
var sources = []collector.Source{
	collector.SourceDirectory, collector.SourceSignIns, collector.SourceNonInteractiveSignIns, collector.SourceDirectoryAudits,
	collector.SourceAuditEntra, collector.SourceAuditExchange, collector.SourceAuditSharePoint, collector.SourceAuditGeneral,
}

// contentOf is the content type of a source of the unified audit log.
var contentOf = map[collector.Source]microsoft365.ContentType{
	collector.SourceAuditEntra:      microsoft365.ContentEntra,
	collector.SourceAuditExchange:   microsoft365.ContentExchange,
	collector.SourceAuditSharePoint: microsoft365.ContentSharePoint,
	collector.SourceAuditGeneral:    microsoft365.ContentGeneral,
}

// reading is one run of a collector.
type reading struct {
	*Service

	claim     *work.Claim
	row       *ent.Collector
	tenant    *ent.Tenant
	directory *microsoft365.Tenant
	premium   bool
	intake    Intake
}

func (s *Service) run(ctx context.Context, c *work.Claim) work.Outcome {
	r, err := s.begin(ctx, c)
	if err != nil {
		return work.Outcome{Err: err}
	}
	if r == nil {
		return work.Outcome{} // disconnected or paused: nothing wakes it but being connected again
	}
	err = r.read(ctx)
	switch {
	case err == nil:
		return work.Outcome{Again: s.Now().Add(s.Pace.Poll), Record: r.succeeded}
	case ctx.Err() != nil:
		return work.Outcome{Err: err}
	}
	return r.failed(err)
}

// begin reads what a run needs; nil where the tenant is not to be read now.
func (s *Service) begin(ctx context.Context, c *work.Claim) (*reading, error) {
	row, err := s.DB.Client().Collector.Query().Where(collector.ID(c.ID)).WithTenant().Only(ctx)
	if err != nil {
		return nil, fmt.Errorf("read collector %s: %w", c.ID, err)
	}
	t := row.Edges.Tenant
	connection, err := s.connection(ctx, t.ID)
	if err != nil || connection == nil || !watched(t) || s.Detection == nil {
		return nil, err
	}
	directory, err := s.Detection.Tenant(connection.Directory)
	if err != nil {
		return nil, err
	}
	in, err := s.Intake()
	if err != nil {
		return nil, err
	}
	return &reading{
		Service: s, claim: c, row: row, tenant: t, directory: directory, intake: in,
		premium: connection.Premium == nil || *connection.Premium,
	}, nil
}

func (r *reading) read(ctx context.Context) error {
	switch r.row.Source {
	case collector.SourceDirectory:
		return r.readDirectory(ctx)
	case collector.SourceSignIns, collector.SourceNonInteractiveSignIns, collector.SourceDirectoryAudits:
		return r.readLog(ctx)
	case collector.SourceAuditEntra, collector.SourceAuditExchange, collector.SourceAuditSharePoint, collector.SourceAuditGeneral:
		return r.readContent(ctx)
	}
	return fmt.Errorf("no way to read %s", r.row.Source)
}

// succeeded notes that nothing keeps the source any more.
func (r *reading) succeeded(ctx context.Context, tx *database.Tx, _ work.Settled) error {
	now := r.Now()
	update := tx.Client.Collector.UpdateOneID(r.row.ID).SetLastSuccessAt(now).SetLastError("").SetLastErrorReason("").ClearFailingSince().ClearLastErrorAt()
	first := r.row.CaughtUpAt == nil
	if first {
		update.SetCaughtUpAt(now)
	}
	if err := update.Exec(ctx); err != nil {
		return fmt.Errorf("note the reading of %s: %w", r.row.Source, err)
	}
	return r.advance(ctx, tx)
}

// Some failures do not end by trying again soon: somebody has to act, in the
// tenant or at Microsoft.
var patience = map[microsoft365.Reason]time.Duration{
	microsoft365.ReasonNotPremium:  time.Hour,
	microsoft365.ReasonAuditLogOff: 15 * time.Minute,
	microsoft365.ReasonConsent:     5 * time.Minute,
	microsoft365.ReasonPermission:  5 * time.Minute,
	microsoft365.ReasonCredentials: 5 * time.Minute,
}

// failed notes what keeps the source, and tries again when that may help.
func (r *reading) failed(err error) work.Outcome {
	_, after, reason := microsoft365.Retry(err)
	out := work.Outcome{Err: err, After: after}
	if wait, ok := patience[reason]; ok {
		r.directory.DropTokens() // what was granted meanwhile shows in a new one
		out.After = max(after, wait)
	}
	out.Record = func(ctx context.Context, tx *database.Tx, _ work.Settled) error {
		now := r.Now()
		update := tx.Client.Collector.UpdateOneID(r.row.ID).SetLastError(err.Error()).SetLastErrorReason(string(reason)).SetLastErrorAt(now)
		if r.row.FailingSince == nil {
			update.SetFailingSince(now)
			r.Feed.Note(tx, change.Change{OrganizationID: r.tenant.OrganizationID, TenantID: r.tenant.ID, What: change.Tenant, ObjectID: r.tenant.ID})
		}
		if err := update.Exec(ctx); err != nil {
			return fmt.Errorf("note why %s can't be read: %w", r.row.Source, err)
		}
		if reason == microsoft365.ReasonNotPremium {
			return r.withoutPremium(ctx, tx)
		}
		return nil
	}
	return out
}
