package notification

import (
	"context"
	"fmt"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	entmember "github.com/cairn-itdr/cairn/ent/member"
	"github.com/cairn-itdr/cairn/ent/notification"
	"github.com/cairn-itdr/cairn/ent/notificationmail"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	incidents "github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/typeid"
	"github.com/cairn-itdr/cairn/internal/work"
)

// The type prefixes of ids.
const (
	IDPrefix     = "notification"
	MailIDPrefix = "mail"
)

// followChunk is how many incidents one statement reads.
const followChunk = 1000

// worth says that members are to hear of an incident.
func worth(i *ent.Incident) bool {
	return i.IsLive && (i.Status == incident.StatusOpen || i.Status == incident.StatusContained)
}

// Follow has members be told of incidents that are live and new to them, within
// the transaction that changed them (it is an incident.Follower).
func (s *Service) Follow(ctx context.Context, tx *database.Tx, changed []incidents.Changed) error {
	ids := make([]string, len(changed))
	for i, c := range changed {
		ids[i] = c.IncidentID
	}
	for part := range slices.Chunk(ids, followChunk) {
		if err := s.followPart(ctx, tx, part); err != nil {
			return fmt.Errorf("tell members of incidents: %w", err)
		}
	}
	return nil
}

func (s *Service) followPart(ctx context.Context, tx *database.Tx, ids []string) error {
	// The incidents are locked: nobody else makes or changes their rows now.
	changed, err := tx.Client.Incident.Query().Where(incident.IDIn(ids...), incident.IsLive(true)).Order(incident.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("read the incidents: %w", err)
	}
	rows, err := tx.Client.Notification.Query().Where(notification.IncidentIDIn(ids...)).All(ctx)
	if err != nil {
		return fmt.Errorf("read what was told of them: %w", err)
	}
	have := make(map[string]*ent.Notification, len(rows))
	for _, n := range rows {
		have[n.IncidentID] = n
	}
	for _, i := range changed {
		switch n := have[i.ID]; {
		case !worth(i) || n != nil && (n.Published || !i.Published):
			continue
		case n == nil:
			err = tx.Client.Notification.Create().SetID(typeid.Derived(IDPrefix, i.ID)).SetOrganizationID(i.OrganizationID).SetTenantID(i.TenantID).
				SetIncidentID(i.ID).SetPublished(i.Published).SetNextAttemptAt(s.Now()).SetCreatedAt(s.Now()).Exec(ctx)
		default: // published since: others see it now
			if err = tx.Client.Notification.UpdateOne(n).SetPublished(true).Exec(ctx); err == nil {
				err = s.Work.Wake(ctx, tx, notifications, n.ID)
			}
		}
		if err != nil {
			return fmt.Errorf("tell of incident %s: %w", i.ID, err)
		}
		s.changed(tx, i.OrganizationID, i.TenantID, typeid.Derived(IDPrefix, i.ID))
	}
	return nil
}

// spread finds out which members are to be told of an incident, and makes a row
// for the mail of each that has none.
func (s *Service) spread(ctx context.Context, c *work.Claim) work.Outcome {
	n, err := s.DB.Client().Notification.Query().Where(notification.ID(c.ID)).WithIncident().Only(ctx)
	if err != nil {
		return work.Outcome{Err: fmt.Errorf("read notification %s: %w", c.ID, err)}
	}
	i := n.Edges.Incident
	if !worth(i) { // it turned out to be none
		return work.Outcome{}
	}
	members, err := s.Members.Active(ctx)
	if err != nil {
		return work.Outcome{Err: err}
	}
	var told []*ent.Member
	for _, m := range members {
		wants, err := s.wants(ctx, m, i.ID)
		if err != nil {
			return work.Outcome{Err: err}
		}
		if wants {
			told = append(told, m)
		}
	}
	s.at("members found")
	err = c.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		for _, m := range told {
			id := typeid.Derived(MailIDPrefix, i.ID, m.ID)
			there, err := tx.Client.NotificationMail.Query().Where(notificationmail.ID(id)).Exist(ctx)
			if err != nil {
				return err
			}
			if there {
				continue
			}
			err = tx.Client.NotificationMail.Create().SetID(id).SetOrganizationID(i.OrganizationID).SetTenantID(i.TenantID).
				SetIncidentID(i.ID).SetMemberID(m.ID).SetNextAttemptAt(s.Now()).SetCreatedAt(s.Now()).Exec(ctx)
			if err != nil {
				return err
			}
			s.changed(tx, i.OrganizationID, i.TenantID, id)
		}
		return nil
	})
	if err != nil {
		return work.Outcome{Err: fmt.Errorf("tell members of incident %s: %w", i.ID, err)}
	}
	s.at("mails wanted")
	return work.Outcome{}
}

// wants says whether a member is to be told of an incident: he wants to, and
// sees it. That is asked in his own scope.
func (s *Service) wants(ctx context.Context, m *ent.Member, incidentID string) (bool, error) {
	if member.MailsIncidents(m) != entmember.MailIncidentsLive {
		return false, nil
	}
	sees, err := s.DB.Client().Incident.Query().Where(incident.ID(incidentID)).Exist(access.With(ctx, member.Scope(m)))
	if err != nil {
		return false, fmt.Errorf("ask whether %s sees incident %s: %w", m.ID, incidentID, err)
	}
	return sees, nil
}
