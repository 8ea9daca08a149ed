package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/graph/cursor"
	"github.com/cairn-itdr/cairn/graph/model"
)

var timelineOrder = order[model.TimelineEntry]{list: "timeline", kind: cursor.Moment, place: func(e model.TimelineEntry) cursor.Place {
	at, id := e.Place()
	return cursor.Place{Key: at, ID: id}
}}

// fetchTimelines reads the whole timelines of incidents: evidence is ordered
// by the time of the activities, which their findings don't hold. A finding
// cites 50 activities at the most, so a timeline stays small.
func (l *loaders) fetchTimelines(ctx context.Context, incidentIDs []string) (map[string][]model.TimelineEntry, error) {
	client := l.cfg.DB.Client()
	findings, err := client.Finding.Query().Where(finding.IncidentIDIn(incidentIDs...)).Order(findingOrder.by(page{})).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read findings of timelines: %w", err)
	}
	events, err := client.IncidentEvent.Query().Where(incidentevent.IncidentIDIn(incidentIDs...)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events of timelines: %w", err)
	}
	l.sawFindings(findings...)
	var cited []string
	for _, f := range findings {
		cited = append(cited, f.Evidence...)
	}
	activities, err := l.activities.load(ctx, cited...)
	if err != nil {
		return nil, err
	}

	out := make(map[string][]model.TimelineEntry, len(incidentIDs))
	for incidentID, list := range findingsByIncident(findings) {
		out[incidentID] = evidence(list, activities)
	}
	for _, e := range l.eventViews(events) {
		out[e.IncidentID] = append(out[e.IncidentID], e)
	}
	for _, entries := range out {
		slices.SortFunc(entries, func(x, y model.TimelineEntry) int {
			return comparePlaces(timelineOrder.place(x), timelineOrder.place(y))
		})
	}
	return out, nil
}

// evidence returns an entry for each activity cited, with who cites it.
func evidence(findings []*ent.Finding, activities map[string]*model.Activity) (out []model.TimelineEntry) {
	entries := map[string]*model.TimelineEvidence{}
	for _, f := range findings {
		for _, id := range f.Evidence {
			e := entries[id]
			if e == nil {
				a := activities[id]
				if a == nil {
					continue
				}
				e = &model.TimelineEvidence{Activity: a}
				entries[id] = e
				out = append(out, e)
			}
			e.Findings = append(e.Findings, f)
		}
	}
	return out
}
