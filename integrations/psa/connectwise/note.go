package connectwise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// note is a ticket's note, as it is written and as the two lists give it.
type note struct {
	ID                    int    `json:"id,omitempty"`
	Text                  string `json:"text"`
	DetailDescriptionFlag bool   `json:"detailDescriptionFlag"`
	InternalAnalysisFlag  bool   `json:"internalAnalysisFlag"`
	ResolutionFlag        bool   `json:"resolutionFlag"`
	ProcessNotifications  *bool  `json:"processNotifications,omitempty"`

	// Of the list of notes alone.
	DateCreated string `json:"dateCreated,omitempty"`
	CreatedBy   string `json:"createdBy,omitempty"`

	// Of the list with the entries of working time.
	NoteType       string `json:"noteType,omitempty"`
	OriginalAuthor string `json:"originalAuthor,omitempty"`
	TimeStart      string `json:"timeStart,omitempty"`
	Member         *struct {
		Identifier string `json:"identifier"`
	} `json:"member,omitempty"`
	Contact *reference `json:"contact,omitempty"`
	Info    *struct {
		LastUpdated string `json:"lastUpdated"`
		UpdatedBy   string `json:"updatedBy"`
		DateEntered string `json:"dateEntered"`
		EnteredBy   string `json:"enteredBy"`
	} `json:"_info,omitempty"`
}

func (n note) as(who authors) psa.Note {
	out := psa.Note{
		ID: strconv.Itoa(n.ID), Text: n.Text, Internal: n.InternalAnalysisFlag && !n.DetailDescriptionFlag && !n.ResolutionFlag,
		WorkTime: n.NoteType == "TimeEntryNote",
	}
	if out.WorkTime { // the ids of entries are counted apart
		out.ID = "time/" + out.ID
	}
	by, at := n.CreatedBy, n.DateCreated
	if n.Info != nil {
		by, at = first(by, n.Info.EnteredBy, n.Info.UpdatedBy), first(at, n.Info.DateEntered, n.Info.LastUpdated)
	}
	if n.Member != nil {
		by = first(n.Member.Identifier, by)
	}
	out.By = who.of(first(by, n.OriginalAuthor))
	if n.Contact != nil && n.Contact.ID != 0 {
		out.By = psa.Author{Kind: psa.AuthorContact, Name: n.Contact.Name}
	}
	out.CreatedAt, _ = time.Parse(time.RFC3339, first(at, n.TimeStart)) // none where it can't be read
	return out
}

// first is the first that is not empty.
func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// AddNote adds a note to the internal analysis, or to the discussion, which the
// company's people see. Never to the resolution: that is printed on invoices.
func (a *Adapter) AddNote(ctx context.Context, ticketID string, n psa.NewNote) (psa.Note, error) {
	const doing = "add note"
	if err := wire.TooLong(doing, "text", n.Text, maxNote); err != nil {
		return psa.Note{}, err
	}
	id, err := wire.Number(doing, "id", ticketID)
	if err != nil {
		return psa.Note{}, err
	}
	notify := !n.Internal
	var made note
	err = a.do(ctx, call{
		doing: doing, method: http.MethodPost, resource: fmt.Sprintf("service/tickets/%d/notes", id), out: &made,
		body: note{
			Text: wire.Printable(n.Text), InternalAnalysisFlag: n.Internal, DetailDescriptionFlag: !n.Internal, ProcessNotifications: &notify,
		},
	})
	if err != nil {
		return psa.Note{}, err
	}
	if made.ID == 0 {
		return psa.Note{}, wire.Unclear(doing, "the answer names no note")
	}
	a.learn(made.CreatedBy)
	return made.as(a.knownAuthors()), nil
}

// Notes returns a ticket's notes and the texts of its entries of working time:
// technicians often answer there. Older versions have no list of both.
func (a *Adapter) Notes(ctx context.Context, ticketID string) ([]psa.Note, error) {
	const doing = "read notes"
	id, err := wire.Number(doing, "id", ticketID)
	if err != nil {
		return nil, err
	}
	all, err := pages[note](ctx, a, call{doing: doing, resource: fmt.Sprintf("service/tickets/%d/allNotes", id)}, maxTickets)
	if e, ok := errors.AsType[*psa.Error](err); ok && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed) {
		all, err = a.olderNotes(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	who, err := a.authorsAsked(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]psa.Note, 0, len(all))
	for _, n := range all {
		if n.Text != "" { // an entry of time need say nothing
			out = append(out, n.as(who))
		}
	}
	slices.SortStableFunc(out, func(x, y psa.Note) int { return x.CreatedAt.Compare(y.CreatedAt) })
	return out, nil
}

func (a *Adapter) olderNotes(ctx context.Context, ticket int) ([]note, error) {
	all, err := pages[note](ctx, a, call{
		doing: "read notes", resource: fmt.Sprintf("service/tickets/%d/notes", ticket), query: url.Values{"orderBy": {"id asc"}},
	}, maxTickets)
	if err != nil {
		return nil, err
	}
	type entry struct {
		note

		ID       int    `json:"id"`
		Notes    string `json:"notes"`
		Internal string `json:"internalNotes"`
	}
	times, err := pages[entry](ctx, a, call{doing: "read time entries", resource: "time/entries", query: url.Values{
		"conditions": {fmt.Sprintf(`chargeToId=%d and chargeToType="ServiceTicket"`, ticket)}, "orderBy": {"id asc"},
	}}, maxTickets)
	if psa.Is(err, psa.ReasonPermission) { // the notes alone, then
		return all, nil
	}
	for _, t := range times {
		n := t.note
		n.ID, n.NoteType, n.Text = t.ID, "TimeEntryNote", first(t.Notes, t.Internal)
		n.DetailDescriptionFlag, n.InternalAnalysisFlag = t.Notes != "", t.Notes == ""
		all = append(all, n)
	}
	return all, err
}
