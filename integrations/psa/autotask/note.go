package autotask

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// note is one of the API's, as far as we ask.
type note struct {
	ID        int    `json:"id"`
	TicketID  int    `json:"ticketID"`
	Title     string `json:"title"`
	Text      string `json:"description"`
	Type      int    `json:"noteType"`
	Publish   int    `json:"publish"`
	Creator   int    `json:"creatorResourceID"`
	Contact   int    `json:"createdByContactID"`
	CreatedAt string `json:"createDateTime"`
}

// publishing finds the choice of publish for a note, and refuses one that says
// otherwise, or where nobody can tell: a note meant for staff must not be shown.
func (a *Adapter) publishing(ctx context.Context, doing string, n psa.NewNote) (int, error) {
	want := psa.VisiblePublic
	if n.Internal {
		want = psa.VisibleInternal
	}
	all, err := a.fieldsKnown(ctx, doing, "TicketNotes", "fields")
	if err != nil {
		return 0, err
	}
	wrong := func(message string) (int, error) { return 0, wire.Invalid(doing, string(psa.SettingOutcome), message) }
	var fit []psa.Choice
	for _, c := range offered(all, "publish") {
		if chosen := n.Settings[psa.SettingOutcome]; chosen != "" && c.ID == chosen {
			if c.Shown != "" && c.Shown != want {
				return wrong(fmt.Sprintf("%q is not for such notes: choose another", c.Name))
			}
			return wire.Number(doing, string(psa.SettingOutcome), c.ID)
		}
		if !c.Inactive && c.Shown == want {
			fit = append(fit, c)
		}
	}
	if n.Settings[psa.SettingOutcome] != "" {
		return wrong("Autotask does not offer this choice any more")
	}
	if len(fit) != 1 {
		return wrong("it is not clear who reads notes here: choose what to publish")
	}
	return wire.Number(doing, string(psa.SettingOutcome), fit[0].ID)
}

// typeOf is the chosen type of a note, or the first that people write.
func (a *Adapter) typeOf(ctx context.Context, doing string, n psa.NewNote) (int, error) {
	if chosen := n.Settings[psa.SettingNoteType]; chosen != "" {
		return wire.Number(doing, string(psa.SettingNoteType), chosen)
	}
	all, err := a.fieldsKnown(ctx, doing, "TicketNotes", "fields")
	if err != nil {
		return 0, err
	}
	for _, c := range offered(all, "noteType") {
		if !c.Inactive && c.ID != strconv.Itoa(noteWorkflowRule) {
			return wire.Number(doing, string(psa.SettingNoteType), c.ID)
		}
	}
	return 0, wire.Invalid(doing, string(psa.SettingNoteType), "Autotask offers no type of note")
}

// AddNote adds a note. Its title, which some categories require, is its first
// line.
func (a *Adapter) AddNote(ctx context.Context, ticketID string, n psa.NewNote) (psa.Note, error) {
	const doing = "add note"
	if err := wire.TooLong(doing, "description", n.Text, maxNote); err != nil {
		return psa.Note{}, err
	}
	id, err := wire.Number(doing, "ticketID", ticketID)
	if err != nil {
		return psa.Note{}, err
	}
	publish, err := a.publishing(ctx, doing, n)
	if err != nil {
		return psa.Note{}, err
	}
	kind, err := a.typeOf(ctx, doing, n)
	if err != nil {
		return psa.Note{}, err
	}
	text := wire.Printable(n.Text)
	title, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(title); len(runes) > maxNoteTitle {
		title = string(runes[:maxNoteTitle])
	}
	made, err := a.write(ctx, doing, http.MethodPost, fmt.Sprintf("Tickets/%d/Notes", id), map[string]any{
		"title": title, "description": text, "noteType": kind, "publish": publish,
	})
	if err != nil {
		return psa.Note{}, err
	}
	return psa.Note{ID: strconv.Itoa(made), Text: text, Internal: n.Internal, CreatedAt: a.now(), By: psa.Author{Kind: psa.AuthorOurs, Name: a.user}}, nil
}

// worked is an entry of working time.
type worked struct {
	ID        int    `json:"id"`
	TicketID  int    `json:"ticketID"`
	Resource  int    `json:"resourceID"`
	Summary   string `json:"summaryNotes"`
	Internal  string `json:"internalNotes"`
	CreatedAt string `json:"createDateTime"`
}

// Notes returns a ticket's notes and the texts of its time entries.
func (a *Adapter) Notes(ctx context.Context, ticketID string) ([]psa.Note, error) {
	const doing = "read notes"
	id, err := wire.Number(doing, "ticketID", ticketID)
	if err != nil {
		return nil, err
	}
	notes, err := queried[note](ctx, a, doing, "TicketNotes", query{Filter: []filter{eq("ticketID", id)}})
	if err != nil {
		return nil, err
	}
	times, err := queried[worked](ctx, a, doing, "TimeEntries", query{Filter: []filter{eq("ticketID", id)}})
	if err != nil && !psa.Is(err, psa.ReasonPermission) {
		return nil, err
	}
	known, err := a.fieldsKnown(ctx, doing, "TicketNotes", "fields")
	if err != nil {
		return nil, err
	}
	me, err := a.ourselves(ctx)
	if err != nil {
		return nil, err
	}
	internal := map[string]bool{}
	for _, c := range offered(known, "publish") {
		internal[c.ID] = c.Shown == psa.VisibleInternal
	}
	var out []psa.Note
	slices.SortFunc(notes, func(x, y note) int { return cmp.Compare(x.ID, y.ID) })
	for _, n := range notes {
		if n.TicketID != id {
			continue
		}
		by := authorOf(n.Creator, n.Contact, me)
		if n.Type == noteWorkflowRule {
			by.Kind = psa.AuthorSystem
		}
		out = append(out, psa.Note{
			ID: strconv.Itoa(n.ID), Text: n.Text, Internal: internal[strconv.Itoa(n.Publish)], CreatedAt: when(n.CreatedAt), By: by,
		})
	}
	for _, w := range times {
		for kind, text := range map[string]string{"time": w.Summary, "time-internal": w.Internal} {
			if text != "" && w.TicketID == id {
				out = append(out, psa.Note{
					ID: fmt.Sprintf("%s/%d", kind, w.ID), Text: text, Internal: kind != "time", CreatedAt: when(w.CreatedAt),
					By: authorOf(w.Resource, 0, me), WorkTime: true,
				})
			}
		}
	}
	slices.SortStableFunc(out, func(x, y psa.Note) int { return x.CreatedAt.Compare(y.CreatedAt) })
	return out, nil
}
