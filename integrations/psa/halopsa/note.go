package halopsa

import (
	"cmp"
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// action is a note, and everything else that happens to a ticket.
type action struct {
	TicketID    int     `json:"ticket_id"`
	ID          int     `json:"id"` // of this ticket's: another's has the same
	Note        string  `json:"note"`
	HTML        string  `json:"note_html"`
	Hidden      bool    `json:"hiddenfromuser"`
	At          string  `json:"datetime"`
	CreatedAt   string  `json:"actiondatecreated"`
	Who         string  `json:"who"`
	Agent       int     `json:"actionby_agent_id"`
	User        int     `json:"actionby_user_id"`
	Application string  `json:"actionby_application_id"`
	TimeTaken   float64 `json:"timetaken"` // hours
}

func (n action) as(clientID string, me int) psa.Note {
	return psa.Note{
		ID: strconv.Itoa(n.ID), Text: first(n.Note, plain(n.HTML)), Internal: n.Hidden, CreatedAt: when(first(n.At, n.CreatedAt)),
		By: n.authorOf(clientID, me), WorkTime: n.TimeTaken > 0,
	}
}

var (
	breaks = regexp.MustCompile(`(?i)<br\s*/?>|</p>|</div>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// plain is the text of a note that has HTML alone.
func plain(markup string) string {
	return strings.TrimSpace(html.UnescapeString(tags.ReplaceAllString(breaks.ReplaceAllString(markup, "\n"), "")))
}

// AddNote adds an action with an outcome. Whether people of the client see it,
// and that nobody is written to, is said each time: outcomes have their own
// opinion of both.
func (a *Adapter) AddNote(ctx context.Context, ticketID string, n psa.NewNote) (psa.Note, error) {
	const doing = "add note"
	if err := wire.TooLong(doing, "note", n.Text, maxText); err != nil {
		return psa.Note{}, err
	}
	id, err := wire.Number(doing, "ticket_id", ticketID)
	if err != nil {
		return psa.Note{}, err
	}
	if n.Settings[psa.SettingOutcome] == "" {
		return psa.Note{}, wire.Invalid(doing, string(psa.SettingOutcome), "HaloPSA takes no note without an outcome: choose one")
	}
	outcome, err := wire.Number(doing, string(psa.SettingOutcome), n.Settings[psa.SettingOutcome])
	if err != nil {
		return psa.Note{}, err
	}
	var made action
	err = a.do(ctx, call{doing: doing, method: http.MethodPost, resource: "Actions", out: &made, body: []any{map[string]any{
		"ticket_id": id, "outcome_id": outcome, "note_html": markup(n.Text), "hiddenfromuser": n.Internal, "sendemail": false,
	}}})
	if err != nil {
		return psa.Note{}, err
	}
	if made.ID == 0 || made.TicketID != id {
		return psa.Note{}, wire.Unclear(doing, "the answer names no note of this ticket")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return made.as(a.clientID, a.me), nil
}

// maxActions is how many actions of a ticket are asked for: this list has no
// pages, and fewer without a number.
const maxActions = 10_000

// Notes returns a ticket's actions but for those of the system.
func (a *Adapter) Notes(ctx context.Context, ticketID string) ([]psa.Note, error) {
	const doing = "read notes"
	id, err := wire.Number(doing, "ticket_id", ticketID)
	if err != nil {
		return nil, err
	}
	var got list[action]
	err = a.do(ctx, call{doing: doing, method: http.MethodGet, resource: "Actions", out: &got, query: url.Values{
		"ticket_id": {strconv.Itoa(id)}, "excludesys": {"true"}, "includehtmlnote": {"true"}, "count": {strconv.Itoa(maxActions)},
	}})
	if err != nil {
		return nil, err
	}
	if len(got.Actions) < got.RecordCount {
		return nil, &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Retryable: true, Message: "HaloPSA sent fewer actions than there are"}
	}
	me, err := a.ourselves(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(got.Actions, func(n action) bool { return n.TicketID != id || n.Note == "" && n.HTML == "" })
	slices.SortFunc(all, func(x, y action) int { return cmp.Compare(x.ID, y.ID) })
	out := make([]psa.Note, len(all))
	for i, n := range all {
		out[i] = n.as(a.clientID, me)
	}
	return out, nil
}
