package incident

import (
	"context"
	"fmt"
	"strings"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// maxReason is the longest reason for a change of status, in characters.
const maxReason = 2000

// SetStatus changes an incident's status by a person's word. Refusals: no such
// incident (NOT_FOUND); no reason or an overlong one, or SUPERSEDED, which
// only later records bring about (INVALID); an incident that is superseded
// (CONFLICT). Setting the status an incident has changes nothing.
func (s *Service) SetStatus(ctx context.Context, id string, status incident.Status, reason string) (*ent.Incident, error) {
	reason = strings.TrimSpace(reason)
	switch {
	case status == incident.StatusSuperseded:
		return nil, refusal.New(refusal.Invalid, []string{"status"}, "SUPERSEDED is set by later records only; FALSE_POSITIVE says that an incident was none")
	case reason == "":
		return nil, refusal.New(refusal.Invalid, []string{"reason"}, "say why: the reason stays in the incident's history")
	case len([]rune(reason)) > maxReason:
		return nil, refusal.New(refusal.Invalid, []string{"reason"}, "a reason has %d characters at most", maxReason)
	}
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("set an incident's status: %w", err)
	}
	var out *ent.Incident
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		i, err := tx.Client.Incident.Query().Where(incident.ID(id), locked).Only(ctx)
		if ent.IsNotFound(err) {
			return refusal.New(refusal.NotFound, []string{"id"}, "no incident has this id")
		}
		if err != nil {
			return fmt.Errorf("read incident: %w", err)
		}
		if i.Status == incident.StatusSuperseded {
			return refusal.New(refusal.Conflict, []string{"status"}, "incident #%d is superseded: %s", i.Number, i.StatusReason)
		}
		if i.Status == status {
			out = i
			return nil
		}
		kind := incidentevent.KindStatusChanged
		if closed(i) && (status == incident.StatusOpen || status == incident.StatusContained) {
			kind = incidentevent.KindReopened
		}
		now := s.now()
		update := tx.Client.Incident.UpdateOne(i).SetStatus(status).SetStatusReason(reason).SetUpdatedAt(now).AddRevision(1)
		switch status {
		case incident.StatusOpen:
			update.ClearContainedAt().ClearRemediatedAt().ClearClosedAt()
		case incident.StatusContained:
			// Back from an end it stays as contained as it was.
			if i.ContainedAt == nil {
				update.SetContainedAt(now)
			}
			update.ClearRemediatedAt().ClearClosedAt()
		case incident.StatusRemediated:
			if i.ContainedAt == nil {
				update.SetContainedAt(now)
			}
			update.SetRemediatedAt(now).SetClosedAt(now)
		case incident.StatusFalsePositive, incident.StatusSuperseded:
			update.SetClosedAt(now)
		}
		if out, err = update.Save(ctx); err != nil {
			return fmt.Errorf("update incident %s: %w", id, err)
		}
		text := string(status) + ": " + reason
		if err := eventRow(tx.Client, out, now, scope.Principal.Name, kind, text).Exec(ctx); err != nil {
			return fmt.Errorf("store incident event: %w", err)
		}
		if err := audit.Write(ctx, tx, now, audit.Entry{Action: "updateIncident", TenantID: i.TenantID, ObjectID: id, Result: "OK", Detail: text}); err != nil {
			return err
		}
		return s.tell(ctx, tx, []Changed{{IncidentID: id, TenantID: i.TenantID, Revision: out.Revision}})
	})
	return out, err
}

// locked keeps other transactions from changing the incidents a query returns
// until this one ends. On SQLite only one transaction writes at a time.
func locked(s *sql.Selector) {
	if s.Dialect() == dialect.Postgres {
		s.ForUpdate()
	}
}
