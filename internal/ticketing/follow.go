package ticketing

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/internal/database"
	incidents "github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// IDPrefix is the type prefix of ticket ids.
const IDPrefix = "ticket"

// idOf is the id of an incident's ticket in a connection, and its reference in
// the PSA. It derives from the two, so that a row that was lost and made again
// finds its ticket.
func idOf(incidentID, connectionID string) string {
	return typeid.Derived(IDPrefix, incidentID, connectionID)
}

// Follow has the tickets of changed incidents follow, within the transaction
// that changed them (it is an incident.Follower). A live incident that has no
// ticket gets one in each connection; past ones get theirs when asked for.
func (s *Service) Follow(ctx context.Context, tx *database.Tx, changed []incidents.Changed) error {
	connections, err := tx.Client.PSAConnection.Query().Where(psaconnection.DisconnectedAtIsNil()).Order(psaconnection.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("follow incidents: read the PSA connections: %w", err)
	}
	if len(connections) == 0 {
		return nil
	}
	ids := make([]string, len(changed))
	for i, c := range changed {
		ids[i] = c.IncidentID
	}
	for part := range slices.Chunk(ids, followChunk) {
		if err := s.followPart(ctx, tx, connections, part); err != nil {
			return fmt.Errorf("follow incidents: %w", err)
		}
	}
	return nil
}

// followChunk is how many incidents one statement reads.
const followChunk = 1000

func (s *Service) followPart(ctx context.Context, tx *database.Tx, connections []*ent.PSAConnection, ids []string) error {
	changed, err := tx.Client.Incident.Query().Where(incident.IDIn(ids...)).Order(incident.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("read the incidents: %w", err)
	}
	tickets, err := tx.Client.Ticket.Query().Where(ticket.IncidentIDIn(ids...), locked).Order(ticket.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("read their tickets: %w", err)
	}
	have := make(map[string]*ent.Ticket, len(tickets))
	for _, t := range tickets {
		have[t.ID] = t
	}
	wake := map[string]bool{}
	for _, i := range changed {
		for _, c := range connections {
			t := have[idOf(i.ID, c.ID)]
			switch {
			case t != nil:
				if err := s.want(ctx, tx, t, i.Revision); err != nil {
					return err
				}
			case i.IsLive && !over(i):
				if err := s.request(ctx, tx, i, c.ID, "The incident is live."); err != nil {
					return err
				}
			default:
				continue
			}
			wake[c.ID] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(wake)) {
		if err := s.Wake(ctx, tx, connections[0].OrganizationID, id); err != nil {
			return err
		}
	}
	return nil
}

// over says that an incident asks for nothing any more: its tickets are closed.
func over(i *ent.Incident) bool {
	return i.Status == incident.StatusRemediated || i.Status == incident.StatusFalsePositive || i.Status == incident.StatusSuperseded
}

// want raises what a ticket is to mirror. One that waits for its next attempt
// or for a person goes on waiting: the change alone mends nothing.
func (s *Service) want(ctx context.Context, tx *database.Tx, t *ent.Ticket, revision int) error {
	now := s.Now()
	update := tx.Client.Ticket.UpdateOne(t).SetWantedRevision(max(revision, t.WantedRevision))
	if t.State == ticket.StateSynced {
		update.SetState(ticket.StatePending).SetNextAttemptAt(now).SetUpdatedAt(now)
	}
	if err := update.Exec(ctx); err != nil {
		return fmt.Errorf("update ticket %s: %w", t.ID, err)
	}
	return nil
}

// request makes the row of a ticket that is to be.
func (s *Service) request(ctx context.Context, tx *database.Tx, i *ent.Incident, connectionID, why string) error {
	now := s.Now()
	t, err := tx.Client.Ticket.Create().SetID(idOf(i.ID, connectionID)).
		SetOrganizationID(i.OrganizationID).SetTenantID(i.TenantID).SetIncidentID(i.ID).SetConnectionID(connectionID).
		SetWantedRevision(i.Revision).SetNextAttemptAt(now).SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
	if err != nil {
		return fmt.Errorf("request a ticket for incident %s: %w", i.ID, err)
	}
	return s.tell(ctx, tx, t, event{kind: ticketevent.KindRequested, text: why})
}

// event is something that is to be told of a ticket.
type event struct {
	kind  ticketevent.Kind
	text  string
	by    string // empty: Cairn
	inPSA bool
}

// tell writes events of a ticket.
func (s *Service) tell(ctx context.Context, tx *database.Tx, t *ent.Ticket, events ...event) error {
	now := s.Now()
	rows := make([]*ent.TicketEventCreate, len(events))
	for n, e := range events {
		if e.by == "" && !e.inPSA {
			e.by = "Cairn"
		}
		rows[n] = tx.Client.TicketEvent.Create().SetOrganizationID(t.OrganizationID).SetTenantID(t.TenantID).SetTicketID(t.ID).
			SetAt(now).SetKind(e.kind).SetInPsa(e.inPSA).SetBy(e.by).SetText(e.text)
	}
	if err := tx.Client.TicketEvent.CreateBulk(rows...).Exec(ctx); err != nil {
		return fmt.Errorf("tell of ticket %s: %w", t.ID, err)
	}
	return nil
}

// lockedFree is locked, and passes over rows that others have locked.
func lockedFree(s *sql.Selector) {
	if s.Dialect() == dialect.Postgres {
		s.ForUpdate(sql.WithLockAction(sql.SkipLocked))
	}
}

// locked keeps other transactions from changing the rows a query returns until
// this one ends. On SQLite only one transaction writes at a time.
func locked(s *sql.Selector) {
	if s.Dialect() == dialect.Postgres {
		s.ForUpdate()
	}
}
