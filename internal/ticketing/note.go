package ticketing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incidentevent"
	"github.com/cairn-itdr/cairn/ent/ticketevent"
	"github.com/cairn-itdr/cairn/ent/ticketstep"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/database"
	incidents "github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/literal"
)

// noteTexts are the notes that the ticket is to hold: an event of the incident
// each, and before them what a description that can't be hidden left out.
func (v *visit) noteTexts(d psa.Description) []noteText {
	var out []noteText
	if d.PublicDescription {
		out = append(out, noteText{sequence: 0, kind: incidentevent.KindOpened, marker: v.marker(0)})
	}
	for _, e := range v.events {
		out = append(out, noteText{sequence: e.Sequence, kind: e.Kind, marker: v.marker(e.Sequence)})
	}
	return out
}

// marker is what a note is found by.
func (v *visit) marker(sequence int) string {
	return fmt.Sprintf("[cairn %s/%d]", v.ticket.ID, sequence)
}

// public says whether the company's people may read what Cairn writes.
func (v *visit) public() bool { return v.connection.PublicNotes && v.incident.Published }

func (v *visit) eventAt(sequence int) *ent.IncidentEvent {
	for _, e := range v.events {
		if e.Sequence == sequence {
			return e
		}
	}
	return nil
}

// addNote tells the ticket of one thing that has happened to the incident.
func (v *visit) addNote(ctx context.Context, n noteText) error {
	d := v.adapter.Describe()
	text, told := v.details(d, n.marker), "all that was known"
	if e := v.eventAt(n.sequence); e != nil {
		text, told = noteOf(e, n.marker, d), e.Text
	}
	s, err := v.begin(ctx, ticketstep.KindNote, n.sequence, "", nil)
	if err != nil {
		return err
	}
	v.at("note begun")
	internal := !v.public()
	made, err := v.adapter.AddNote(ctx, v.ticket.ExternalID, psa.NewNote{Text: text, Internal: internal, Settings: noteSettings(v.connection, internal)})
	v.at("note called")
	if err != nil {
		return v.callFailed(ctx, s, err)
	}
	return v.save(ctx, s, made.ID, func(*ent.TicketUpdateOne) {}, event{kind: ticketevent.KindNoted, text: "Noted on the ticket: " + told})
}

// noted writes that a note is there which a call whose answer was lost had added.
func (v *visit) noted(ctx context.Context, st step) error {
	steps := facts{steps: v.steps}.openNotes(st.note.sequence)
	told := "all that was known"
	if e := v.eventAt(st.note.sequence); e != nil {
		told = e.Text
	}
	return v.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := settleSteps(ctx, tx, steps); err != nil {
			return err
		}
		return v.write(ctx, tx, nil, "", func(*ent.TicketUpdateOne) {}, event{kind: ticketevent.KindNoted, text: "Noted on the ticket: " + told})
	})
}

// replyLimit is as much of a person's note as is repeated, in characters.
const replyLimit = 8000

// replies tells what people have written on the ticket, each note once.
func (v *visit) replies(ctx context.Context) error {
	known, err := v.DB.Client().TicketEvent.Query().Where(ticketevent.TicketID(v.ticket.ID), ticketevent.ExternalIDNotNil()).All(ctx)
	if err != nil {
		return fmt.Errorf("read the notes of ticket %s: %w", v.ticket.ID, err)
	}
	have := map[string]bool{}
	for _, e := range known {
		have[*e.ExternalID] = true
	}
	fresh := slices.DeleteFunc(slices.Clone(v.seen.notes), func(n psa.Note) bool {
		return have[v.noteID(n)] || n.By.Kind == psa.AuthorOurs || strings.Contains(n.Text, "[cairn "+v.ticket.ID)
	})
	return v.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := v.tellIncident(ctx, fresh); err != nil { // locks the incident, and so it comes first
			return err
		}
		if err := v.claim.Check(ctx, tx); err != nil {
			return err
		}
		for _, n := range fresh {
			at := n.CreatedAt
			if at.IsZero() {
				at = v.Now()
			}
			err := tx.Client.TicketEvent.Create().SetOrganizationID(v.ticket.OrganizationID).SetTenantID(v.ticket.TenantID).SetTicketID(v.ticket.ID).
				SetAt(at.UTC()).SetKind(ticketevent.KindReplied).SetInPsa(true).SetBy(literal.Text(n.By.Name)).SetInternal(n.Internal).
				SetText(cut(literal.Text(n.Text), replyLimit)).SetExternalID(v.noteID(n)).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return v.write(ctx, tx, nil, "", func(u *ent.TicketUpdateOne) { u.SetNotesAsOf(asStored(v.seen.ticket.ChangedAt)) })
	})
}

// noteID tells a note from those of other tickets.
func (v *visit) noteID(n psa.Note) string { return v.ticket.ExternalID + "/" + n.ID }

// tellIncident puts what staff have written on the incident's timeline.
func (v *visit) tellIncident(ctx context.Context, notes []psa.Note) error {
	if v.Tell == nil {
		return nil
	}
	var told []incidents.Note
	for _, n := range notes {
		if n.By.Kind == psa.AuthorStaff {
			told = append(told, incidents.Note{
				Kind: incidentevent.KindNoted, By: literal.Text(n.By.Name), Text: cut(literal.Text(n.Text), replyLimit),
				Internal: n.Internal, TicketID: v.ticket.ID,
			})
		}
	}
	return v.Tell(ctx, v.incident.ID, told...)
}
