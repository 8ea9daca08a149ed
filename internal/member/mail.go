package member

import (
	"context"
	"fmt"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/member"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Scope is what a member reaches, signed in or not.
func Scope(m *ent.Member) access.Scope {
	return access.Scope{OrganizationID: m.OrganizationID, Principal: principal(m, "")}
}

// MailsIncidents says for which incidents a member gets a mail. Where it has
// not chosen, staff who see incidents get one for live ones. Guests choose it
// themselves: a client's people are not to find mails they never asked for.
func MailsIncidents(m *ent.Member) member.MailIncidents {
	scope := Scope(m)
	switch {
	case !scope.May(access.IncidentRead):
		return member.MailIncidentsNone
	case m.MailIncidents != nil:
		return *m.MailIncidents
	case m.Role.Staff():
		return member.MailIncidentsLive
	}
	return member.MailIncidentsNone
}

// Active returns the members of the organization of ctx who may sign in now.
func (s *Service) Active(ctx context.Context) ([]*ent.Member, error) {
	all, err := s.db.Client().Member.Query().Where(active(s.now())).Order(member.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the members: %w", err)
	}
	return all, nil
}

// IsActive says whether a member may sign in now.
func (s *Service) IsActive(m *ent.Member) bool {
	return m.RemovedAt == nil && (m.AccessUntil == nil || m.AccessUntil.After(s.now()))
}

// ChooseMail says for which incidents the member that asks gets a mail; nil
// leaves it to its role. Refusals: whoever asks is no member, or sees no
// incidents (CONFLICT).
func (s *Service) ChooseMail(ctx context.Context, incidents *member.MailIncidents) (*ent.Member, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("choose mails: %w", err)
	}
	if scope.Principal.Kind != access.PrincipalMember {
		return nil, refusal.New(refusal.Conflict, nil, "only a member gets mails, and says himself which")
	}
	if !scope.May(access.IncidentRead) {
		return nil, refusal.New(refusal.Conflict, []string{"mailIncidents"}, "the role %s sees no incidents, and gets no mail for any", scope.Principal.Role)
	}
	var out *ent.Member
	err = s.db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		// Not everybody sees members; everybody is one.
		own := access.System(ctx, "own settings", scope.OrganizationID)
		u := tx.Client.Member.UpdateOneID(scope.Principal.ID).Where(active(s.now()))
		said := "as its role has it"
		if incidents != nil {
			u.SetMailIncidents(*incidents)
			said = string(*incidents)
		} else {
			u.ClearMailIncidents()
		}
		if out, err = u.Save(own); err != nil {
			return fmt.Errorf("store which mails %s gets: %w", scope.Principal.ID, err)
		}
		return audit.Write(ctx, tx, s.now(), audit.Entry{Action: "chooseMail", ObjectID: out.ID, Result: audit.OK, Detail: "mails for incidents: " + said})
	})
	return out, err
}
