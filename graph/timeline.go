package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/graph/cursor"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
)

var timelineOrder = order[model.TimelineEntry]{list: "timeline", kind: cursor.Moment, place: func(e model.TimelineEntry) cursor.Place {
	at, id := e.Place()
	return cursor.Place{Key: at, ID: id}
}}

// eventOrder orders the events of a timeline among themselves, as timelineOrder does.
var eventOrder = order[*model.IncidentEvent]{column: incidentevent.FieldAt, kind: cursor.Moment}

// fetchTimelines reads a page of each incident's timeline: the same page of
// the activities its findings cite and of the events of its life, both in
// order, of which the first of both together are the timeline's.
func (l *loaders) fetchTimelines(ctx context.Context, incidentIDs []string, p page) (map[string][]model.TimelineEntry, error) {
	cited, err := l.cited(ctx, activitylog.Incident, incidentIDs, p)
	if err != nil {
		return nil, err
	}
	events, err := l.fetchEvents(ctx, incidentIDs, p)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]model.TimelineEntry, len(incidentIDs))
	for incidentID, activities := range cited {
		for _, a := range activities {
			out[incidentID] = append(out[incidentID], &model.TimelineEvidence{IncidentID: incidentID, Activity: a})
		}
	}
	for _, e := range events {
		out[e.IncidentID] = append(out[e.IncidentID], e)
	}
	var shown []*model.Activity
	for incidentID, entries := range out {
		slices.SortFunc(entries, func(x, y model.TimelineEntry) int {
			return comparePlaces(timelineOrder.place(x), timelineOrder.place(y))
		})
		out[incidentID] = atMost(p.limit+1, p.backward, entries)
		for _, e := range atMost(p.limit, p.backward, entries) {
			if e, ok := e.(*model.TimelineEvidence); ok {
				l.citations.expect(citationKey(incidentID, e.Activity.ID))
				shown = append(shown, e.Activity)
			}
		}
	}
	l.sawActivities(shown...)
	return out, nil
}

// citationKey names an activity in the timeline of an incident.
func citationKey(incidentID, activityID string) string { return incidentID + " " + activityID }

// fetchCitations reads which findings of an incident cite an activity, the
// oldest first.
func (l *loaders) fetchCitations(ctx context.Context, keys []string) (map[string][]string, error) {
	var incidentIDs, activityIDs []string
	for _, key := range keys {
		incidentID, activityID, _ := strings.Cut(key, " ")
		incidentIDs, activityIDs = append(incidentIDs, incidentID), append(activityIDs, activityID)
	}
	slices.Sort(incidentIDs)
	citations, err := l.cfg.Log.Citations(ctx, slices.Compact(incidentIDs), activityIDs)
	if err != nil {
		return nil, fmt.Errorf("read who cites evidence: %w", err)
	}
	out := make(map[string][]string, len(keys))
	for _, c := range citations {
		key := citationKey(c.IncidentID, c.ActivityID)
		out[key] = append(out[key], c.FindingID)
		l.findings.expect(c.FindingID)
	}
	return out, nil
}

// findingsCiting returns the findings of an incident that cite an activity,
// the oldest first.
func (l *loaders) findingsCiting(ctx context.Context, e *model.TimelineEvidence) ([]*ent.Finding, error) {
	ids, err := l.citations.one(ctx, citationKey(e.IncidentID, e.Activity.ID))
	if err != nil {
		return nil, err
	}
	found, err := l.findings.load(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]*ent.Finding, 0, len(ids))
	for _, id := range ids {
		if f := found[id]; f != nil {
			out = append(out, f)
		}
	}
	return out, nil
}
