package ticketing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
)

// seen keeps what the PSA says of a ticket. What Cairn set itself comes back in
// the PSA's answer and is kept in the same transaction, so that it is no news
// when the poll or a callback brings it again.
func seen(u *ent.TicketUpdateOne, there psa.Ticket, now time.Time) {
	status := there.Settings[psa.SettingStatus]
	u.SetExternalNumber(there.Number).SetExternalURL(there.URL).
		SetExternalStatus(status.Name).SetExternalStatusID(status.ID).SetExternalClosed(there.Closed).SetSeenAt(now)
}

// news says whether the PSA tells other than the row.
func news(t *ent.Ticket, there psa.Ticket) bool {
	return there.MergedIn != "" || there.Closed != t.ExternalClosed || there.Settings[psa.SettingStatus].ID != t.ExternalStatusID
}

// look reads the ticket, which this worker holds, and tells what people did.
func (v *visit) look(ctx context.Context) error {
	id := v.ticket.ExternalID
	for range maxMerges {
		found, err := v.adapter.ReadTickets(ctx, []string{id})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return v.gone(ctx)
		}
		there := found[0]
		if there.MergedIn == "" {
			return v.saw(ctx, there)
		}
		into := there.MergedIn
		err = v.save(ctx, func(u *ent.TicketUpdateOne) { u.SetExternalID(into) }, event{
			kind: ticketevent.KindMerged, inPSA: true, by: there.ChangedBy.Name,
			text: fmt.Sprintf("Ticket %s was merged into #%s, which Cairn follows from here on.", numberOf(there), into),
		})
		if err != nil {
			return err
		}
		id = into
	}
	return &psa.Error{Reason: psa.ReasonProtocol, Doing: "follow merged ticket", Message: "the tickets are merged into one another without end"}
}

// maxMerges is how many merges in a row are followed.
const maxMerges = 10

func (v *visit) saw(ctx context.Context, there psa.Ticket) error {
	if !news(v.ticket, there) {
		return v.save(ctx, func(u *ent.TicketUpdateOne) { seen(u, there, v.Now()) })
	}
	status := there.Settings[psa.SettingStatus].Name
	e := event{
		kind: ticketevent.KindStatusChanged, inPSA: true, by: there.ChangedBy.Name,
		text: fmt.Sprintf("Status of ticket %s: %s.", numberOf(there), status),
	}
	switch {
	case there.Closed && !v.ticket.ExternalClosed:
		e.kind, e.text = ticketevent.KindClosed, fmt.Sprintf("Ticket %s was closed (%s). The incident stays as it is.", numberOf(there), status)
	case !there.Closed && v.ticket.ExternalClosed:
		e.kind, e.text = ticketevent.KindReopened, fmt.Sprintf("Ticket %s was opened again (%s).", numberOf(there), status)
	}
	return v.save(ctx, func(u *ent.TicketUpdateOne) { seen(u, there, v.Now()) }, e)
}

// Reconcile does what time asks of a connection: it reads what changed, probes
// what no list of changes shows, and keeps the PSA's callbacks in order. It runs
// within the scope of the organization; two at once do no harm.
func (s *Service) Reconcile(ctx context.Context, connectionID string) error {
	c, err := s.take(ctx, connectionID)
	if err != nil || c == nil {
		return err
	}
	_, adapter, err := s.adapter(c)
	if err != nil {
		return s.strike(ctx, c.ID, err, true)
	}
	err = errors.Join(s.poll(ctx, c, adapter), s.probe(ctx, c, adapter), s.callbacks(ctx, c, adapter))
	if _, isPSA := errors.AsType[*psa.Error](err); isPSA {
		s.Logger.WarnContext(ctx, "the tickets of a PSA connection could not be compared; the next pass tries again",
			"connection", c.ID, "organization", c.OrganizationID, "error", err)
		return s.strike(ctx, c.ID, err, true)
	}
	if err != nil {
		return err
	}
	return s.answered(ctx, c.ID)
}

// take gives the next poll of a connection to this worker; nil where it is not due.
func (s *Service) take(ctx context.Context, connectionID string) (c *ent.PSAConnection, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := s.Now()
		c, err = tx.Client.PSAConnection.Query().Where(psaconnection.ID(connectionID), psaconnection.DisconnectedAtIsNil(), locked).Only(ctx)
		if ent.IsNotFound(err) {
			c = nil
			return nil
		}
		if err != nil {
			return err
		}
		resting := c.PausedUntil != nil && c.PausedUntil.After(now)
		if early := c.NextPollAt != nil && c.NextPollAt.After(now); early || resting || chosen(c, Board) == "" {
			c = nil
			return nil
		}
		return tx.Client.PSAConnection.UpdateOneID(c.ID).SetNextPollAt(now.Add(s.Pace.Poll)).Exec(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("take the poll of PSA connection %s: %w", connectionID, err)
	}
	return c, nil
}

// poll asks for the tickets that changed since the last poll, some time over,
// and has those looked at that tell other than their rows.
func (s *Service) poll(ctx context.Context, c *ent.PSAConnection, adapter psa.Adapter) error {
	lister, ok := adapter.(psa.ChangeLister)
	if !ok {
		return nil
	}
	since := c.CreatedAt
	if c.ChangesSince != nil {
		since = *c.ChangesSince
	}
	changed, err := lister.ChangedTickets(ctx, chosen(c, Board), since.Add(-s.Pace.Overlap))
	if err != nil {
		return err
	}
	if err := s.compare(ctx, c, changed); err != nil {
		return err
	}
	newest := since
	for _, x := range changed {
		if x.ChangedAt.After(newest) {
			newest = x.ChangedAt
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.PSAConnection.UpdateOneID(c.ID).SetChangesSince(newest).Exec(ctx)
	})
}

// probeChunk is how many tickets are asked for at once.
const probeChunk = 100

// probe asks for every ticket that is not closed: deleting and moving one shows
// in no list of changes.
func (s *Service) probe(ctx context.Context, c *ent.PSAConnection, adapter psa.Adapter) error {
	if c.NextProbeAt != nil && c.NextProbeAt.After(s.Now()) {
		return nil
	}
	behind := ""
	for {
		rows, err := s.DB.Client().Ticket.Query().Where(
			ticket.ConnectionID(c.ID), ticket.ExternalIDNEQ(""), ticket.ExternalClosed(false), ticket.StateNEQ(ticket.StateDeleted), ticket.IDGT(behind),
		).Order(ticket.ByID()).Limit(probeChunk).All(ctx)
		if err != nil {
			return fmt.Errorf("read the tickets of PSA connection %s: %w", c.ID, err)
		}
		if len(rows) == 0 {
			break
		}
		behind = rows[len(rows)-1].ID
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ExternalID
		}
		there, err := adapter.ReadTickets(ctx, ids)
		if err != nil {
			return err
		}
		if err := s.compare(ctx, c, there); err != nil {
			return err
		}
		var missing []string
		for _, id := range ids {
			if !slices.ContainsFunc(there, func(x psa.Ticket) bool { return x.ID == id }) {
				missing = append(missing, id)
			}
		}
		if err := s.lookAt(ctx, c, missing); err != nil {
			return err
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.PSAConnection.UpdateOneID(c.ID).SetNextProbeAt(s.Now().Add(s.Pace.Probe)).Exec(ctx)
	})
}

// compare finds the tickets that tell other than their rows, or that carry the
// reference of a row which knows another, and has them looked at. It decides
// nothing itself: what it has read may be older than the row.
func (s *Service) compare(ctx context.Context, c *ent.PSAConnection, there []psa.Ticket) error {
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
		rows, err := s.DB.Client().Ticket.Query().Where(ticket.ConnectionID(c.ID), ticket.StateNEQ(ticket.StateDeleted),
			ticket.Or(ticket.ExternalIDIn(ids...), ticket.IDIn(references...))).All(ctx)
		if err != nil {
			return fmt.Errorf("read the tickets of PSA connection %s: %w", c.ID, err)
		}
		var changed, doubled []string
		for _, row := range rows {
			if x, ok := byID[row.ExternalID]; ok && news(row, x) {
				changed = append(changed, row.ExternalID)
			}
			if x, ok := byReference[row.ID]; ok && row.ExternalID != "" && x.ID != row.ExternalID && x.MergedIn == "" && !x.Closed {
				doubled = append(doubled, row.ID)
			}
		}
		if err := s.lookAt(ctx, c, changed); err != nil {
			return err
		}
		if err := s.verify(ctx, c, doubled); err != nil {
			return err
		}
	}
	return nil
}

// lookAt has tickets read by whoever claims them next.
func (s *Service) lookAt(ctx context.Context, c *ent.PSAConnection, externalIDs []string) error {
	if len(externalIDs) == 0 {
		return nil
	}
	return s.due(ctx, c, func(u *ent.TicketUpdate) { u.SetLook(true) },
		ticketOf(c, ticket.ExternalIDIn(externalIDs...))...)
}

// verify has tickets searched for duplicates by whoever claims them next.
func (s *Service) verify(ctx context.Context, c *ent.PSAConnection, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return s.due(ctx, c, func(u *ent.TicketUpdate) { u.SetVerifyAt(s.Now()) }, ticketOf(c, ticket.IDIn(ids...))...)
}

// callbacks has the PSA call when tickets of the board change.
func (s *Service) callbacks(ctx context.Context, c *ent.PSAConnection, adapter psa.Adapter) error {
	receiver, ok := adapter.(psa.CallbackReceiver)
	if !ok || s.PublicURL == nil || s.PublicURL.Scheme != "https" || c.CallbacksAt != nil && c.CallbacksAt.Add(s.Pace.Callbacks).After(s.Now()) {
		return nil
	}
	state, err := receiver.EnsureCallbacks(ctx, psa.Callbacks{Board: chosen(c, Board), URL: s.callbackURL(c.ID).String()})
	if err != nil {
		return err
	}
	if state.Changed {
		s.Logger.InfoContext(ctx, "the PSA calls back when tickets change", "connection", c.ID)
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return tx.Client.PSAConnection.UpdateOneID(c.ID).SetCallbacksAt(s.Now()).Exec(ctx)
	})
}

// CallbackPath is where PSAs call, followed by the connection's id.
const CallbackPath = "/webhooks/psa/"

func (s *Service) callbackURL(connectionID string) *url.URL {
	return s.PublicURL.JoinPath(CallbackPath, connectionID)
}

// Callback takes a call of the PSA in: the ticket it names is looked at soon.
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
	_, adapter, err := s.adapter(c)
	if err != nil {
		return err
	}
	receiver, ok := adapter.(psa.CallbackReceiver)
	if !ok {
		return &psa.Error{Reason: psa.ReasonForged, Doing: "take a callback", Message: "this PSA makes none"}
	}
	called, err := receiver.ReadCallback(ctx, psa.CallbackCall{Header: header, Body: body})
	if err != nil {
		return err
	}
	return s.lookAt(ctx, c, called.TicketIDs)
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
