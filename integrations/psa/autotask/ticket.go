package autotask

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// ticket is one of the API's, as far as we ask.
type ticket struct {
	ID           int    `json:"id"`
	Number       string `json:"ticketNumber"`
	Title        string `json:"title"`
	CompanyID    *int   `json:"companyID"` // 0 is the MSP's own
	QueueID      int    `json:"queueID"`
	Status       int    `json:"status"`
	Priority     int    `json:"priority"`
	IssueType    int    `json:"issueType"`
	SubIssueType int    `json:"subIssueType"`
	Category     int    `json:"ticketCategory"`
	Source       int    `json:"source"`
	WorkType     int    `json:"billingCodeID"`
	ExternalID   string `json:"externalID"`
	CompletedBy  int    `json:"completedByResourceID"`
	Creator      int    `json:"creatorResourceID"`
	LastActivity string `json:"lastActivityDate"`
	LastBy       int    `json:"lastActivityResourceID"`
	LastTracked  string `json:"lastTrackedModificationDateTime"`
}

var ticketFields = []string{
	"id", "ticketNumber", "title", "companyID", "queueID", "status", "priority", "issueType", "subIssueType", "ticketCategory", "source",
	"billingCodeID", "externalID", "completedByResourceID", "creatorResourceID", "lastActivityDate", "lastActivityResourceID",
	"lastTrackedModificationDateTime",
}

// names are the choices of fields, by which numbers in tickets are called.
func (a *Adapter) as(t ticket, names []field, me int) psa.Ticket {
	out := psa.Ticket{
		ID: strconv.Itoa(t.ID), Number: t.Number, Reference: t.ExternalID, Title: t.Title, Closed: t.Status == statusComplete,
		Settings: map[psa.Setting]psa.Choice{}, ChangedAt: when(t.LastActivity), ChangedBy: authorOf(t.LastBy, 0, me), URL: a.pageOf(t.ID),
	}
	if at := when(t.LastTracked); at.After(out.ChangedAt) {
		out.ChangedAt = at
	}
	if t.CompanyID != nil {
		out.CompanyID = strconv.Itoa(*t.CompanyID)
	}
	if out.Closed {
		out.ClosedBy = authorOf(t.CompletedBy, 0, me)
	}
	for setting, value := range map[psa.Setting]int{
		psa.SettingBoard: t.QueueID, psa.SettingStatus: t.Status, psa.SettingPriority: t.Priority, psa.SettingType: t.IssueType,
		psa.SettingSubType: t.SubIssueType, psa.SettingCategory: t.Category, psa.SettingSource: t.Source, psa.SettingWorkType: t.WorkType,
	} {
		if value == 0 {
			continue
		}
		c := psa.Choice{ID: strconv.Itoa(value), Closed: setting == psa.SettingStatus && out.Closed}
		f, _ := fieldFor(setting)
		for _, x := range offered(names, f.name) {
			if x.ID == c.ID {
				c.Name = x.Name
			}
		}
		out.Settings[setting] = c
	}
	return out
}

// pageOf is where people read a ticket, "" where the zone did not say.
func (a *Adapter) pageOf(id int) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.zone == nil || a.zone.people == nil {
		return ""
	}
	page := a.zone.people.JoinPath("Mvc", "ServiceDesk", "TicketDetail.mvc")
	page.RawQuery = url.Values{"ticketId": {strconv.Itoa(id)}}.Encode()
	return page.String()
}

// all are tickets in the contract's words.
func (a *Adapter) all(ctx context.Context, some []ticket) ([]psa.Ticket, error) {
	names, err := a.fieldsKnown(ctx, "name the choices", "Tickets", "fields")
	if err != nil {
		return nil, err
	}
	me, err := a.ourselves(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]psa.Ticket, len(some))
	for i, t := range some {
		out[i] = a.as(t, names, me)
	}
	return out, nil
}

// CreateTicket makes a ticket. Its answer is a number only: the ticket is read
// after it, and where that fails nobody can tell what became of it.
func (a *Adapter) CreateTicket(ctx context.Context, t psa.NewTicket) (psa.Ticket, error) {
	const doing = "create ticket"
	for _, x := range []struct {
		field, text string
		most        int
	}{{"title", t.Title, maxTitle}, {"externalID", t.Reference, maxReference}, {"description", t.Description, maxDescription}} {
		if err := wire.TooLong(doing, x.field, x.text, x.most); err != nil {
			return psa.Ticket{}, err
		}
	}
	company, err := wire.Number(doing, "companyID", t.CompanyID)
	if err != nil {
		return psa.Ticket{}, err
	}
	body := map[string]any{"companyID": company, "title": wire.Printable(t.Title)}
	if t.Description != "" {
		body["description"] = wire.Printable(t.Description)
	}
	if t.Reference != "" {
		body["externalID"] = t.Reference
	}
	if err := a.fill(ctx, doing, body, t.Settings); err != nil {
		return psa.Ticket{}, err
	}
	id, err := a.write(ctx, doing, http.MethodPost, "Tickets", body)
	if err != nil {
		return psa.Ticket{}, err
	}
	made, err := a.readBack(ctx, doing, id)
	if err == nil {
		a.learn(made.Creator)
	}
	return a.written(ctx, made, err)
}

// readBack reads what was just written.
func (a *Adapter) readBack(ctx context.Context, doing string, id int) (ticket, error) {
	t, found, err := get[ticket](ctx, a, doing, "Tickets", id)
	if err == nil && (!found || t.ID != id) {
		err = wire.Unclear(doing, "what was written is not shown")
	}
	return t, err
}

// written is a ticket that was written; an error now leaves open what is there.
func (a *Adapter) written(ctx context.Context, t ticket, err error) (psa.Ticket, error) {
	var out []psa.Ticket
	if err == nil {
		out, err = a.all(ctx, []ticket{t})
	}
	if e, ok := errors.AsType[*psa.Error](err); ok {
		unclear := *e
		unclear.MaybeDone = true
		return psa.Ticket{}, &unclear
	}
	if err != nil {
		return psa.Ticket{}, err
	}
	return out[0], nil
}

// UpdateTicket changes what the change names.
func (a *Adapter) UpdateTicket(ctx context.Context, id string, c psa.Change) (psa.Ticket, error) {
	const doing = "update ticket"
	n, err := wire.Number(doing, "id", id)
	if err != nil {
		return psa.Ticket{}, err
	}
	body := map[string]any{}
	if c.Title != "" {
		if err := wire.TooLong(doing, "title", c.Title, maxTitle); err != nil {
			return psa.Ticket{}, err
		}
		body["title"] = wire.Printable(c.Title)
	}
	if c.Reference != "" {
		if err := wire.TooLong(doing, "externalID", c.Reference, maxReference); err != nil {
			return psa.Ticket{}, err
		}
		body["externalID"] = c.Reference
	}
	if err := a.fill(ctx, doing, body, c.Settings); err != nil {
		return psa.Ticket{}, err
	}
	if len(body) == 0 {
		return a.ReadTicket(ctx, id)
	}
	body["id"] = n
	if _, err := a.write(ctx, doing, http.MethodPatch, "Tickets", body); err != nil {
		return psa.Ticket{}, err
	}
	changed, err := a.readBack(ctx, doing, n)
	return a.written(ctx, changed, err)
}

// FindTickets returns the tickets with this externalID, which need not be one.
func (a *Adapter) FindTickets(ctx context.Context, ref string) ([]psa.Ticket, error) {
	rows, err := queried[ticket](ctx, a, "find tickets", "Tickets", query{Fields: ticketFields, Filter: []filter{eq("externalID", ref)}})
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(t ticket) bool { return t.ExternalID != ref })
	slices.SortFunc(rows, func(x, y ticket) int { return cmp.Compare(x.ID, y.ID) })
	return a.all(ctx, rows)
}

// ReadTicket returns a ticket. One that is not shown may be hidden: the log of
// deleted tickets tells.
func (a *Adapter) ReadTicket(ctx context.Context, id string) (psa.Ticket, error) {
	const doing = "read ticket"
	n, err := wire.Number(doing, "id", id)
	if err != nil {
		return psa.Ticket{}, err
	}
	t, found, err := get[ticket](ctx, a, doing, "Tickets", n)
	if err != nil {
		return psa.Ticket{}, err
	}
	if !found || t.ID != n {
		return psa.Ticket{}, a.absence(ctx, doing, n)
	}
	all, err := a.all(ctx, []ticket{t})
	if err != nil {
		return psa.Ticket{}, err
	}
	return all[0], nil
}

func (a *Adapter) absence(ctx context.Context, doing string, id int) error {
	type entry struct {
		TicketID int `json:"ticketID"`
	}
	log, err := queried[entry](ctx, a, doing, "DeletedTicketLogs", query{Filter: []filter{eq("ticketID", id)}})
	if err != nil && !psa.Is(err, psa.ReasonPermission) && !psa.Is(err, psa.ReasonNotFound) {
		return err
	}
	if slices.Contains(log, entry{id}) {
		return &psa.Error{Reason: psa.ReasonNotFound, Doing: doing, Message: "the ticket was deleted"}
	}
	return &psa.Error{
		Reason: psa.ReasonPermission, Doing: doing, Message: "Autotask does not show the ticket, and no log says that it was deleted: check the API user's security level",
	}
}

// ReadTickets returns those of the tickets that are shown.
func (a *Adapter) ReadTickets(ctx context.Context, ids []string) ([]psa.Ticket, error) {
	const doing = "read tickets"
	var all []ticket
	for part := range slices.Chunk(ids, idsAtOnce) {
		var numbers []int
		for _, id := range part {
			n, err := wire.Number(doing, "id", id)
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, n)
		}
		rows, err := queried[ticket](ctx, a, doing, "Tickets", query{Fields: ticketFields, Filter: []filter{{Op: "in", Field: "id", Value: numbers}}})
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(rows, func(t ticket) bool { return !slices.Contains(numbers, t.ID) })...)
	}
	return a.all(ctx, all)
}
