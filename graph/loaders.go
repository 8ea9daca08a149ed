package graph

import (
	"context"
	"fmt"
	"sync"

	"entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/graph/model"
)

// loaders are the loaders of one operation.
type loaders struct {
	cfg Config

	tenants       *loader[*ent.Tenant]
	accounts      *loader[*ent.Account]
	incidents     *loader[*ent.Incident]
	findings      *loader[*ent.Finding]
	events        *loader[*model.IncidentEvent]
	activities    *loader[*model.Activity]
	timelines     *loader[[]model.TimelineEntry] // by incident
	findingCounts *loader[int]                   // by incident

	mu sync.Mutex
	// findingPages are the pages of incidents' findings, by paging arguments
	// and then by incident; known are the incidents they have to expect.
	findingPages map[string]*loader[[]*ent.Finding]
	known        []string
}

func newLoaders(cfg Config) *loaders {
	l := &loaders{cfg: cfg, findingPages: map[string]*loader[[]*ent.Finding]{}}
	client := cfg.DB.Client()
	l.tenants = newLoader(func(ctx context.Context, ids []string) (map[string]*ent.Tenant, error) {
		list, err := client.Tenant.Query().Where(tenant.IDIn(ids...)).All(ctx)
		return byID("tenants", list, err, func(t *ent.Tenant) string { return t.ID }, nil)
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
	l.timelines = newLoader(l.fetchTimelines)
	l.findingCounts = newLoader(l.countFindings)
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
		l.timelines.expect(i.ID)
		l.findingCounts.expect(i.ID)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range list {
		l.known = append(l.known, i.ID)
		for _, pages := range l.findingPages {
			pages.expect(i.ID)
		}
	}
}

func (l *loaders) sawFindings(list ...*ent.Finding) {
	for _, f := range list {
		l.tenants.expect(f.TenantID)
		l.accounts.expect(value(f.AccountID))
		l.incidents.expect(value(f.IncidentID))
		l.activities.expect(f.Evidence...)
	}
}

func (l *loaders) sawActivities(list ...*model.Activity) {
	for _, a := range list {
		l.tenants.expect(a.TenantID)
		l.accounts.expect(a.AccountID)
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
	for id, a := range found {
		out[id] = &model.Activity{Activity: a}
		l.sawActivities(out[id])
	}
	return out, nil
}

// findingsPage is the loader of one page of findings, by incident.
func (l *loaders) findingsPage(a pageArguments, p page) *loader[[]*ent.Finding] {
	l.mu.Lock()
	defer l.mu.Unlock()
	pages := l.findingPages[a.String()]
	if pages == nil {
		pages = newLoader(func(ctx context.Context, ids []string) (map[string][]*ent.Finding, error) {
			return l.fetchFindings(ctx, ids, p)
		})
		pages.expect(l.known...)
		l.findingPages[a.String()] = pages
	}
	return pages
}

// fetchFindings reads the same page of each incident's findings, with the one
// beyond, in one statement.
func (l *loaders) fetchFindings(ctx context.Context, incidentIDs []string, p page) (map[string][]*ent.Finding, error) {
	list, err := l.cfg.DB.Client().Finding.Query().
		Where(finding.IncidentIDIn(incidentIDs...), firstOfEach(incidentIDs, p)).
		Order(findingOrder.by(page{})).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read findings of incidents: %w", err)
	}
	l.sawFindings(list...)
	return findingsByIncident(list), nil
}

// firstOfEach narrows a query of findings to a page of each incident's.
func firstOfEach(incidentIDs []string, p page) func(*sql.Selector) {
	return func(s *sql.Selector) {
		t := sql.Table(finding.Table)
		inner := sql.Dialect(s.Dialect()).Select(t.C(finding.FieldID)).From(t).
			Where(sql.In(t.C(finding.FieldIncidentID), anys(incidentIDs)...))
		findingOrder.between(p)(inner)
		direction := " ASC"
		if p.backward {
			direction = " DESC"
		}
		ranked := inner.AppendSelectExprAs(sql.RowNumber().PartitionBy(t.C(finding.FieldIncidentID)).
			OrderExpr(sql.Expr(t.C(finding.FieldOccurredAt)+direction), sql.Expr(t.C(finding.FieldID)+direction)), "place").As("ranked")
		s.Where(sql.In(s.C(finding.FieldID), sql.Dialect(s.Dialect()).Select(ranked.C(finding.FieldID)).From(ranked).
			Where(sql.LTE(ranked.C("place"), p.limit+1))))
	}
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func findingsByIncident(list []*ent.Finding) map[string][]*ent.Finding {
	out := map[string][]*ent.Finding{}
	for _, f := range list {
		if f.IncidentID != nil {
			out[*f.IncidentID] = append(out[*f.IncidentID], f)
		}
	}
	return out
}

func (l *loaders) countFindings(ctx context.Context, incidentIDs []string) (map[string]int, error) {
	var rows []struct {
		IncidentID string `sql:"incident_id"`
		Count      int    `sql:"count"`
	}
	err := l.cfg.DB.Client().Finding.Query().Where(finding.IncidentIDIn(incidentIDs...)).
		GroupBy(finding.FieldIncidentID).Aggregate(ent.Count()).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("count findings of incidents: %w", err)
	}
	out := map[string]int{}
	for _, r := range rows {
		out[r.IncidentID] = r.Count
	}
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
	return next(context.WithValue(ctx, loadersKey{}, newLoaders(cfg)))
}

// withFreshLoaders keeps each mutation of an operation from reading what was
// true before the one ahead of it.
func (cfg Config) withFreshLoaders(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		ctx = context.WithValue(ctx, loadersKey{}, newLoaders(cfg))
	}
	return next(ctx)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
