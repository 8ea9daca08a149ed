package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/graph/cursor"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
)

// activities returns a page of the activity log.
func (r *Resolver) activities(
	ctx context.Context, filter model.ActivityFilter, tenantIDs []string, by *model.ActivityOrder, a pageArguments,
) (*model.Connection[*model.Activity], error) {
	f, nothing, err := activityFilter(filter, tenantIDs)
	if err != nil {
		return nil, err
	}
	o := activityOrder(value(by))
	p, err := o.page(a)
	if err != nil {
		return nil, err
	}
	if nothing {
		return o.connect(p, nil, counted(0)), nil
	}
	found, err := r.Log.Search(ctx, f, activitylog.Page{
		Limit: p.limit + 1, Ascending: !o.descending, FromEnd: p.backward, Start: inLog(p.after), End: inLog(p.before),
	})
	if err != nil {
		return nil, fmt.Errorf("search activities: %w", err)
	}
	list := make([]*model.Activity, len(found))
	for i, a := range found {
		list[i] = &model.Activity{Activity: a}
	}
	c := o.connect(p, list, func(ctx context.Context) (int, error) { return r.Log.Count(ctx, f) })
	loadersOf(ctx).sawActivities(c.Nodes()...)
	return c, nil
}

// inLog is a place as the activity log takes it.
func inLog(p *cursor.Place) *activitylog.Position {
	if p == nil {
		return nil
	}
	return &activitylog.Position{OccurredAt: p.Moment(), ID: p.ID}
}

func counted(n int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return n, nil }
}

// findingsOf returns a page of an incident's findings.
func (l *loaders) findingsOf(ctx context.Context, incidentID string, a pageArguments) (*model.Connection[*ent.Finding], error) {
	p, err := findingOrder.page(a)
	if err != nil {
		return nil, err
	}
	list, err := l.findingsPage(a, p).one(ctx, incidentID)
	if err != nil {
		return nil, err
	}
	return findingOrder.connect(p, list, func(ctx context.Context) (int, error) { return l.findingCounts.one(ctx, incidentID) }), nil
}

// timelineOf returns a page of an incident's timeline.
func (l *loaders) timelineOf(ctx context.Context, incidentID string, a pageArguments) (*model.Connection[model.TimelineEntry], error) {
	p, err := timelineOrder.page(a)
	if err != nil {
		return nil, err
	}
	list, err := l.timelines.one(ctx, incidentID)
	if err != nil {
		return nil, err
	}
	return timelineOrder.connect(p, timelineOrder.listed(list, p), counted(len(list))), nil
}

// evidence returns a page of the activities a finding cites, 50 at the most.
func (l *loaders) evidence(ctx context.Context, f *ent.Finding, a pageArguments) (*model.Connection[*model.Activity], error) {
	p, err := evidenceOrder.page(a)
	if err != nil {
		return nil, err
	}
	found, err := l.activities.load(ctx, f.Evidence...)
	if err != nil {
		return nil, err
	}
	list := make([]*model.Activity, 0, len(found))
	for _, a := range found {
		list = append(list, a)
	}
	slices.SortFunc(list, func(x, y *model.Activity) int { return comparePlaces(placeOfActivity(x), placeOfActivity(y)) })
	return evidenceOrder.connect(p, evidenceOrder.listed(list, p), counted(len(list))), nil
}
