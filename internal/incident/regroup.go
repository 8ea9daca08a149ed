package incident

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
)

// regroup brings one account's incidents in step with its findings ("" is the
// tenant itself). It rests on rows alone, so running it again changes nothing.
func (a *applying) regroup(accountID string) error {
	ofAccount, incidentOf := finding.AccountID(accountID), incident.AccountID(accountID)
	if accountID == "" {
		ofAccount, incidentOf = finding.AccountIDIsNil(), incident.AccountIDIsNil()
	}
	all, err := a.tx.Client.Finding.Query().Where(finding.TenantID(a.tenantID), ofAccount).All(a.ctx)
	if err != nil {
		return fmt.Errorf("read the account's findings: %w", err)
	}
	incidents, err := a.tx.Client.Incident.Query().Where(incident.TenantID(a.tenantID), incidentOf, locked).All(a.ctx)
	if err != nil {
		return fmt.Errorf("read the account's incidents: %w", err)
	}
	g := grouping{
		applying: a, accountID: accountID, byID: map[string]*ent.Incident{},
		members: map[string][]*ent.Finding{}, gained: map[string][]*ent.Finding{}, lost: map[string][]*ent.Finding{},
		taken: map[string]bool{}, merges: map[string]*ent.Incident{},
	}
	for _, i := range incidents {
		g.byID[i.ID] = i
	}
	var live []*ent.Finding
	for _, f := range all {
		if f.SupersededAt == nil {
			live = append(live, f)
		} else if f.IncidentID != nil && a.superseded[f.ID] {
			g.lost[*f.IncidentID] = append(g.lost[*f.IncidentID], f)
		}
	}
	for _, episode := range episodes(live) {
		if err := g.assign(episode); err != nil {
			return err
		}
	}
	slices.SortFunc(incidents, func(x, y *ent.Incident) int { return cmp.Compare(x.Number, y.Number) })
	for _, i := range incidents {
		if err := g.settle(i); err != nil {
			return err
		}
	}
	return nil
}

// grouping is one run of regroup.
type grouping struct {
	*applying

	accountID string
	byID      map[string]*ent.Incident
	members   map[string][]*ent.Finding // live findings by incident, as they now belong
	gained    map[string][]*ent.Finding // of these, the ones that were not there before
	lost      map[string][]*ent.Finding // superseded just now
	taken     map[string]bool           // incidents that are an episode's home: another episode needs its own
	merges    map[string]*ent.Incident  // by incident, the one whose episode its findings turned out to be of
}

// closed says whether a person ended the incident: its episode takes late
// evidence from before that, and nothing after it.
func closed(i *ent.Incident) bool {
	return i.Status == incident.StatusRemediated || i.Status == incident.StatusFalsePositive
}

func superseded(i *ent.Incident) bool { return i.Status == incident.StatusSuperseded }

func compareBools(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// assign gives every finding of an episode its incident.
func (g *grouping) assign(episode []*ent.Finding) error {
	var open []*ent.Incident
	var ended []*ent.Incident
	for _, f := range episode {
		if f.IncidentID == nil {
			continue
		}
		i := g.byID[*f.IncidentID]
		if i != nil && i.Status == incident.StatusRemediated && i.ClosedAt != nil && f.LastAt.After(*i.ClosedAt) {
			// The evidence is the same session or grant going on: the
			// remediation did not hold, and somebody must hear of it.
			if err := g.reopen(i); err != nil {
				return err
			}
			i = g.byID[i.ID]
		}
		switch {
		case i == nil:
		case closed(i):
			ended = appendNew(ended, i)
		case !g.taken[i.ID]:
			open = appendNew(open, i)
		}
	}
	var loose []*ent.Finding // what belongs to no ended incident
	for _, f := range episode {
		if i := g.endedFor(f, ended, len(open) > 0); i != nil {
			if err := g.move(f, i); err != nil {
				return err
			}
			continue
		}
		loose = append(loose, f)
	}
	if len(loose) == 0 {
		return nil
	}
	if !slices.ContainsFunc(loose, func(f *ent.Finding) bool { return opensIncident(f.Severity, f.Confidence) }) {
		return g.release(loose)
	}
	home, err := g.home(loose, open, ended)
	if err != nil {
		return err
	}
	g.taken[home.ID] = true
	for _, f := range loose {
		if err := g.move(f, home); err != nil {
			return err
		}
	}
	for _, i := range open {
		if i.ID != home.ID {
			g.merges[i.ID] = home
		}
	}
	return nil
}

// reopen asks for action again on an incident whose remediation did not hold.
func (g *grouping) reopen(i *ent.Incident) error {
	reason := "The attacker acted again after the incident was remediated."
	updated, err := g.tx.Client.Incident.UpdateOne(i).SetStatus(incident.StatusOpen).SetStatusReason(reason).
		ClearContainedAt().ClearRemediatedAt().ClearClosedAt().SetUpdatedAt(g.now).Save(g.ctx)
	if err != nil {
		return fmt.Errorf("reopen incident %s: %w", i.ID, err)
	}
	g.byID[i.ID] = updated
	return g.event(updated, incidentevent.KindStatusChanged, "OPEN: "+reason, nil)
}

// release takes findings that ask nobody to act out of incidents: the ones
// that did ask are superseded, or of another episode.
func (g *grouping) release(findings []*ent.Finding) error {
	for _, f := range findings {
		if f.IncidentID == nil {
			continue
		}
		if err := g.tx.Client.Finding.UpdateOne(f).ClearIncidentID().Exec(g.ctx); err != nil {
			return fmt.Errorf("release finding %s: %w", f.ID, err)
		}
		f.IncidentID = nil
	}
	return nil
}

// endedFor returns the ended incident a finding belongs to: the one it is in
// already, or, for late evidence and with no open incident to take it, the
// first that was remediated after it happened. A false positive takes nothing
// new: nobody has judged it.
func (g *grouping) endedFor(f *ent.Finding, ended []*ent.Incident, anyOpen bool) *ent.Incident {
	var best *ent.Incident
	for _, i := range ended {
		if f.IncidentID != nil && *f.IncidentID == i.ID {
			return i
		}
		if f.IncidentID == nil && !anyOpen && i.Status == incident.StatusRemediated && i.ClosedAt != nil && !f.OccurredAt.After(*i.ClosedAt) &&
			(best == nil || i.ClosedAt.Before(*best.ClosedAt)) {
			best = i
		}
	}
	return best
}

// home returns the incident for findings that belong to none that ended: the
// oldest open one of the episode (a superseded one where there is no other),
// or a new one.
func (g *grouping) home(loose []*ent.Finding, open, ended []*ent.Incident) (*ent.Incident, error) {
	if len(open) > 0 {
		return slices.MinFunc(open, func(x, y *ent.Incident) int {
			return cmp.Or(compareBools(superseded(x), superseded(y)), cmp.Compare(x.Number, y.Number))
		}), nil
	}
	return g.open(loose, ended)
}

func (g *grouping) open(findings []*ent.Finding, ended []*ent.Incident) (*ent.Incident, error) {
	number, err := nextNumber(g.ctx, g.tx, g.organizationID)
	if err != nil {
		return nil, err
	}
	state := summarise(findings)
	create := g.tx.Client.Incident.Create().
		SetOrganizationID(g.organizationID).SetTenantID(g.tenantID).SetNumber(number).
		SetTitle("").SetExplanation(""). // settle writes them, with the rest
		SetKind(state.kind).SetSeverity(state.severity).SetSeverityRank(severityRank[state.severity]).
		SetIsLive(state.isLive).SetOccurredAt(state.occurredAt).SetLastActivityAt(state.lastAt).
		SetDetectedAt(g.now).SetUpdatedAt(g.now)
	if g.accountID != "" {
		create.SetAccountID(g.accountID)
	}
	if len(ended) > 0 {
		last := slices.MaxFunc(ended, func(x, y *ent.Incident) int { return cmp.Compare(x.Number, y.Number) })
		create.SetPreviousID(last.ID)
	}
	i, err := create.Save(g.ctx)
	if err != nil {
		return nil, fmt.Errorf("open incident: %w", err)
	}
	g.byID[i.ID] = i
	g.result.Opened = append(g.result.Opened, i.ID)
	if err := g.event(i, incidentevent.KindOpened, fmt.Sprintf("Incident #%d opened", number), nil); err != nil {
		return nil, err
	}
	// A new incident is settled at once: regroup's list was read before it.
	defer delete(g.gained, i.ID)
	for _, f := range findings {
		if err := g.move(f, i); err != nil {
			return nil, err
		}
	}
	return i, g.refresh(i)
}

// move puts a finding into an incident, once.
func (g *grouping) move(f *ent.Finding, i *ent.Incident) error {
	if !slices.Contains(g.members[i.ID], f) {
		g.members[i.ID] = append(g.members[i.ID], f)
	}
	if f.IncidentID != nil && *f.IncidentID == i.ID {
		return nil
	}
	if err := g.tx.Client.Finding.UpdateOne(f).SetIncidentID(i.ID).Exec(g.ctx); err != nil {
		return fmt.Errorf("move finding %s: %w", f.ID, err)
	}
	f.IncidentID = &i.ID
	g.gained[i.ID] = append(g.gained[i.ID], f)
	return g.event(i, incidentevent.KindFindingAdded, f.Explanation, &f.ID)
}

// merge closes an incident whose episode turned out to be another's.
func (g *grouping) merge(from, into *ent.Incident) error {
	reason := fmt.Sprintf("Later records showed it to be one episode with incident #%d.", into.Number)
	updated, err := g.tx.Client.Incident.UpdateOne(from).
		SetStatus(incident.StatusSuperseded).SetStatusReason(reason).
		SetMergedIntoID(into.ID).SetClosedAt(g.now).SetUpdatedAt(g.now).Save(g.ctx)
	if err != nil {
		return fmt.Errorf("merge incident %s: %w", from.ID, err)
	}
	g.byID[from.ID] = updated
	if err := g.event(from, incidentevent.KindMerged, reason, nil); err != nil {
		return err
	}
	return g.event(into, incidentevent.KindMerged, fmt.Sprintf("Incident #%d joined this one: one episode.", from.Number), nil)
}

// settle makes an incident's own row follow its findings.
func (g *grouping) settle(i *ent.Incident) error {
	i = g.byID[i.ID]
	for _, f := range g.lost[i.ID] {
		if err := g.event(i, incidentevent.KindFindingSuperseded, f.Explanation, &f.ID); err != nil {
			return err
		}
	}
	members := g.members[i.ID]
	if len(members) == 0 {
		if i.Status != incident.StatusOpen && i.Status != incident.StatusContained {
			return nil
		}
		if into := g.merges[i.ID]; into != nil {
			return g.merge(i, into)
		}
		reason := "Later records disproved what it rested on."
		err := g.tx.Client.Incident.UpdateOne(i).SetStatus(incident.StatusSuperseded).SetStatusReason(reason).
			SetClosedAt(g.now).SetUpdatedAt(g.now).Exec(g.ctx)
		if err != nil {
			return fmt.Errorf("supersede incident %s: %w", i.ID, err)
		}
		return g.event(i, incidentevent.KindStatusChanged, "SUPERSEDED: "+reason, nil)
	}
	if len(g.gained[i.ID]) > 0 {
		g.result.Joined = append(g.result.Joined, i.ID)
	}
	return g.refresh(i)
}

func (g *grouping) event(i *ent.Incident, kind incidentevent.Kind, text string, findingID *string) error {
	return writeEvent(g.ctx, g.tx, i, g.now, kind, text, findingID)
}

func appendNew(list []*ent.Incident, i *ent.Incident) []*ent.Incident {
	if slices.Contains(list, i) {
		return list
	}
	return append(list, i)
}
