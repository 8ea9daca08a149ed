package halopsa

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

// ticketType is one of the API's, as far as we ask.
type ticketType struct {
	ID        int    `json:"id"`
	Name      string `json:"name"`
	CanCreate *bool  `json:"cancreate"`
	Workflow  int    `json:"workflow_id"`
	SLA       int    `json:"default_sla"`
	Fields    []struct {
		FieldID   int    `json:"fieldid"`
		Name      string `json:"fieldname"`
		Mandatory int    `json:"technew"` // what an agent is shown of it on a new ticket
		Info      struct {
			ID     int    `json:"id"`
			Name   string `json:"name"`
			Label  string `json:"label"`
			Type   int    `json:"type"`
			Custom int    `json:"usage"`
			Values []struct {
				ID   int    `json:"id"`
				Name string `json:"name"`
			} `json:"values"`
		} `json:"fieldinfo"`
	} `json:"fields"`
}

// mandatory is the technew of a field that a new ticket must have (unverified:
// what is refused all the same is named in the refusal).
const mandatory = 2

// Types of custom fields (HaloAPI's documentation; unverified).
const (
	fieldChoice = 2
	fieldYesNo  = 6
)

// closedStock is the status that closes tickets on an instance as it is
// delivered.
const closedStock = 9

// listed asks for a bare list.
func listed[T any](ctx context.Context, a *Adapter, doing, resource string, query url.Values) ([]T, error) {
	var out []T
	err := a.do(ctx, call{doing: doing, method: http.MethodGet, resource: resource, query: query, out: &out})
	return out, err
}

// typeOf reads a ticket type that something is to be chosen within.
func (a *Adapter) typeOf(ctx context.Context, doing, within string) (ticketType, error) {
	if within == "" {
		return ticketType{}, wire.Invalid(doing, string(psa.SettingType), "choose a ticket type first: each has its own")
	}
	id, err := wire.Number(doing, string(psa.SettingType), within)
	if err != nil {
		return ticketType{}, err
	}
	var t ticketType
	err = a.do(ctx, call{
		doing: doing, method: http.MethodGet, resource: fmt.Sprintf("TicketType/%d", id), query: url.Values{"includedetails": {"true"}}, out: &t,
	})
	if psa.Is(err, psa.ReasonNotFound) || err == nil && t.ID != id {
		return ticketType{}, wire.Invalid(doing, string(psa.SettingType), fmt.Sprintf("there is no ticket type %s any more", within))
	}
	return t, err
}

// Choices lists what a setting can be.
func (a *Adapter) Choices(ctx context.Context, setting psa.Setting, within string) ([]psa.Choice, error) {
	doing := "list choices for " + strings.ToLower(string(setting))
	if field, ok := setting.FieldID(); ok {
		return a.fieldChoices(ctx, doing, field, within)
	}
	switch setting {
	case psa.SettingType:
		all, err := listed[ticketType](ctx, a, doing, "TicketType", url.Values{"can_create_only": {"true"}})
		return choicesOf(all, func(t ticketType) psa.Choice {
			return psa.Choice{ID: strconv.Itoa(t.ID), Name: t.Name, Inactive: t.CanCreate != nil && !*t.CanCreate}
		}), err
	case psa.SettingBoard:
		type team struct {
			Name     string `json:"name"`
			Inactive bool   `json:"inactive"`
		}
		all, err := listed[team](ctx, a, doing, "Team", nil)
		// Tickets name their team: its name is what is chosen.
		return choicesOf(all, func(t team) psa.Choice { return psa.Choice{ID: t.Name, Name: t.Name, Inactive: t.Inactive} }), err
	case psa.SettingOwner:
		type agent struct {
			ID         int    `json:"id"`
			Name       string `json:"name"`
			IsDisabled bool   `json:"isdisabled"`
		}
		all, err := listed[agent](ctx, a, doing, "Agent", nil)
		return choicesOf(all, func(x agent) psa.Choice {
			return psa.Choice{ID: strconv.Itoa(x.ID), Name: x.Name, Inactive: x.IsDisabled}
		}), err
	case psa.SettingStatus, psa.SettingPriority, psa.SettingCategory, psa.SettingOutcome:
		t, err := a.typeOf(ctx, doing, within)
		if err != nil {
			return nil, err
		}
		return a.choicesWithin(ctx, doing, setting, t)
	default:
		return nil, wire.Invalid(doing, string(setting), "HaloPSA has no such setting")
	}
}

func choicesOf[T any](all []T, of func(T) psa.Choice) []psa.Choice {
	out := make([]psa.Choice, len(all))
	for i, x := range all {
		out[i] = of(x)
	}
	return out
}

func (a *Adapter) choicesWithin(ctx context.Context, doing string, setting psa.Setting, t ticketType) ([]psa.Choice, error) {
	query := url.Values{"tickettype_id": {strconv.Itoa(t.ID)}}
	switch setting {
	case psa.SettingStatus:
		return a.statusList(ctx, doing, query)
	case psa.SettingPriority:
		return a.priorities(ctx, doing, t)
	case psa.SettingCategory:
		type category struct {
			ID    int    `json:"id"`
			Value string `json:"value"`
			Name  string `json:"category_name"`
		}
		all, err := listed[category](ctx, a, doing, "Category", url.Values{"tickettype_id": {strconv.Itoa(t.ID)}, "type_id": {"1"}})
		return choicesOf(all, func(c category) psa.Choice {
			return psa.Choice{ID: strconv.Itoa(c.ID), Name: first(c.Name, c.Value)}
		}), err
	default:
		return a.outcomes(ctx, doing, t, query)
	}
}

type named struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// statusList lists statuses. Which of them close tickets shows in a list without
// those; where that filter is not heard it is the one that comes with HaloPSA.
func (a *Adapter) statusList(ctx context.Context, doing string, query url.Values) ([]psa.Choice, error) {
	all, err := listed[named](ctx, a, doing, "Status", query)
	if err != nil {
		return nil, err
	}
	without := url.Values{"excludeclosed": {"true"}}
	maps.Copy(without, query)
	open, err := listed[named](ctx, a, doing, "Status", without)
	if err != nil {
		return nil, err
	}
	return choicesOf(all, func(s named) psa.Choice {
		closed := !slices.Contains(open, s)
		if len(open) == len(all) {
			closed = s.ID == closedStock
		}
		return psa.Choice{ID: strconv.Itoa(s.ID), Name: s.Name, Closed: closed}
	}), nil
}

// fresh is how long a list is believed that every call would ask for again.
const fresh = 10 * time.Minute

// statusNames are all statuses, to name those of tickets.
func (a *Adapter) statusNames(ctx context.Context) (map[int]psa.Choice, error) {
	a.mu.Lock()
	known, asked := a.statuses, a.asked
	a.mu.Unlock()
	if known != nil && a.now().Sub(asked) < fresh {
		return known, nil
	}
	all, err := a.statusList(ctx, "list statuses", nil)
	if err != nil {
		return nil, err
	}
	known = map[int]psa.Choice{}
	for _, c := range all {
		if id, err := strconv.Atoi(c.ID); err == nil {
			known[id] = c
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.statuses, a.asked = known, a.now()
	return known, nil
}

// priorities are those of the ticket type's SLA: the same number means something
// else in another, and without one there are none.
func (a *Adapter) priorities(ctx context.Context, doing string, t ticketType) ([]psa.Choice, error) {
	if t.SLA <= 0 {
		return nil, nil
	}
	type priority struct {
		SLA    int    `json:"slaid"`
		ID     int    `json:"priorityid"`
		Name   string `json:"name"`
		Hidden bool   `json:"ishidden"`
	}
	all, err := listed[priority](ctx, a, doing, "Priority", url.Values{"slaid": {strconv.Itoa(t.SLA)}})
	all = slices.DeleteFunc(all, func(p priority) bool { return p.SLA != t.SLA })
	return choicesOf(all, func(p priority) psa.Choice {
		return psa.Choice{ID: strconv.Itoa(p.ID), Name: p.Name, Inactive: p.Hidden}
	}), err
}

// outcomes are those that the ticket type's workflow lets an agent run.
func (a *Adapter) outcomes(ctx context.Context, doing string, t ticketType, query url.Values) ([]psa.Choice, error) {
	type outcome struct {
		ID      int    `json:"id"`
		Name    string `json:"outcome"`
		Label   string `json:"labellong"`
		Hidden  bool   `json:"hidden"`
		Private *bool  `json:"hidefromuser"`
	}
	all, err := listed[outcome](ctx, a, doing, "Outcome", query)
	if err != nil {
		return nil, err
	}
	if t.Workflow > 0 {
		var flow struct {
			Steps []struct {
				Actions []struct {
					ID int `json:"action_id"`
				} `json:"actions"`
			} `json:"steps"`
		}
		err := a.do(ctx, call{
			doing: doing, method: http.MethodGet, resource: fmt.Sprintf("Workflow/%d", t.Workflow), query: url.Values{"includedetails": {"true"}}, out: &flow,
		})
		if err != nil {
			return nil, err
		}
		runs := map[int]bool{}
		for _, s := range flow.Steps {
			for _, x := range s.Actions {
				runs[x.ID] = true
			}
		}
		all = slices.DeleteFunc(all, func(o outcome) bool { return !runs[o.ID] })
	}
	return choicesOf(all, func(o outcome) psa.Choice {
		c := psa.Choice{ID: strconv.Itoa(o.ID), Name: first(o.Name, o.Label), Inactive: o.Hidden}
		if o.Private != nil && *o.Private {
			c.Shown = psa.VisibleInternal
		} else if o.Private != nil {
			c.Shown = psa.VisiblePublic
		}
		return c
	}), nil
}

// MandatoryFields are the custom fields that a ticket type wants filled in.
func (a *Adapter) MandatoryFields(ctx context.Context, chosen map[psa.Setting]string) ([]psa.SettingDescription, error) {
	if chosen[psa.SettingType] == "" {
		return nil, nil
	}
	t, err := a.typeOf(ctx, "list custom fields", chosen[psa.SettingType])
	if err != nil {
		return nil, err
	}
	var out []psa.SettingDescription
	for _, f := range t.Fields {
		if f.Mandatory != mandatory || f.Info.ID == 0 {
			continue
		}
		d := psa.SettingDescription{
			Setting: psa.FieldSetting(strconv.Itoa(f.Info.ID)), Label: first(f.Info.Label, f.Name, f.Info.Name), Kind: psa.KindText,
			Use: psa.UseTicket, Required: true, Within: psa.SettingType,
		}
		switch f.Info.Type {
		case fieldChoice:
			d.Kind = psa.KindChoice
		case fieldYesNo:
			d.Kind = psa.KindYesNo
		}
		out = append(out, d)
	}
	return out, nil
}

func (a *Adapter) fieldChoices(ctx context.Context, doing, field, within string) ([]psa.Choice, error) {
	t, err := a.typeOf(ctx, doing, within)
	if err != nil {
		return nil, err
	}
	var out []psa.Choice
	for _, f := range t.Fields {
		if strconv.Itoa(f.Info.ID) != field {
			continue
		}
		for _, v := range f.Info.Values {
			out = append(out, psa.Choice{ID: strconv.Itoa(v.ID), Name: v.Name})
		}
	}
	return out, nil
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
