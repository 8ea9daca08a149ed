package halopsa

import (
	"context"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// ticket is one of the API's, as far as we ask.
type ticket struct {
	ID           int    `json:"id"`
	Summary      string `json:"summary"`
	ClientID     int    `json:"client_id"`
	Type         int    `json:"tickettype_id"`
	TypeName     string `json:"tickettype_name"`
	Status       int    `json:"status_id"`
	Priority     int    `json:"priority_id"`
	Team         string `json:"team"`
	AgentID      int    `json:"agent_id"`
	Category     int    `json:"categoryid_1"`
	CategoryName string `json:"category_1"`
	Reference    string `json:"third_party_id_string"`
	Closed       bool   `json:"hasbeenclosed"`
	ClosedBy     int    `json:"closure_agent_id"`
	Deleted      bool   `json:"deleted"`
	MergedInto   int    `json:"merged_into_id"`
	LastUpdate   string `json:"last_update"`
	LastAction   string `json:"lastactiondate"`
	Warning      string `json:"_warning"`
}

func (a *Adapter) as(t ticket, statuses map[int]psa.Choice, me int) psa.Ticket {
	out := psa.Ticket{
		ID: strconv.Itoa(t.ID), Number: strconv.Itoa(t.ID), Reference: t.Reference, Title: t.Summary, Closed: t.Closed,
		Settings: map[psa.Setting]psa.Choice{}, ChangedAt: when(t.LastUpdate), URL: a.pageOf(t.ID),
	}
	if at := when(t.LastAction); at.After(out.ChangedAt) {
		out.ChangedAt = at
	}
	if t.ClientID != 0 {
		out.CompanyID = strconv.Itoa(t.ClientID)
	}
	if t.MergedInto > 0 {
		out.MergedIn = strconv.Itoa(t.MergedInto)
	}
	if t.Closed {
		out.ClosedBy = agentOf(t.ClosedBy, me)
	}
	set := func(setting psa.Setting, id int, name string) {
		if id > 0 {
			out.Settings[setting] = psa.Choice{ID: strconv.Itoa(id), Name: name}
		}
	}
	set(psa.SettingType, t.Type, t.TypeName)
	set(psa.SettingPriority, t.Priority, "")
	set(psa.SettingCategory, t.Category, t.CategoryName)
	set(psa.SettingOwner, t.AgentID, "")
	set(psa.SettingStatus, t.Status, statuses[t.Status].Name)
	if s, ok := out.Settings[psa.SettingStatus]; ok {
		s.Closed = t.Closed
		out.Settings[psa.SettingStatus] = s
	}
	if t.Team != "" {
		out.Settings[psa.SettingBoard] = psa.Choice{ID: t.Team, Name: t.Team}
	}
	return out
}

// pageOf is where people read a ticket.
func (a *Adapter) pageOf(id int) string {
	page := a.site.JoinPath("tickets")
	page.RawQuery = url.Values{"id": {strconv.Itoa(id)}}.Encode()
	return page.String()
}

// all are tickets in the contract's words.
func (a *Adapter) all(ctx context.Context, some []ticket) ([]psa.Ticket, error) {
	statuses, err := a.statusNames(ctx)
	if err != nil {
		return nil, err
	}
	me, err := a.ourselves(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]psa.Ticket, len(some))
	for i, t := range some {
		out[i] = a.as(t, statuses, me)
	}
	return out, nil
}

// markup writes a text so that it shows as it is: HaloPSA renders HTML.
func markup(text string) string {
	return strings.ReplaceAll(html.EscapeString(wire.Printable(text)), "\n", "<br>")
}

// fields are the names of the settings in a ticket. The type comes first: what
// depends on it is one of its own. Numbers must be whole ones, and an object in
// the place of an id is passed over without a word.
var fields = []struct {
	setting psa.Setting
	name    string
}{
	{psa.SettingType, "tickettype_id"},
	{psa.SettingStatus, "status_id"},
	{psa.SettingPriority, "priority_id"},
	{psa.SettingCategory, "categoryid_1"},
	{psa.SettingOwner, "agent_id"},
}

// fill puts settings into a ticket to be written.
func (a *Adapter) fill(ctx context.Context, doing string, body map[string]any, settings map[psa.Setting]string) error {
	for _, f := range fields {
		if chosen := settings[f.setting]; chosen != "" {
			n, err := wire.Number(doing, f.name, chosen)
			if err != nil {
				return err
			}
			body[f.name] = n
		}
	}
	if team := settings[psa.SettingBoard]; team != "" {
		body["team"] = team
	}
	var known []psa.SettingDescription
	var own []map[string]any
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		field, ok := setting.FieldID()
		if !ok {
			continue
		}
		id, err := wire.Number(doing, "customfields", field)
		if err != nil {
			return err
		}
		if known == nil {
			if known, err = a.MandatoryFields(ctx, settings); err != nil {
				return err
			}
		}
		d := psa.SettingDescription{Kind: psa.KindText}
		if i := slices.IndexFunc(known, func(d psa.SettingDescription) bool { return d.Setting == setting }); i >= 0 {
			d = known[i]
		}
		value, err := wire.FieldValue(doing, d, settings[setting])
		if err != nil {
			return err
		}
		own = append(own, map[string]any{"id": id, "value": value})
	}
	if len(own) > 0 {
		body["customfields"] = own
	}
	return nil
}

// CreateTicket makes a ticket for a client's General User: the attacked account
// is never the contact. The reference stands in the ticket, in a link that can
// be searched for, and at the end of the description, where search finds it if
// the link was not made.
func (a *Adapter) CreateTicket(ctx context.Context, t psa.NewTicket) (psa.Ticket, error) {
	const doing = "create ticket"
	for _, x := range []struct {
		field, text string
		most        int
	}{{"summary", t.Title, maxSummary}, {"third_party_id_string", t.Reference, maxReference}, {"details", t.Description, maxText}} {
		if err := wire.TooLong(doing, x.field, x.text, x.most); err != nil {
			return psa.Ticket{}, err
		}
	}
	client, err := wire.Number(doing, "client_id", t.CompanyID)
	if err != nil {
		return psa.Ticket{}, err
	}
	body := map[string]any{
		"summary": wire.Printable(t.Title), "details_html": markup(t.Description + "\n\nReference: " + t.Reference), "client_id": client,
		"userlookup":            map[string]any{"id": -1, "lookupdisplay": "Enter Details Manually"},
		"third_party_id_string": t.Reference, "donotapplytemplateintheapi": true,
		"new_external_link": map[string]any{"third_party_id": t.Reference, "third_party_desc": "Cairn"},
	}
	if err := a.fill(ctx, doing, body, t.Settings); err != nil {
		return psa.Ticket{}, err
	}
	a.creating.Lock()
	defer a.creating.Unlock()
	var made ticket
	if err := a.do(ctx, call{doing: doing, method: http.MethodPost, resource: "Tickets", body: []any{body}, out: &made}); err != nil {
		return psa.Ticket{}, err
	}
	// Another's ticket in the answer is a race for a number: ours may be there.
	if made.ID <= 0 || made.Reference != t.Reference {
		return psa.Ticket{}, wire.Unclear(doing, first(made.Warning, "the answer is about another ticket, or none"))
	}
	return a.written(made), nil
}

// written is a ticket as a write answered it, in what is known without asking.
func (a *Adapter) written(t ticket) psa.Ticket {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.as(t, a.statuses, a.me)
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
		if err := wire.TooLong(doing, "summary", c.Title, maxSummary); err != nil {
			return psa.Ticket{}, err
		}
		body["summary"] = wire.Printable(c.Title)
	}
	if c.Reference != "" {
		if err := wire.TooLong(doing, "third_party_id_string", c.Reference, maxReference); err != nil {
			return psa.Ticket{}, err
		}
		body["third_party_id_string"] = c.Reference
	}
	if err := a.fill(ctx, doing, body, c.Settings); err != nil {
		return psa.Ticket{}, err
	}
	if len(body) == 0 {
		return a.ReadTicket(ctx, id)
	}
	body["id"] = n
	var changed ticket
	if err := a.do(ctx, call{doing: doing, method: http.MethodPost, resource: "Tickets", body: []any{body}, out: &changed}); err != nil {
		return psa.Ticket{}, err
	}
	if changed.ID != n {
		return psa.Ticket{}, wire.Unclear(doing, first(changed.Warning, "the answer is about another ticket, or none"))
	}
	return a.written(changed), nil
}

// read reads a ticket past HaloPSA's cache.
func (a *Adapter) read(ctx context.Context, doing string, id int) (ticket, error) {
	var t ticket
	err := a.do(ctx, call{
		doing: doing, method: http.MethodGet, resource: fmt.Sprintf("Tickets/%d", id), out: &t,
		query: url.Values{"includedetails": {"true"}, "nocache": {"true"}},
	})
	switch {
	case err != nil:
		return ticket{}, err
	case t.Deleted && t.ID == id:
		return ticket{}, &psa.Error{Reason: psa.ReasonNotFound, Doing: doing, Message: "the ticket was deleted"}
	case t.ID == 0: // an empty answer: gone or hidden, HaloPSA does not say
		const hidden = "HaloPSA does not show the ticket: it is gone, or the agent may not see it"
		return ticket{}, &psa.Error{Reason: psa.ReasonPermission, Doing: doing, Message: hidden}
	case t.ID != id:
		return ticket{}, &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Message: "the answer is about another ticket", Retryable: true}
	}
	return t, nil
}

// ReadTicket returns a ticket.
func (a *Adapter) ReadTicket(ctx context.Context, id string) (psa.Ticket, error) {
	const doing = "read ticket"
	n, err := wire.Number(doing, "id", id)
	if err != nil {
		return psa.Ticket{}, err
	}
	t, err := a.read(ctx, doing, n)
	if err != nil {
		return psa.Ticket{}, err
	}
	all, err := a.all(ctx, []ticket{t})
	if err != nil {
		return psa.Ticket{}, err
	}
	return all[0], nil
}

// FindTickets asks for the links and the descriptions that hold the reference,
// and reads what is found: only the ticket itself says whose it is.
func (a *Adapter) FindTickets(ctx context.Context, ref string) ([]psa.Ticket, error) {
	const doing = "find tickets"
	ids := map[int]bool{}
	type link struct {
		HaloID       int    `json:"halo_id"`
		ThirdPartyID string `json:"third_party_id"`
	}
	links, err := listed[link](ctx, a, doing, "ExternalLink", url.Values{"third_party_id": {ref}, "count": {strconv.Itoa(pageSize)}})
	if err != nil && !psa.Is(err, psa.ReasonPermission) && !psa.Is(err, psa.ReasonNotFound) {
		return nil, err
	}
	for _, l := range links {
		if l.ThirdPartyID == ref && l.HaloID > 0 {
			ids[l.HaloID] = true
		}
	}
	rows, _, err := page[ticket](ctx, a, call{doing: doing, resource: "Tickets", query: url.Values{
		"search_details": {ref}, "order": {"id"}, "orderdesc": {"true"},
	}}, 1)
	if err != nil {
		return nil, err
	}
	for _, t := range rows {
		if t.Reference == ref || t.Reference == "" && len(rows) < pageSize { // not every list tells the reference
			ids[t.ID] = true
		}
	}
	var found []ticket
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		t, err := a.read(ctx, doing, id)
		if psa.Is(err, psa.ReasonNotFound) || psa.Is(err, psa.ReasonPermission) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if t.Reference == ref {
			found = append(found, t)
		}
	}
	return a.all(ctx, found)
}

// ReadTickets returns those of the tickets that are shown.
func (a *Adapter) ReadTickets(ctx context.Context, ids []string) ([]psa.Ticket, error) {
	const doing = "read tickets"
	var all []ticket
	for part := range slices.Chunk(ids, pageSize) {
		for _, id := range part {
			if _, err := wire.Number(doing, "id", id); err != nil {
				return nil, err
			}
		}
		rows, err := pages[ticket](ctx, a, call{doing: doing, resource: "Tickets", query: url.Values{
			"ticketids": {strings.Join(part, ",")}, "order": {"id"},
		}}, func(rows []ticket) bool { // a filter that was not heard brings every ticket there is
			return slices.ContainsFunc(rows, func(t ticket) bool { return !slices.Contains(part, strconv.Itoa(t.ID)) })
		})
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(rows, func(t ticket) bool { return !slices.Contains(part, strconv.Itoa(t.ID)) }) {
			return nil, &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Message: "HaloPSA listed other tickets than were asked for"}
		}
		all = append(all, rows...)
	}
	all = slices.DeleteFunc(all, func(t ticket) bool { return t.Deleted })
	return a.all(ctx, all)
}
