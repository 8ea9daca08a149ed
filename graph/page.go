package graph

import (
	"context"
	"fmt"

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
		return o.connect(p, nil, func(context.Context) (int, error) { return 0, nil }), nil
	}
	found, err := r.Log.Search(ctx, f, activitylog.Page{
		Limit: p.limit + 1, Ascending: !o.descending, FromEnd: p.backward, Start: inLog(p.after), End: inLog(p.before),
	})
	if err != nil {
		return nil, fmt.Errorf("search activities: %w", err)
	}
	list := make([]*model.Activity, len(found))
	for i, e := range found {
		list[i] = view(e)
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
