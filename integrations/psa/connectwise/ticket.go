package connectwise

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// reference points to another record.
type reference struct {
	ID   int    `json:"id"`
	Name string `json:"name,omitempty"`
}

// ticket is one of the API's, as far as we ask.
type ticket struct {
	ID           int        `json:"id"`
	Summary      string     `json:"summary"`
	Board        *reference `json:"board"`
	Status       *reference `json:"status"`
	Company      *reference `json:"company"`
	Type         *reference `json:"type"`
	SubType      *reference `json:"subType"`
	Item         *reference `json:"item"`
	Team         *reference `json:"team"`
	Priority     *reference `json:"priority"`
	Source       *reference `json:"source"`
	ExternalXRef string     `json:"externalXRef"`
	ClosedFlag   bool       `json:"closedFlag"`
	ClosedBy     string     `json:"closedBy"`
	Merged       *reference `json:"mergedParentTicket"`
	Info         struct {
		LastUpdated string `json:"lastUpdated"`
		UpdatedBy   string `json:"updatedBy"`
		EnteredBy   string `json:"enteredBy"`
	} `json:"_info"`
}

const ticketFields = "id,summary,board,status,company,type,subType,item,team,priority,source,externalXRef,closedFlag,closedBy,mergedParentTicket,_info"

// as is the ticket in the contract's words; who is who, authors tell.
func (a *Adapter) as(t ticket, authors authors) psa.Ticket {
	out := psa.Ticket{
		ID: strconv.Itoa(t.ID), Number: strconv.Itoa(t.ID), Reference: t.ExternalXRef, Title: t.Summary, Closed: t.ClosedFlag,
		Settings: map[psa.Setting]psa.Choice{}, ChangedBy: authors.of(t.Info.UpdatedBy), URL: a.pageOf(t.ID),
	}
	// A time that can't be read is none: the ticket is compared all the same.
	out.ChangedAt, _ = time.Parse(time.RFC3339, t.Info.LastUpdated)
	if t.ClosedFlag {
		out.ClosedBy = authors.of(t.ClosedBy)
	}
	if t.Company != nil {
		out.CompanyID = strconv.Itoa(t.Company.ID)
	}
	if t.Merged != nil && t.Merged.ID != 0 {
		out.MergedIn = strconv.Itoa(t.Merged.ID)
	}
	for setting, ref := range map[psa.Setting]*reference{
		psa.SettingBoard: t.Board, psa.SettingStatus: t.Status, psa.SettingPriority: t.Priority,
		psa.SettingType: t.Type, psa.SettingSource: t.Source, psa.SettingSubType: t.SubType, psa.SettingItem: t.Item, psa.SettingTeam: t.Team,
	} {
		if ref != nil {
			out.Settings[setting] = psa.Choice{ID: strconv.Itoa(ref.ID), Name: ref.Name, Closed: setting == psa.SettingStatus && t.ClosedFlag}
		}
	}
	return out
}

// pageOf is where people read a ticket.
func (a *Adapter) pageOf(id int) string {
	page := a.people.JoinPath("v4_6_release/services/system_io/Service/fv_sr100_request.rails")
	page.RawQuery = url.Values{"service_recid": {strconv.Itoa(id)}, "companyName": {a.companyID}}.Encode()
	return page.String()
}

// fields are the names of the settings in a ticket. The board comes first: what
// depends on it is one of its own.
var fields = []struct {
	setting psa.Setting
	name    string
}{
	{psa.SettingBoard, "board"},
	{psa.SettingStatus, "status"},
	{psa.SettingTeam, "team"},
	{psa.SettingType, "type"},
	{psa.SettingSubType, "subType"},
	{psa.SettingItem, "item"},
	{psa.SettingPriority, "priority"},
	{psa.SettingSource, "source"},
}

// customField is the value of a custom field.
type customField struct {
	ID    int `json:"id"`
	Value any `json:"value"`
}

// customFields are the values among the settings that are an instance's own.
func (a *Adapter) customFields(ctx context.Context, doing string, settings map[psa.Setting]string) ([]customField, error) {
	var known []psa.SettingDescription
	var out []customField
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		field, ok := setting.FieldID()
		if !ok {
			continue
		}
		id, err := wire.Number(doing, "customFields", field)
		if err != nil {
			return nil, err
		}
		if known == nil {
			if known, err = a.MandatoryFields(ctx, settings); err != nil {
				return nil, err
			}
		}
		d := psa.SettingDescription{Kind: psa.KindText}
		if i := slices.IndexFunc(known, func(d psa.SettingDescription) bool { return d.Setting == setting }); i >= 0 {
			d = known[i]
		}
		value, err := wire.FieldValue(doing, d, settings[setting])
		if err != nil {
			return nil, err
		}
		out = append(out, customField{ID: id, Value: value})
	}
	return out, nil
}

// CreateTicket makes a service ticket. Unless it is public the description is
// internal: the discussion is mailed to the contact, whose mailbox the attacker
// may be reading.
func (a *Adapter) CreateTicket(ctx context.Context, t psa.NewTicket) (psa.Ticket, error) {
	const doing = "create ticket"
	description := "initialInternalAnalysis"
	if t.Public {
		description = "initialDescription"
	}
	for _, x := range []struct {
		field, text string
		most        int
	}{{"summary", t.Title, maxSummary}, {"externalXRef", t.Reference, maxReference}, {description, t.Description, maxNote}} {
		if err := wire.TooLong(doing, x.field, x.text, x.most); err != nil {
			return psa.Ticket{}, err
		}
	}
	company, err := wire.Number(doing, "company", t.CompanyID)
	if err != nil {
		return psa.Ticket{}, err
	}
	body := map[string]any{
		"summary": wire.Printable(t.Title), "recordType": "ServiceTicket", "company": reference{ID: company},
		"externalXRef": t.Reference, description: wire.Printable(t.Description),
		// The attacked account is no contact, and nobody is written to.
		"automaticEmailContactFlag": false, "automaticEmailCcFlag": false,
	}
	for _, f := range fields {
		if chosen := t.Settings[f.setting]; chosen != "" {
			n, err := wire.Number(doing, f.name, chosen)
			if err != nil {
				return psa.Ticket{}, err
			}
			body[f.name] = reference{ID: n}
		}
	}
	own, err := a.customFields(ctx, doing, t.Settings)
	if err != nil {
		return psa.Ticket{}, err
	}
	if len(own) > 0 {
		body["customFields"] = own
	}
	var made ticket
	if err := a.do(ctx, call{doing: doing, method: http.MethodPost, resource: "service/tickets", body: body, out: &made}); err != nil {
		return psa.Ticket{}, err
	}
	if made.ID == 0 {
		return psa.Ticket{}, wire.Unclear(doing, "the answer names no ticket")
	}
	a.learn(made.Info.EnteredBy)
	return a.as(made, a.knownAuthors()), nil
}

// operation of a JSON Patch (RFC 6902), with paths as the vendor's clients
// write them: without a slash.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// UpdateTicket changes what the change names.
func (a *Adapter) UpdateTicket(ctx context.Context, id string, c psa.Change) (psa.Ticket, error) {
	const doing = "update ticket"
	n, err := wire.Number(doing, "id", id)
	if err != nil {
		return psa.Ticket{}, err
	}
	var operations []operation
	set := func(path string, value any) { operations = append(operations, operation{"replace", path, value}) }
	if c.Title != "" {
		if err := wire.TooLong(doing, "summary", c.Title, maxSummary); err != nil {
			return psa.Ticket{}, err
		}
		set("summary", wire.Printable(c.Title))
	}
	if c.Reference != "" {
		if err := wire.TooLong(doing, "externalXRef", c.Reference, maxReference); err != nil {
			return psa.Ticket{}, err
		}
		set("externalXRef", c.Reference)
	}
	for _, f := range fields {
		if chosen := c.Settings[f.setting]; chosen != "" {
			value, err := wire.Number(doing, f.name, chosen)
			if err != nil {
				return psa.Ticket{}, err
			}
			set(f.name, reference{ID: value})
		}
	}
	out := call{doing: doing, method: http.MethodPatch, resource: fmt.Sprintf("service/tickets/%d", n), body: operations}
	if len(operations) == 0 {
		out.method, out.body = http.MethodGet, nil
	}
	var changed ticket
	out.out = &changed
	if err := a.do(ctx, out); err != nil {
		return psa.Ticket{}, err
	}
	if changed.ID != n {
		return psa.Ticket{}, wire.Unclear(doing, "the answer is about another ticket")
	}
	if len(operations) > 0 {
		a.learn(changed.Info.UpdatedBy)
	}
	return a.as(changed, a.knownAuthors()), nil
}

// maxTickets bounds what one question may bring.
const maxTickets = 50_000

func (a *Adapter) ticketsWhere(ctx context.Context, doing, conditions string) ([]psa.Ticket, error) {
	all, err := pages[ticket](ctx, a, call{doing: doing, resource: "service/tickets", query: url.Values{
		// By id: an order by what changes would lose records between pages.
		"conditions": {conditions}, "orderBy": {"id asc"}, "fields": {ticketFields},
	}}, maxTickets)
	if err != nil {
		return nil, err
	}
	authors, err := a.authorsAsked(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]psa.Ticket, len(all))
	for i, t := range all {
		out[i] = a.as(t, authors)
	}
	return out, nil
}

// FindTickets returns the tickets with this externalXRef.
func (a *Adapter) FindTickets(ctx context.Context, ref string) ([]psa.Ticket, error) {
	found, err := a.ticketsWhere(ctx, "find tickets", "externalXRef="+quoted(ref))
	return slices.DeleteFunc(found, func(t psa.Ticket) bool { return t.Reference != ref }), err
}

// ReadTicket returns a ticket. The API answers 404 to what is not there, and 403
// to what the role does not show.
func (a *Adapter) ReadTicket(ctx context.Context, id string) (psa.Ticket, error) {
	const doing = "read ticket"
	n, err := wire.Number(doing, "id", id)
	if err != nil {
		return psa.Ticket{}, err
	}
	var t ticket
	if err := a.do(ctx, call{doing: doing, method: http.MethodGet, resource: fmt.Sprintf("service/tickets/%d", n), out: &t}); err != nil {
		return psa.Ticket{}, err
	}
	if t.ID != n {
		return psa.Ticket{}, &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Message: "the answer is about another ticket", Retryable: true}
	}
	authors, err := a.authorsAsked(ctx)
	return a.as(t, authors), err
}

// ReadTickets returns those of the tickets that are shown.
func (a *Adapter) ReadTickets(ctx context.Context, ids []string) ([]psa.Ticket, error) {
	const doing = "read tickets"
	var all []psa.Ticket
	for part := range slices.Chunk(ids, idsAtOnce) {
		for _, id := range part {
			if _, err := wire.Number(doing, "id", id); err != nil {
				return nil, err
			}
		}
		some, err := a.ticketsWhere(ctx, doing, "id in ("+strings.Join(part, ",")+")")
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(some, func(t psa.Ticket) bool { return !slices.Contains(part, t.ID) })...)
	}
	return all, nil
}
