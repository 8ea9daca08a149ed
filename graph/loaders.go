package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
)

// loaders are the loaders of one operation.
type loaders struct {
	cfg  Config
	raws *rawShare

	tenants    *loader[*ent.Tenant]
	accounts   *loader[*ent.Account]
	incidents  *loader[*ent.Incident]
	findings   *loader[*ent.Finding]
	events     *loader[*model.IncidentEvent]
	activities *loader[*model.Activity]
	citations  *loader[[]string] // ids of findings, by citationKey

	psaConnections    *loader[*ent.PSAConnection]
	mappings          *loader[[]*ent.CompanyMapping] // by connection
	tickets           *loader[*ent.Ticket]
	ticketsOf         *loader[[]*ent.Ticket] // by incident
	ticketEventPages  *pageLoaders[*ent.TicketEvent]
	ticketEventCounts *loader[int]

	connections *loader[*ent.MicrosoftConnection] // by tenant
	collectors  *loader[[]*ent.Collector]         // by tenant

	members     *loader[*ent.Member]
	invitations *loader[*ent.Invitation]
	apiKeys     *loader[*ent.APIKey]
	audits      *loader[*model.AuditEntry]
	assignments *loader[[]string] // ids of tenants, by holder

	// Lists that objects have.
	findingPages   *pageLoaders[*ent.Finding]        // by incident
	timelinePages  *pageLoaders[model.TimelineEntry] // by incident
	evidencePages  *pageLoaders[*model.Activity]     // by finding
	findingCounts  *loader[int]
	timelineCounts *loader[int]
	evidenceCounts *loader[int]
}

func newLoaders(cfg Config, raws *rawShare) *loaders {
	l := &loaders{cfg: cfg, raws: raws}
	client := cfg.DB.Client()
	l.tenants = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.Tenant, error) {
		list, err := client.Tenant.Query().Where(tenant.IDIn(ids...)).All(ctx)
		return byID("tenants", list, err, func(t *ent.Tenant) string { return t.ID }, l.sawTenants)
	})
	l.accounts = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.Account, error) {
		list, err := client.Account.Query().Where(account.IDIn(ids...)).All(ctx)
		return byID("accounts", list, err, func(a *ent.Account) string { return a.ID }, l.sawAccounts)
	})
	l.incidents = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.Incident, error) {
		list, err := client.Incident.Query().Where(incident.IDIn(ids...)).All(ctx)
		return byID("incidents", list, err, func(i *ent.Incident) string { return i.ID }, l.sawIncidents)
	})
	l.findings = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.Finding, error) {
		list, err := client.Finding.Query().Where(finding.IDIn(ids...)).All(ctx)
		return byID("findings", list, err, func(f *ent.Finding) string { return f.ID }, l.sawFindings)
	})
	l.events = newLoader(func(ctx context.Context, ids []string) (map[string]*model.IncidentEvent, error) {
		list, err := client.IncidentEvent.Query().Where(incidentevent.IDIn(ids...)).All(ctx)
		return byID("incident events", l.eventViews(list), err, func(e *model.IncidentEvent) string { return e.ID }, nil)
	})
	l.activities = newLoader(l.fetchActivities)
	l.peopleLoaders(client)
	l.deskLoaders(client)
	l.watchLoaders(client)
	l.citations = newLoader(l.fetchCitations)
	l.findingPages = newPageLoaders(l.fetchFindings)
	l.timelinePages = newPageLoaders(l.fetchTimelines)
	l.evidencePages = newPageLoaders(l.fetchEvidence)
	l.findingCounts = newLoader(l.countFindings)
	l.timelineCounts = newLoader(l.countTimelines)
	l.evidenceCounts = newLoader(func(ctx context.Context, ids []string) (map[string]int, error) {
		return cfg.Log.CountCited(ctx, activitylog.Finding, ids)
	})
	return l
}

// byID makes a map of a list just read, and lets saw note where it leads.
func byID[T any](what string, list []T, err error, id func(T) string, saw func(...T)) (map[string]T, error) {
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if saw != nil {
		saw(list...)
	}
	out := make(map[string]T, len(list))
	for _, v := range list {
		out[id(v)] = v
	}
	return out, nil
}

// The saw functions note what objects just read lead to.

func (l *loaders) sawAccounts(list ...*ent.Account) {
	for _, a := range list {
		l.tenants.expect(a.TenantID)
	}
}

func (l *loaders) sawIncidents(list ...*ent.Incident) {
	for _, i := range list {
		l.tenants.expect(i.TenantID)
		l.accounts.expect(value(i.AccountID))
		l.incidents.expect(value(i.PreviousID), value(i.MergedIntoID))
		l.findingPages.expect(i.ID)
		l.findingCounts.expect(i.ID)
		l.timelinePages.expect(i.ID)
		l.timelineCounts.expect(i.ID)
		l.ticketsOf.expect(i.ID)
	}
}

func (l *loaders) sawFindings(list ...*ent.Finding) {
	for _, f := range list {
		l.tenants.expect(f.TenantID)
		l.accounts.expect(value(f.AccountID))
		l.incidents.expect(value(f.IncidentID))
		l.evidencePages.expect(f.ID)
		l.evidenceCounts.expect(f.ID)
	}
}

func (l *loaders) eventViews(list []*ent.IncidentEvent) []*model.IncidentEvent {
	out := make([]*model.IncidentEvent, len(list))
	for i, e := range list {
		out[i] = &model.IncidentEvent{IncidentEvent: e}
		l.incidents.expect(e.IncidentID)
		l.findings.expect(value(e.FindingID))
	}
	return out
}

func (l *loaders) fetchActivities(ctx context.Context, ids []string) (map[string]*model.Activity, error) {
	found, err := l.cfg.Log.Get(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read activities: %w", err)
	}
	out := make(map[string]*model.Activity, len(found))
	for id, e := range found {
		out[id] = view(e)
	}
	l.sawActivities(slices.Collect(maps.Values(out))...)
	return out, nil
}

type loadersKey struct{}

func loadersOf(ctx context.Context) *loaders {
	l, ok := ctx.Value(loadersKey{}).(*loaders)
	if !ok {
		panic("graph: no loaders in context") // every operation has them
	}
	return l
}

// withLoaders gives an operation its loaders.
func (cfg Config) withLoaders(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	return next(context.WithValue(ctx, loadersKey{}, newLoaders(cfg, rawShareOf(ctx))))
}

// withFreshLoaders keeps each mutation of an operation from reading what was
// true before the one ahead of it.
func (cfg Config) withFreshLoaders(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		ctx = context.WithValue(ctx, loadersKey{}, newLoaders(cfg, rawShareOf(ctx)))
	}
	return next(ctx)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
