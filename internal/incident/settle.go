package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
)

// settle makes the rows of incidents follow their findings, and notes what
// happened to each: first to its findings, then to itself.
func (g *grouping) settle() {
	slices.SortFunc(g.drafts, func(x, y *draft) int { return cmp.Compare(x.Number, y.Number) })
	for _, d := range g.drafts {
		if d.was == nil {
			g.begin(d)
		}
	}
	for _, c := range g.claims {
		g.follow(c)
	}
	for _, d := range g.drafts {
		switch {
		case len(d.members) > 0:
			g.refresh(d)
		case d.Status == incident.StatusOpen || d.Status == incident.StatusContained:
			g.end(d)
		}
	}
}

func (g *grouping) begin(d *draft) {
	d.step(step{kind: incidentevent.KindOpened, text: fmt.Sprintf("Incident #%d opened.", d.Number)})
	g.result.Opened = append(g.result.Opened, d.ID)
	if e := d.follows; e != nil {
		d.step(step{kind: incidentevent.KindLinked, text: fmt.Sprintf("It follows incident #%d, which had ended.", e.Number), related: e})
		e.step(step{kind: incidentevent.KindLinked, text: fmt.Sprintf("Incident #%d follows this one.", d.Number), related: d})
	}
}

// follow notes what became of a finding, on the incident it was in and on the
// one it is in.
func (g *grouping) follow(c *claim) {
	if !c.changed {
		return
	}
	var from, to *draft
	held := c.was != nil && c.was.SupersededAt == nil
	if c.was != nil {
		from = g.byID[deref(c.was.IncidentID)]
	}
	to = g.byID[deref(c.IncidentID)]
	tell := func(d *draft, kind incidentevent.Kind, text string, related *draft) {
		d.step(step{kind: kind, text: text, finding: &c.ID, related: related})
	}
	switch {
	case c.SupersededAt != nil:
		if to != nil {
			tell(to, incidentevent.KindFindingSuperseded, c.Explanation, nil)
		}
		return
	case to == nil:
		if from != nil {
			from.onlyWeak = true
			tell(from, incidentevent.KindFindingMoved, "Nothing of its episode asks for action any more: "+c.Explanation, nil)
		}
		return
	case from == nil:
		to.joined = true
		tell(to, incidentevent.KindFindingAdded, c.Explanation, nil)
		return
	case from != to:
		to.joined = true
		tell(from, incidentevent.KindFindingMoved, fmt.Sprintf("To incident #%d: %s", to.Number, c.Explanation), to)
		tell(to, incidentevent.KindFindingMoved, fmt.Sprintf("From incident #%d: %s", from.Number, c.Explanation), from)
	case !held:
		tell(to, incidentevent.KindFindingRestored, c.Explanation, nil)
	}
	if text := changes(c.was, &c.Finding); text != "" && held {
		tell(to, incidentevent.KindFindingChanged, text, nil)
	}
	to.changed = to.changed || shown(c.was, &c.Finding)
}

// changes says in words what a finding says otherwise than before; "" where
// only its evidence grew.
func changes(was, is *ent.Finding) string {
	var parts []string
	note := func(what, from, to string) {
		if from != to {
			parts = append(parts, fmt.Sprintf("%s from %s to %s", what, cmp.Or(from, "none"), cmp.Or(to, "none")))
		}
	}
	note("severity", string(was.Severity), string(is.Severity))
	note("confidence", string(was.Confidence), string(is.Confidence))
	note("stage", string(was.Stage), string(is.Stage))
	note("first act", was.OccurredAt.UTC().Format(time.RFC3339), is.OccurredAt.UTC().Format(time.RFC3339))
	note("targets", strings.Join(was.Targets, ", "), strings.Join(is.Targets, ", "))
	var out []string
	if len(parts) > 0 {
		out = append(out, "Changed: "+strings.Join(parts, "; ")+".")
	}
	if was.Explanation != is.Explanation {
		out = append(out, "It now says: "+is.Explanation)
	}
	return strings.Join(out, " ")
}

// shown says whether a finding shows otherwise than before; the book it is
// judged from is nobody's business.
func shown(was, is *ent.Finding) bool {
	return changes(was, is) != "" || !was.LastAt.Equal(is.LastAt) || was.IsLive != is.IsLive ||
		!slices.Equal(was.Evidence, is.Evidence) || !slices.Equal(was.Links, is.Links)
}

// refresh writes an incident from its findings.
func (g *grouping) refresh(d *draft) {
	if d.Status == incident.StatusSuperseded {
		d.reopen("")
		d.reopened = "Later records support it again."
	}
	s := summarise(d)
	d.Title, d.Kind, d.IsLive = g.title(s.kind), s.kind, s.isLive
	d.Severity, d.SeverityRank = s.severity, severityRank[s.severity]
	d.OccurredAt, d.LastActivityAt, d.Explanation = s.occurredAt, s.lastAt, s.explanation
	if d.was == nil {
		return
	}
	if d.joined {
		g.result.Joined = append(g.result.Joined, d.ID)
	}
	if d.was.Severity != d.Severity {
		d.step(step{kind: incidentevent.KindSeverityChanged, text: fmt.Sprintf("From %s to %s.", d.was.Severity, d.Severity)})
	}
	if text := reclassified(d); text != "" {
		d.step(step{kind: incidentevent.KindReclassified, text: text})
	}
	if d.reopened != "" {
		d.step(step{kind: incidentevent.KindReopened, text: "OPEN: " + d.reopened})
	}
	if d.Title != d.was.Title || d.Explanation != d.was.Explanation ||
		!d.OccurredAt.Equal(d.was.OccurredAt) || !d.LastActivityAt.Equal(d.was.LastActivityAt) {
		d.changed = true
	}
}

func reclassified(d *draft) string {
	var parts []string
	if d.Kind != d.was.Kind {
		parts = append(parts, fmt.Sprintf("From %s to %s.", kindName[d.was.Kind], kindName[d.Kind]))
	}
	switch {
	case d.IsLive && !d.was.IsLive:
		parts = append(parts, "It is live: the latest act lay less than 24 hours before its detection, or after it.")
	case !d.IsLive && d.was.IsLive:
		parts = append(parts, "It is past: of what still holds, the latest act lay more than 24 hours before its detection.")
	}
	return strings.Join(parts, " ")
}

// end closes an incident that rests on nothing any more.
func (g *grouping) end(d *draft) {
	if d.reopened != "" {
		d.step(step{kind: incidentevent.KindReopened, text: "OPEN: " + d.reopened})
	}
	d.Status, d.ClosedAt = incident.StatusSuperseded, &g.now
	switch into := d.oneWith; {
	case into != nil:
		d.MergedIntoID = &into.ID
		d.StatusReason = fmt.Sprintf("Later records showed it to be one episode with incident #%d.", into.Number)
		d.step(step{kind: incidentevent.KindMerged, text: d.StatusReason, related: into})
		into.step(step{kind: incidentevent.KindMerged, text: fmt.Sprintf("Incident #%d joined this one: one episode.", d.Number), related: d})
		return
	case d.onlyWeak:
		d.StatusReason = "Later records disproved what asked for action; what is left asks for none."
	default:
		d.StatusReason = "Later records disproved what it rested on."
	}
	d.step(step{kind: incidentevent.KindStatusChanged, text: "SUPERSEDED: " + d.StatusReason})
}
