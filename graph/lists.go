package graph

import (
	"context"
	"fmt"
	"sync"

	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
)

// pageLoaders load pages of a list that objects of one kind have, such as
// incidents their findings: for each paging arguments asked for, the same page
// of all these objects in one go.
type pageLoaders[V any] struct {
	// fetch reads the same page of each owner's list, with the one item beyond
	// it, in list order.
	fetch func(ctx context.Context, owners []string, p page) (map[string][]V, error)

	mu    sync.Mutex
	by    map[string]*loader[[]V] // by paging arguments
	known []string                // owners whose pages may be asked for
}

func newPageLoaders[V any](fetch func(context.Context, []string, page) (map[string][]V, error)) *pageLoaders[V] {
	return &pageLoaders[V]{fetch: fetch, by: map[string]*loader[[]V]{}}
}

// expect says that pages of these owners may be loaded soon.
func (l *pageLoaders[V]) expect(owners ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = append(l.known, owners...)
	for _, pages := range l.by {
		pages.expect(owners...)
	}
}

// loader loads the page that the arguments name, by owner.
func (l *pageLoaders[V]) loader(a pageArguments, p page) *loader[[]V] {
	l.mu.Lock()
	defer l.mu.Unlock()
	pages := l.by[a.String()]
	if pages == nil {
		pages = newLoader(func(ctx context.Context, owners []string) (map[string][]V, error) { return l.fetch(ctx, owners, p) })
		pages.expect(l.known...)
		l.by[a.String()] = pages
	}
	return pages
}

// ofOwner returns a page of an owner's list as a connection.
func ofOwner[V any](
	ctx context.Context, o order[V], pages *pageLoaders[V], counts *loader[int], owner string, a pageArguments,
) (*model.Connection[V], error) {
	p, err := o.page(a)
	if err != nil {
		return nil, err
	}
	list, err := pages.loader(a, p).one(ctx, owner)
	if err != nil {
		return nil, err
	}
	return o.connect(p, list, func(ctx context.Context) (int, error) { return counts.one(ctx, owner) }), nil
}

func (l *loaders) fetchFindings(ctx context.Context, incidentIDs []string, p page) (map[string][]*ent.Finding, error) {
	list, err := l.cfg.DB.Client().Finding.Query().
		Where(finding.IncidentIDIn(incidentIDs...), findingOrder.firstOfEach(finding.Table, finding.FieldIncidentID, incidentIDs, p)).
		Order(findingOrder.by(page{})).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read findings of incidents: %w", err)
	}
	l.sawFindings(list...)
	out := map[string][]*ent.Finding{}
	for _, f := range list {
		out[*f.IncidentID] = append(out[*f.IncidentID], f)
	}
	return out, nil
}

// fetchEvents reads the same page of each incident's events, in no order.
func (l *loaders) fetchEvents(ctx context.Context, incidentIDs []string, p page) ([]*model.IncidentEvent, error) {
	list, err := l.cfg.DB.Client().IncidentEvent.Query().
		Where(incidentevent.IncidentIDIn(incidentIDs...), eventOrder.firstOfEach(incidentevent.Table, incidentevent.FieldIncidentID, incidentIDs, p)).
		All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events of incidents: %w", err)
	}
	return l.eventViews(list), nil
}

func (l *loaders) fetchEvidence(ctx context.Context, findingIDs []string, p page) (map[string][]*model.Activity, error) {
	out, err := l.cited(ctx, activitylog.Finding, findingIDs, p)
	var shown []*model.Activity
	for _, list := range out {
		shown = append(shown, atMost(p.limit, p.backward, list)...)
	}
	l.sawActivities(shown...)
	return out, err
}

// cited returns the same page of what each citer cites, with the one beyond.
func (l *loaders) cited(ctx context.Context, by activitylog.Citer, ids []string, p page) (map[string][]*model.Activity, error) {
	found, err := l.cfg.Log.Cited(ctx, by, ids, activitylog.Page{
		Limit: p.limit + 1, FromEnd: p.backward, Start: inLog(p.after), End: inLog(p.before),
	})
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	out := make(map[string][]*model.Activity, len(found))
	for id, list := range found {
		for _, e := range list {
			out[id] = append(out[id], view(e))
		}
	}
	return out, nil
}

// firstOfEach narrows a query of what owners have to the same page of each
// owner's, with the one beyond.
func (o order[T]) firstOfEach(table, owner string, owners []string, p page) func(*sql.Selector) {
	return func(s *sql.Selector) {
		t := sql.Table(table)
		inner := sql.Dialect(s.Dialect()).Select(t.C("id")).From(t).Where(sql.In(t.C(owner), anys(owners)...))
		o.between(p)(inner)
		direction := " ASC"
		if p.backward {
			direction = " DESC"
		}
		ranked := inner.AppendSelectExprAs(sql.RowNumber().PartitionBy(t.C(owner)).
			OrderExpr(sql.Expr(t.C(o.column)+direction), sql.Expr(t.C("id")+direction)), "place").As("ranked")
		s.Where(sql.In(s.C("id"), sql.Dialect(s.Dialect()).Select(ranked.C("id")).From(ranked).
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

func (l *loaders) countFindings(ctx context.Context, incidentIDs []string) (map[string]int, error) {
	var rows []owned
	err := l.cfg.DB.Client().Finding.Query().Where(finding.IncidentIDIn(incidentIDs...)).
		GroupBy(finding.FieldIncidentID).Aggregate(ent.Count()).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("count findings of incidents: %w", err)
	}
	return counted(rows), nil
}

func (l *loaders) countTimelines(ctx context.Context, incidentIDs []string) (map[string]int, error) {
	var rows []owned
	err := l.cfg.DB.Client().IncidentEvent.Query().Where(incidentevent.IncidentIDIn(incidentIDs...)).
		GroupBy(incidentevent.FieldIncidentID).Aggregate(ent.Count()).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("count events of incidents: %w", err)
	}
	out, err := l.cfg.Log.CountCited(ctx, activitylog.Incident, incidentIDs)
	if err != nil {
		return nil, fmt.Errorf("count evidence of incidents: %w", err)
	}
	for id, n := range counted(rows) {
		out[id] += n
	}
	return out, nil
}

// owned is how many of something an incident has.
type owned struct {
	IncidentID string `sql:"incident_id"`
	Count      int    `sql:"count"`
}

func counted(rows []owned) map[string]int {
	out := make(map[string]int, len(rows))
	for _, r := range rows {
		out[r.IncidentID] = r.Count
	}
	return out
}
