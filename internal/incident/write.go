package incident

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
)

// rowsAtOnce is how many rows one statement writes: within SQLite's limit of
// bound values, and PostgreSQL's.
const rowsAtOnce = 1000

// step is an event that is to be written.
type step struct {
	kind    incidentevent.Kind
	text    string
	finding *string // id
	related *draft
}

// step notes that something happened to d.
func (d *draft) step(s step) {
	d.steps = append(d.steps, s)
	d.changed = true
}

// number gives the incidents that are to be opened their numbers, in one
// statement. It locks the organization's row until the transaction ends, and
// batches of its other tenants wait there: so it comes when all is read and
// thought, shortly before the end, and what is written after it are rows of
// this tenant, which no batch that waits for a number holds.
func (a *applying) number() error {
	n := len(a.opened)
	if n == 0 {
		return nil
	}
	o, err := a.tx.Client.Organization.UpdateOneID(a.organizationID).AddIncidentCount(n).Save(a.ctx)
	if err != nil {
		return fmt.Errorf("number the incidents: %w", err)
	}
	for i, d := range a.opened {
		d.Number = o.IncidentCount - n + 1 + i
	}
	return nil
}

// write stores what changed, and returns the incidents that did.
func (a *applying) write(groups []*grouping) ([]Changed, error) {
	var written []*draft
	var incidents []*ent.IncidentCreate
	var findings []*ent.FindingCreate
	var events []*ent.IncidentEventCreate
	for _, g := range groups {
		for _, d := range g.drafts {
			if !d.changed {
				continue
			}
			d.UpdatedAt = a.now
			for _, s := range d.steps {
				d.Revision++
				events = append(events, a.event(&d.Incident, s))
			}
			if len(d.steps) == 0 {
				d.Revision++
			}
			written = append(written, d)
			incidents = append(incidents, a.incidentRow(&d.Incident))
		}
		for _, c := range g.claims {
			if c.changed {
				findings = append(findings, a.findingRow(&c.Finding))
			}
		}
	}
	for part := range slices.Chunk(incidents, rowsAtOnce) {
		if err := a.tx.Client.Incident.CreateBulk(part...).OnConflict(replacing(incident.Table, incidentChanges)...).Exec(a.ctx); err != nil {
			return nil, fmt.Errorf("store incidents: %w", err)
		}
	}
	for part := range slices.Chunk(findings, rowsAtOnce) {
		if err := a.tx.Client.Finding.CreateBulk(part...).OnConflict(replacing(finding.Table, findingChanges)...).Exec(a.ctx); err != nil {
			return nil, fmt.Errorf("store findings: %w", err)
		}
	}
	for part := range slices.Chunk(events, rowsAtOnce) {
		if err := a.tx.Client.IncidentEvent.CreateBulk(part...).Exec(a.ctx); err != nil {
			return nil, fmt.Errorf("store incident events: %w", err)
		}
	}
	slices.SortFunc(written, func(x, y *draft) int { return cmp.Compare(x.Number, y.Number) })
	changed := make([]Changed, len(written))
	for i, d := range written {
		changed[i] = Changed{IncidentID: d.ID, TenantID: a.tenantID, Revision: d.Revision}
	}
	return changed, nil
}

// replacing has an insert take the place of the row with its id, as far as the
// columns given, and only within its own tenant.
func replacing(table string, columns []string) []sql.ConflictOption {
	return []sql.ConflictOption{
		sql.ConflictColumns("id"),
		sql.ResolveWith(func(u *sql.UpdateSet) {
			for _, c := range columns {
				u.SetExcluded(c)
			}
		}),
		sql.UpdateWhere(sql.ExprP(fmt.Sprintf("%[1]s.organization_id = excluded.organization_id AND %[1]s.tenant_id = excluded.tenant_id", table))),
	}
}

// incidentChanges are the columns of an incident that may change.
var incidentChanges = []string{
	incident.FieldRevision, incident.FieldTitle, incident.FieldKind, incident.FieldStatus, incident.FieldStatusReason,
	incident.FieldSeverity, incident.FieldSeverityRank, incident.FieldExplanation, incident.FieldIsLive,
	incident.FieldOccurredAt, incident.FieldLastActivityAt, incident.FieldContainedAt, incident.FieldRemediatedAt,
	incident.FieldClosedAt, incident.FieldUpdatedAt, incident.FieldMergedIntoID,
}

func (a *applying) incidentRow(i *ent.Incident) *ent.IncidentCreate {
	return a.tx.Client.Incident.Create().SetID(i.ID).
		SetOrganizationID(a.organizationID).SetTenantID(a.tenantID).SetNillableAccountID(i.AccountID).SetNumber(i.Number).
		SetRevision(i.Revision).SetTitle(i.Title).SetKind(i.Kind).SetStatus(i.Status).SetStatusReason(i.StatusReason).
		SetSeverity(i.Severity).SetSeverityRank(i.SeverityRank).SetExplanation(i.Explanation).SetIsLive(i.IsLive).SetPublished(i.Published).
		SetOccurredAt(i.OccurredAt).SetLastActivityAt(i.LastActivityAt).SetDetectedAt(i.DetectedAt).
		SetNillableContainedAt(i.ContainedAt).SetNillableRemediatedAt(i.RemediatedAt).SetNillableClosedAt(i.ClosedAt).
		SetUpdatedAt(i.UpdatedAt).SetNillableMergedIntoID(i.MergedIntoID).SetNillablePreviousID(i.PreviousID)
}

// findingChanges are the columns of a finding that may change.
var findingChanges = []string{
	finding.FieldIncidentID, finding.FieldBook, finding.FieldSeverity, finding.FieldConfidence, finding.FieldStage,
	finding.FieldTargets, finding.FieldOccurredAt, finding.FieldLastAt, finding.FieldEvidence, finding.FieldExplanation,
	finding.FieldLinks, finding.FieldIsLive, finding.FieldSupersededAt,
}

func (a *applying) findingRow(f *ent.Finding) *ent.FindingCreate {
	return a.tx.Client.Finding.Create().SetID(f.ID).
		SetOrganizationID(a.organizationID).SetTenantID(a.tenantID).SetNillableAccountID(f.AccountID).SetNillableIncidentID(f.IncidentID).
		SetNaturalKey(f.NaturalKey).SetBook(f.Book).SetRule(f.Rule).SetSeverity(f.Severity).SetConfidence(f.Confidence).SetStage(f.Stage).
		SetTargets(f.Targets).SetOccurredAt(f.OccurredAt).SetLastAt(f.LastAt).SetEvidence(f.Evidence).SetExplanation(f.Explanation).
		SetLinks(f.Links).SetDetectedAt(f.DetectedAt).SetIsLive(f.IsLive).SetNillableSupersededAt(f.SupersededAt)
}

func (a *applying) event(i *ent.Incident, s step) *ent.IncidentEventCreate {
	create := eventRow(a.tx.Client, i, a.now, a.principal, s.kind, s.text).SetNillableFindingID(s.finding)
	if s.related != nil {
		create.SetRelatedID(s.related.ID)
	}
	return create
}

// eventRow is the event that made an incident's revision.
func eventRow(c *ent.Client, i *ent.Incident, at time.Time, principal string, kind incidentevent.Kind, text string) *ent.IncidentEventCreate {
	return c.IncidentEvent.Create().SetOrganizationID(i.OrganizationID).SetTenantID(i.TenantID).SetIncidentID(i.ID).
		SetSequence(i.Revision).SetAt(at).SetKind(kind).SetPrincipal(principal).SetText(text)
}
