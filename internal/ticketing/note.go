package ticketing

import (
	"context"
	"fmt"
	"strings"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/ent/ticketnote"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
)

// note tells the ticket what has happened to the incident since its first
// text, an event a note, in order. It returns which kinds it told.
func (v *visit) note(ctx context.Context) (told map[incidentevent.Kind]bool, err error) {
	events, err := v.DB.Client().IncidentEvent.Query().Where(
		incidentevent.IncidentID(v.incident.ID), incidentevent.SequenceGT(v.ticket.OpenedRevision),
		incidentevent.SequenceLTE(v.incident.Revision), incidentevent.KindNEQ(incidentevent.KindOpened),
	).Order(incidentevent.BySequence()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the events of incident %s: %w", v.incident.ID, err)
	}
	rows, err := v.DB.Client().TicketNote.Query().Where(ticketnote.TicketID(v.ticket.ID)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the notes of ticket %s: %w", v.ticket.ID, err)
	}
	have := make(map[int]*ent.TicketNote, len(rows))
	for _, row := range rows {
		have[row.Sequence] = row
	}
	told = map[incidentevent.Kind]bool{}
	for _, e := range events {
		row := have[e.Sequence]
		if row != nil && row.ExternalID != "" {
			continue
		}
		if err := v.addNote(ctx, e, row); err != nil {
			return nil, err
		}
		told[e.Kind] = true
	}
	return told, nil
}

// marker is what a note is found by.
func (v *visit) marker(sequence int) string {
	return fmt.Sprintf("[cairn %s/%d]", v.ticket.ID, sequence)
}

func (v *visit) addNote(ctx context.Context, e *ent.IncidentEvent, row *ent.TicketNote) error {
	marker := v.marker(e.Sequence)
	if row != nil { // begun, and not known how it ended
		notes, err := v.adapter.Notes(ctx, v.ticket.ExternalID)
		if err != nil {
			return err
		}
		for _, n := range notes {
			if strings.Contains(n.Text, marker) {
				return v.noted(ctx, e, n)
			}
		}
		if until := row.AttemptedAt.Add(v.Pace.Settle); v.Now().Before(until) {
			return later{until}
		}
	}
	if err := v.beginNote(ctx, e, row); err != nil {
		return err
	}
	n, err := v.adapter.AddNote(ctx, v.ticket.ExternalID, psa.NewNote{Text: noteOf(e, marker, v.adapter.Describe()), Internal: true})
	if err != nil {
		if !maybeDone(err) && row == nil {
			if err := v.forgetNote(ctx, e); err != nil {
				return err
			}
		}
		return v.goneOr(ctx, err)
	}
	return v.noted(ctx, e, n)
}

// beginNote says that the note may be there from now on.
func (v *visit) beginNote(ctx context.Context, e *ent.IncidentEvent, row *ent.TicketNote) error {
	err := v.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := v.stillMine(ctx, tx); err != nil {
			return err
		}
		if row != nil {
			return tx.Client.TicketNote.UpdateOne(row).SetAttemptedAt(v.Now()).Exec(ctx)
		}
		return tx.Client.TicketNote.Create().SetOrganizationID(v.ticket.OrganizationID).SetTenantID(v.ticket.TenantID).
			SetTicketID(v.ticket.ID).SetSequence(e.Sequence).SetAttemptedAt(v.Now()).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("begin note %d of ticket %s: %w", e.Sequence, v.ticket.ID, err)
	}
	return nil
}

// forgetNote takes back that a note was begun: it certainly is not there.
func (v *visit) forgetNote(ctx context.Context, e *ent.IncidentEvent) error {
	return v.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := v.stillMine(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Client.TicketNote.Delete().Where(ticketnote.TicketID(v.ticket.ID), ticketnote.Sequence(e.Sequence), ticketnote.ExternalID("")).Exec(ctx)
		return err
	})
}

func (v *visit) noted(ctx context.Context, e *ent.IncidentEvent, n psa.Note) error {
	return v.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := v.Changed(ctx, tx, v.ticket.TenantID, v.ticket.IncidentID); err != nil {
			return err
		}
		if err := v.stillMine(ctx, tx); err != nil {
			return err
		}
		err := tx.Client.TicketNote.Update().Where(ticketnote.TicketID(v.ticket.ID), ticketnote.Sequence(e.Sequence)).SetExternalID(n.ID).Exec(ctx)
		if err != nil {
			return fmt.Errorf("store note %d of ticket %s: %w", e.Sequence, v.ticket.ID, err)
		}
		return v.tell(ctx, tx, v.ticket, event{kind: ticketevent.KindNoted, text: "Noted on the ticket: " + e.Text})
	})
}
