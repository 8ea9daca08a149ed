package incident

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// summary is what an incident's row says of its findings.
type summary struct {
	kind               incident.Kind
	severity           detect.Severity
	isLive             bool
	occurredAt, lastAt time.Time
	explanation        string
}

// shownExplanations is how many findings an incident's explanation repeats:
// the weightiest. The others are in the list of findings.
const shownExplanations = 3

func summarise(findings []*ent.Finding) summary {
	ordered := slices.Clone(findings)
	slices.SortFunc(ordered, byTime)
	s := summary{kind: incident.KindLeftoverPersistence, severity: detect.SeverityInfo, occurredAt: ordered[0].OccurredAt}
	for _, f := range ordered {
		if severityRank[f.Severity] > severityRank[s.severity] {
			s.severity = f.Severity
		}
		s.isLive = s.isLive || f.IsLive
		if f.LastAt.After(s.lastAt) {
			s.lastAt = f.LastAt
		}
		// What was left behind alone, and found late, is persistence whose
		// compromise is over or was never seen; all else is the account in
		// an attacker's hands.
		if f.Stage != detect.StageHold || f.IsLive {
			s.kind = incident.KindAccountCompromise
		}
	}
	slices.SortStableFunc(ordered, func(x, y *ent.Finding) int { return severityRank[y.Severity] - severityRank[x.Severity] })
	var texts []string
	for _, f := range ordered {
		if !slices.Contains(texts, f.Explanation) {
			texts = append(texts, f.Explanation)
		}
	}
	if more := len(texts) - shownExplanations; more > 0 {
		texts = append(texts[:shownExplanations], fmt.Sprintf("And %d more.", more))
	}
	s.explanation = strings.Join(texts, " ")
	return s
}

// refresh writes an incident's row from its findings; nothing when nothing changed.
func (g *grouping) refresh(i *ent.Incident) error {
	s := summarise(g.members[i.ID])
	title, err := g.title(s.kind)
	if err != nil {
		return err
	}
	reopened := i.Status == incident.StatusSuperseded
	if !reopened && title == i.Title && s.kind == i.Kind && s.severity == i.Severity && s.isLive == i.IsLive &&
		s.explanation == i.Explanation && s.occurredAt.Equal(i.OccurredAt) && s.lastAt.Equal(i.LastActivityAt) {
		return nil
	}
	update := g.tx.Client.Incident.UpdateOne(i).
		SetTitle(title).SetKind(s.kind).SetSeverity(s.severity).SetSeverityRank(severityRank[s.severity]).SetIsLive(s.isLive).
		SetOccurredAt(s.occurredAt).SetLastActivityAt(s.lastAt).SetExplanation(s.explanation).SetUpdatedAt(g.now)
	if reopened {
		update.SetStatus(incident.StatusOpen).SetStatusReason("").ClearMergedIntoID().ClearClosedAt()
	}
	updated, err := update.Save(g.ctx)
	if err != nil {
		return fmt.Errorf("update incident %s: %w", i.ID, err)
	}
	g.byID[i.ID] = updated
	if reopened {
		return g.event(i, incidentevent.KindStatusChanged, "OPEN: later records support it again.", nil)
	}
	return nil
}

func (g *grouping) title(kind incident.Kind) (string, error) {
	who := "the tenant"
	if g.accountID != "" {
		a, err := g.tx.Client.Account.Query().Where(account.ID(g.accountID)).Only(g.ctx)
		if err != nil {
			return "", fmt.Errorf("read account %s: %w", g.accountID, err)
		}
		who = a.Principal
	}
	if kind == incident.KindLeftoverPersistence {
		return "Leftover persistence of " + who, nil
	}
	return "Account compromise of " + who, nil
}

// nextNumber counts the organization's incidents. The row it changes also
// keeps two transactions from taking one number.
func nextNumber(ctx context.Context, tx *database.Tx, organizationID string) (int, error) {
	o, err := tx.Client.Organization.UpdateOneID(organizationID).AddIncidentCount(1).Save(ctx)
	if err != nil {
		return 0, fmt.Errorf("number the incident: %w", err)
	}
	return o.IncidentCount, nil
}

func writeEvent(ctx context.Context, tx *database.Tx, i *ent.Incident, now time.Time, kind incidentevent.Kind, text string, findingID *string) error {
	scope, err := access.From(ctx)
	if err != nil {
		return fmt.Errorf("incident event: %w", err)
	}
	revised, err := tx.Client.Incident.UpdateOne(i).AddRevision(1).Save(ctx)
	if err != nil {
		return fmt.Errorf("incident event: %w", err)
	}
	err = tx.Client.IncidentEvent.Create().
		SetOrganizationID(i.OrganizationID).SetTenantID(i.TenantID).SetIncidentID(i.ID).SetSequence(revised.Revision).
		SetAt(now).SetKind(kind).SetPrincipal(scope.Principal.Name).SetText(text).SetNillableFindingID(findingID).
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("incident event: %w", err)
	}
	return nil
}
