package ticketing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/work"
)

// reconcile does what time asks of a connection: it has tickets made for live
// incidents that have none, reads what changed, probes what no list of changes
// shows, and keeps the PSA's callbacks in order. It decides nothing about a
// ticket: what it has read may be older than the row. It has tickets looked at.
func (s *Service) reconcile(ctx context.Context, claim *work.Claim) work.Outcome {
	ctx, cancel := context.WithTimeout(ctx, s.Pace.Run)
	defer cancel()
	c, err := s.DB.Client().PSAConnection.Query().Where(psaconnection.ID(claim.ID)).Only(ctx)
	if err != nil {
		return work.Outcome{Err: fmt.Errorf("read PSA connection %s: %w", claim.ID, err)}
	}
	if c.DisconnectedAt != nil {
		return work.Outcome{}
	}
	p := &poll{Service: s, claim: claim, connection: c}
	again := s.Now().Add(s.Pace.Poll)
	if err := p.all(ctx); err != nil {
		s.Logger.WarnContext(ctx, "the tickets of a PSA connection could not be compared; the next pass tries again",
			"connection", c.ID, "organization", c.OrganizationID, "error", err)
		out, _ := outcomeOf(err)
		out.Final = false
		if failed := s.fails(ctx, c, err); failed != nil {
			out.Err = errors.Join(err, failed)
		}
		return out
	}
	if err := s.answered(ctx, c); err != nil {
		return work.Outcome{Err: err}
	}
	return work.Outcome{Again: again}
}

// poll is one pass over a connection, under its claim.
type poll struct {
	*Service

	claim      *work.Claim
	connection *ent.PSAConnection
	adapter    psa.Adapter
}

func (p *poll) all(ctx context.Context) (err error) {
	if p.adapter, err = p.Adapter(p.connection); err != nil {
		return err
	}
	probing := p.connection.NextProbeAt == nil || !p.connection.NextProbeAt.After(p.Now())
	if probing {
		if err := p.backfill(ctx); err != nil {
			return err
		}
	}
	if err := p.changes(ctx); err != nil {
		return err
	}
	if err := p.callbacks(ctx); err != nil {
		return err
	}
	if !probing {
		return nil
	}
	return p.probe(ctx)
}

// save writes how far the connection has been read.
func (p *poll) save(ctx context.Context, set func(*ent.PSAConnectionUpdateOne)) error {
	return p.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		u := tx.Client.PSAConnection.UpdateOneID(p.connection.ID)
		set(u)
		return u.Exec(ctx)
	})
}

// backfill requests tickets for incidents that were live before there was the
// connection, or became so while it was being made.
func (p *poll) backfill(ctx context.Context) error {
	for {
		ids, err := p.DB.Client().Incident.Query().Where(
			incident.IsLive(true), incident.StatusIn(incident.StatusOpen, incident.StatusContained),
			incident.Not(incident.HasTicketsWith(ticket.ConnectionID(p.connection.ID))),
			leadingHere(p.connection), notElsewhere(p.connection),
		).Order(incident.ByDetectedAt(), incident.ByID()).Limit(followChunk).IDs(ctx)
		if err != nil {
			return fmt.Errorf("read the live incidents without a ticket: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		err = p.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			rows, err := tx.Client.Incident.Query().Where(incident.IDIn(ids...), locked).Order(incident.ByID()).All(ctx)
			if err != nil {
				return err
			}
			have, err := tx.Client.Ticket.Query().Where(ticket.ConnectionID(p.connection.ID), ticket.IncidentIDIn(ids...)).All(ctx)
			if err != nil {
				return err
			}
			for _, i := range rows {
				if slices.ContainsFunc(have, func(t *ent.Ticket) bool { return t.IncidentID == i.ID }) {
					continue
				}
				if err := p.request(ctx, tx, i, p.connection, "The incident was live when the PSA was connected."); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("request tickets for live incidents: %w", err)
		}
	}
}

// changes asks for the tickets that changed since the last time, some time over.
func (p *poll) changes(ctx context.Context) error {
	lister, ok := p.adapter.(psa.ChangeLister)
	if !ok {
		return nil
	}
	since := p.connection.CreatedAt
	if p.connection.ChangesSince != nil {
		since = *p.connection.ChangesSince
	}
	// Of any board: a ticket may have been moved to another.
	changed, err := lister.ChangedTickets(ctx, "", since.Add(-p.Pace.Overlap))
	if err != nil {
		return err
	}
	if err := p.compare(ctx, changed); err != nil {
		return err
	}
	newest := since
	for _, x := range changed {
		if x.ChangedAt.After(newest) {
			newest = x.ChangedAt
		}
	}
	if newest.Equal(since) && p.connection.ChangesSince != nil {
		return nil
	}
	return p.save(ctx, func(u *ent.PSAConnectionUpdateOne) { u.SetChangesSince(newest) })
}

// probeChunk is how many tickets are asked for at once.
const probeChunk = 100

// probe asks for every ticket that is not closed: deleting one shows in no list
// of changes.
func (p *poll) probe(ctx context.Context) error {
	behind := ""
	for {
		rows, err := p.DB.Client().Ticket.Query().Where(ticket.ConnectionID(p.connection.ID), ticket.ExternalIDNEQ(""), ticket.ExternalClosed(false),
			ticket.StateNEQ(ticket.StateDeleted), ticket.IDGT(behind)).Order(ticket.ByID()).Limit(probeChunk).All(ctx)
		if err != nil {
			return fmt.Errorf("read the tickets of PSA connection %s: %w", p.connection.ID, err)
		}
		if len(rows) == 0 {
			break
		}
		behind = rows[len(rows)-1].ID
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ExternalID
		}
		there, err := p.adapter.ReadTickets(ctx, ids)
		if err != nil {
			return err
		}
		if err := p.compare(ctx, there); err != nil {
			return err
		}
		var missing []string
		for _, row := range rows {
			if !slices.ContainsFunc(there, func(x psa.Ticket) bool { return x.ID == row.ExternalID }) {
				missing = append(missing, row.ID)
			}
		}
		if err := p.wake(ctx, missing, nil); err != nil {
			return err
		}
	}
	return p.save(ctx, func(u *ent.PSAConnectionUpdateOne) { u.SetNextProbeAt(p.Now().Add(p.Pace.Probe)) })
}

// compare finds the tickets that tell other than their rows, or that carry the
// reference of a row which knows another, and has them looked at.
func (p *poll) compare(ctx context.Context, there []psa.Ticket) error {
	for part := range slices.Chunk(there, followChunk) {
		byID, byReference := map[string]psa.Ticket{}, map[string]psa.Ticket{}
		var ids, references []string
		for _, x := range part {
			byID[x.ID] = x
			ids = append(ids, x.ID)
			if x.Reference != "" {
				byReference[x.Reference] = x
				references = append(references, x.Reference)
			}
		}
		rows, err := p.DB.Client().Ticket.Query().Where(ticket.ConnectionID(p.connection.ID), ticket.StateNEQ(ticket.StateDeleted),
			ticket.Or(ticket.ExternalIDIn(ids...), ticket.IDIn(references...))).Order(ticket.ByID()).All(ctx)
		if err != nil {
			return fmt.Errorf("read the tickets of PSA connection %s: %w", p.connection.ID, err)
		}
		var changed, doubled []string
		for _, row := range rows {
			if x, ok := byID[row.ExternalID]; ok && news(row, x) {
				changed = append(changed, row.ID)
			}
			if x, ok := byReference[row.ID]; ok && row.ExternalID != "" && !row.Merged && x.ID != row.ExternalID && x.MergedIn == "" && !x.Closed {
				doubled = append(doubled, row.ID)
			}
		}
		if err := p.wake(ctx, changed, nil); err != nil {
			return err
		}
		if err := p.wake(ctx, doubled, func(u *ent.TicketUpdateOne) { u.SetDoubled(true) }); err != nil {
			return err
		}
	}
	return nil
}

// news says whether a ticket is to be looked at: it tells other than its row, or
// somebody has written on it.
func news(t *ent.Ticket, x psa.Ticket) bool {
	_, written := planReplies(facts{ticket: t}, x)
	return x.MergedIn != "" || differs(t, x) || written
}

// wake has tickets looked at by whoever claims them next. ids are in order.
func (s *Service) wake(ctx context.Context, ids []string, set func(*ent.TicketUpdateOne)) error {
	if len(ids) == 0 {
		return nil
	}
	err := s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		rows, err := tx.Client.Ticket.Query().Where(ticket.IDIn(ids...), locked).Order(ticket.ByID()).All(ctx)
		if err != nil {
			return err
		}
		for _, t := range rows {
			if set != nil {
				u := tx.Client.Ticket.UpdateOne(t)
				set(u)
				if err := u.Exec(ctx); err != nil {
					return err
				}
			}
			s.changed(tx, t)
			if err := s.Work.Wake(ctx, tx, tickets, t.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("have tickets looked at: %w", err)
	}
	return nil
}

// restart has tickets tried at once, whatever they waited for.
func (s *Service) restart(ctx context.Context, tx *database.Tx, which ...predicate.Ticket) error {
	rows, err := tx.Client.Ticket.Query().Where(append(which, locked)...).Order(ticket.ByID()).All(ctx)
	if err != nil {
		return fmt.Errorf("read the tickets to try again: %w", err)
	}
	for _, t := range rows {
		if err := tx.Client.Ticket.UpdateOne(t).SetState(ticket.StatePending).SetUpdatedAt(s.Now()).Exec(ctx); err != nil {
			return fmt.Errorf("try ticket %s again: %w", t.ID, err)
		}
		s.changed(tx, t)
		if err := s.Work.Restart(ctx, tx, tickets, t.ID); err != nil {
			return err
		}
	}
	return nil
}

// callbacks has the PSA call when tickets change. That it can't is no failure of
// the connection: polls find what callbacks would have told.
func (p *poll) callbacks(ctx context.Context) error {
	receiver, ok := p.adapter.(psa.CallbackReceiver)
	c := p.connection
	if !ok || p.PublicURL == nil || p.PublicURL.Scheme != "https" || c.CallbacksAt != nil && c.CallbacksAt.Add(p.Pace.Callbacks).After(p.Now()) {
		return nil
	}
	own, err := p.open(c, callbackColumn, c.CallbackSecret)
	if err != nil {
		return err
	}
	state, err := receiver.EnsureCallbacks(ctx, psa.Callbacks{URL: p.callbackURL(c.ID).String(), Secret: string(own)})
	if e, isPSA := errors.AsType[*psa.Error](err); isPSA && !concernsConnection(e.Reason) {
		p.Logger.WarnContext(ctx, "the PSA does not call back when tickets change; polls find what it would tell", "connection", c.ID, "error", err)
		return p.save(ctx, func(u *ent.PSAConnectionUpdateOne) { u.SetCallbacksAt(p.Now()).SetCallbackError(explain(c, "", err)) })
	}
	if err != nil {
		return err
	}
	var theirs []byte
	if state.Secret != "" && state.Secret != string(own) {
		if theirs, err = p.seal(c, callbackColumn, []byte(state.Secret)); err != nil {
			return err
		}
	}
	return p.save(ctx, func(u *ent.PSAConnectionUpdateOne) {
		u.SetCallbacksAt(p.Now()).SetCallbackError("")
		if theirs != nil {
			u.SetCallbackSecret(theirs)
		}
	})
}

// CallbackPath is where PSAs call, followed by the connection's id.
const CallbackPath = "/webhooks/psa/"

func (s *Service) callbackURL(connectionID string) *url.URL {
	return s.PublicURL.JoinPath(CallbackPath, connectionID)
}

// Callback takes a call of the PSA in: the tickets it names are looked at soon.
// What else it says is not believed. A *psa.Error FORGED is for a call that the
// PSA did not make; a connection that does not exist is the same to the caller.
func (s *Service) Callback(ctx context.Context, connectionID string, header map[string][]string, body []byte) error {
	c, err := s.DB.Client().PSAConnection.Query().Where(psaconnection.ID(connectionID), psaconnection.DisconnectedAtIsNil()).Only(ctx)
	if ent.IsNotFound(err) {
		return &psa.Error{Reason: psa.ReasonForged, Doing: "take a callback", Message: "no such connection"}
	}
	if err != nil {
		return fmt.Errorf("read PSA connection %s: %w", connectionID, err)
	}
	adapter, err := s.Adapter(c)
	if err != nil {
		return err
	}
	receiver, ok := adapter.(psa.CallbackReceiver)
	if !ok {
		return &psa.Error{Reason: psa.ReasonForged, Doing: "take a callback", Message: "this PSA makes none"}
	}
	own, err := s.open(c, callbackColumn, c.CallbackSecret)
	if err != nil {
		return err
	}
	called, err := receiver.ReadCallback(ctx, psa.CallbackCall{Header: header, Body: body, Secret: string(own)})
	if err != nil {
		return err
	}
	if called.Ended {
		err := s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			if err := tx.Client.PSAConnection.UpdateOneID(c.ID).ClearCallbacksAt().Exec(ctx); err != nil {
				return err
			}
			return s.Work.Wake(ctx, tx, connections, c.ID)
		})
		if err != nil {
			return fmt.Errorf("note that the PSA has stopped calling: %w", err)
		}
	}
	if len(called.TicketIDs) == 0 {
		return nil
	}
	ids, err := s.DB.Client().Ticket.Query().Where(ticket.ConnectionID(c.ID), ticket.StateNEQ(ticket.StateDeleted),
		ticket.ExternalIDIn(called.TicketIDs...)).Order(ticket.ByID()).IDs(ctx)
	if err != nil {
		return fmt.Errorf("read the tickets a callback names: %w", err)
	}
	return s.wake(ctx, ids, nil)
}

// OrganizationOf returns the organization a connection belongs to, for callers
// that come with nothing but its id; ctx reaches across organizations.
func (s *Service) OrganizationOf(ctx context.Context, connectionID string) (string, error) {
	c, err := s.DB.Client().PSAConnection.Query().Where(psaconnection.ID(connectionID)).Only(ctx)
	if ent.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read PSA connection %s: %w", connectionID, err)
	}
	return c.OrganizationID, nil
}
