package incident

import (
	"cmp"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
)

// grouping brings one account's incidents in step with its findings ("" is the
// tenant itself). It rests on rows alone, so running it again changes nothing.
type grouping struct {
	*applying

	accountID string
	principal string // the account's name
	claims    []*claim
	drafts    []*draft // by number; what the run opens comes last
	byID      map[string]*draft
}

func (g *grouping) add(c *claim) { g.claims = append(g.claims, c) }

func (g *grouping) keep(d *draft) {
	g.drafts = append(g.drafts, d)
	g.byID[d.ID] = d
}

// regroup gives every finding that holds its incident.
func (g *grouping) regroup() {
	slices.SortFunc(g.claims, byTime)
	var hold []*claim
	for _, c := range g.claims {
		if c.SupersededAt != nil {
			continue
		}
		hold = append(hold, c)
		d := g.byID[deref(c.IncidentID)]
		if d != nil && d.Status == incident.StatusRemediated && d.ClosedAt != nil && c.LastAt.After(*d.ClosedAt) {
			// The evidence is the same session or grant going on: the
			// remediation did not hold, and somebody must hear of it.
			d.reopen("The attacker acted again after the incident was remediated.")
		}
	}
	for _, episode := range episodes(hold) {
		g.assign(episode)
	}
}

// closed says whether a person ended the incident: its episode takes late
// evidence from before that, and nothing after it.
func closed(i *ent.Incident) bool {
	return i.Status == incident.StatusRemediated || i.Status == incident.StatusFalsePositive
}

// assign gives every finding of an episode its incident.
func (g *grouping) assign(episode []*claim) {
	var open, ended []*draft
	for _, c := range episode {
		d := g.byID[deref(c.IncidentID)]
		switch {
		case d == nil:
		case closed(&d.Incident):
			ended = appendNew(ended, d)
		case !d.home:
			open = appendNew(open, d)
		}
	}
	var loose []*claim // what belongs to no ended incident
	for _, c := range episode {
		if d := endedFor(c, ended, len(open) > 0); d != nil {
			c.put(d)
			continue
		}
		loose = append(loose, c)
	}
	if len(loose) == 0 {
		return
	}
	if !slices.ContainsFunc(loose, func(c *claim) bool { return opensIncident(c.Severity, c.Confidence) }) {
		release(loose)
		return
	}
	home := g.home(loose, open, ended)
	home.home = true
	for _, c := range loose {
		c.put(home)
	}
	for _, d := range open {
		if d != home {
			d.oneWith = home
		}
	}
}

// reopen asks for action again.
func (d *draft) reopen(why string) {
	d.Status, d.StatusReason, d.reopened = incident.StatusOpen, why, why
	d.ContainedAt, d.RemediatedAt, d.ClosedAt, d.MergedIntoID = nil, nil, nil, nil
}

// release takes findings that ask nobody to act out of incidents: the ones
// that did ask are superseded, or of another episode.
func release(findings []*claim) {
	for _, c := range findings {
		if c.IncidentID != nil {
			c.IncidentID, c.changed = nil, true
		}
	}
}

// endedFor returns the ended incident a finding belongs to: the one it is in
// already, or, for late evidence and with no open incident to take it, the
// first that was remediated after all of it had happened: what went on after
// that was not settled by it. A false positive takes nothing new: nobody has
// judged it.
func endedFor(c *claim, ended []*draft, anyOpen bool) *draft {
	var best *draft
	for _, d := range ended {
		if deref(c.IncidentID) == d.ID {
			return d
		}
		if c.IncidentID == nil && !anyOpen && d.Status == incident.StatusRemediated && d.ClosedAt != nil && !c.LastAt.After(*d.ClosedAt) &&
			(best == nil || d.ClosedAt.Before(*best.ClosedAt)) {
			best = d
		}
	}
	return best
}

// home returns the incident for findings that belong to none that ended: the
// oldest open one of the episode (a superseded one where there is no other),
// or a new one.
func (g *grouping) home(loose []*claim, open, ended []*draft) *draft {
	if len(open) == 0 {
		return g.open(loose, ended)
	}
	return slices.MinFunc(open, func(x, y *draft) int {
		return cmp.Or(cmp.Compare(superseded(x), superseded(y)), cmp.Compare(x.Number, y.Number))
	})
}

// superseded is 1 for an incident that is, 0 for others.
func superseded(d *draft) int {
	if d.Status == incident.StatusSuperseded {
		return 1
	}
	return 0
}

// open makes an incident for findings. It was detected now; but what parts from
// another incident could be seen there since its first finding was made.
func (g *grouping) open(findings []*claim, ended []*draft) *draft {
	d := &draft{Incident: ent.Incident{
		ID: incident.DefaultID(), OrganizationID: g.organizationID, TenantID: g.tenantID,
		Status: incident.StatusOpen, Published: true, DetectedAt: g.now,
	}}
	if g.accountID != "" {
		d.AccountID = &g.accountID
	}
	for _, c := range findings {
		if parent := g.byID[deref(c.IncidentID)]; parent != nil {
			d.DetectedAt = earliest(d.DetectedAt, latest(c.DetectedAt, parent.DetectedAt))
		}
	}
	if len(ended) > 0 {
		d.follows = slices.MaxFunc(ended, func(x, y *draft) int { return cmp.Compare(x.Number, y.Number) })
		d.PreviousID = &d.follows.ID
	}
	g.keep(d)
	g.opened = append(g.opened, d)
	return d
}

func appendNew(list []*draft, d *draft) []*draft {
	if slices.Contains(list, d) {
		return list
	}
	return append(list, d)
}

func earliest(x, y time.Time) time.Time {
	if y.Before(x) {
		return y
	}
	return x
}

func latest(x, y time.Time) time.Time {
	if y.After(x) {
		return y
	}
	return x
}
