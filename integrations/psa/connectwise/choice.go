package connectwise

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// choice is one entry of the lists tickets refer to; each list has some of it.
type choice struct {
	ID           int    `json:"id"`
	Name         string `json:"name"`
	DefaultFlag  bool   `json:"defaultFlag"`
	Inactive     bool   `json:"inactive"`
	InactiveFlag bool   `json:"inactiveFlag"`
	ClosedStatus bool   `json:"closedStatus"`
}

// lists are where the choices stand.
var lists = map[psa.Setting]string{
	psa.SettingBoard: "service/boards", psa.SettingPriority: "service/priorities", psa.SettingSource: "service/sources",
	psa.SettingStatus: "service/boards/%d/statuses", psa.SettingType: "service/boards/%d/types", psa.SettingTeam: "service/boards/%d/teams",
	psa.SettingSubType: "service/boards/%d/subtypes", psa.SettingItem: "service/boards/%d/items",
}

// Choices lists what a setting can be.
func (a *Adapter) Choices(ctx context.Context, setting psa.Setting, within string) ([]psa.Choice, error) {
	doing := "list choices for " + strings.ToLower(string(setting))
	resource := lists[setting]
	if field, ok := setting.FieldID(); ok {
		return a.fieldChoices(ctx, field)
	}
	if resource == "" {
		return nil, wire.Invalid(doing, string(setting), "ConnectWise has no such setting")
	}
	if strings.Contains(resource, "%d") {
		if within == "" {
			return nil, wire.Invalid(doing, string(psa.SettingBoard), "choose a board first: each has its own")
		}
		board, err := wire.Number(doing, string(psa.SettingBoard), within)
		if err != nil {
			return nil, err
		}
		resource = fmt.Sprintf(resource, board)
	}
	all, err := pages[choice](ctx, a, call{doing: doing, resource: resource}, 10*maxPage)
	if psa.Is(err, psa.ReasonNotFound) && within != "" {
		message := fmt.Sprintf("there is no board %s any more", within)
		return nil, &psa.Error{Reason: psa.ReasonInvalid, Doing: doing, Field: "BOARD", Message: message, Cause: err}
	}
	if err != nil {
		return nil, err
	}
	out := make([]psa.Choice, len(all))
	for i, c := range all {
		out[i] = psa.Choice{ID: strconv.Itoa(c.ID), Name: c.Name, Default: c.DefaultFlag, Inactive: c.Inactive || c.InactiveFlag, Closed: c.ClosedStatus}
	}
	return out, nil
}

// userField is the definition of a custom field.
type userField struct {
	ID        int    `json:"id"`
	Caption   string `json:"caption"`
	HelpText  string `json:"helpText"`
	Type      string `json:"fieldTypeIdentifier"`
	EntryType string `json:"entryTypeIdentifier"`
	Required  bool   `json:"requiredFlag"`
	ReadOnly  bool   `json:"readOnlyFlag"`
	Options   []struct {
		Value    string `json:"optionValue"`
		Default  bool   `json:"defaultFlag"`
		Inactive bool   `json:"inactiveFlag"`
	} `json:"options"`
}

func (a *Adapter) userFields(ctx context.Context) ([]userField, error) {
	return pages[userField](ctx, a, call{doing: "list custom fields", resource: "system/userDefinedFields"}, 10*maxPage)
}

func (a *Adapter) fieldChoices(ctx context.Context, id string) ([]psa.Choice, error) {
	all, err := a.userFields(ctx)
	if err != nil {
		return nil, err
	}
	var out []psa.Choice
	for _, f := range all {
		if strconv.Itoa(f.ID) != id {
			continue
		}
		for _, o := range f.Options {
			out = append(out, psa.Choice{ID: o.Value, Name: o.Value, Default: o.Default, Inactive: o.Inactive})
		}
	}
	return out, nil
}

// MandatoryFields returns the custom fields of tickets that are required. Which
// of all fields are those of tickets, the newest ticket tells: it carries each.
func (a *Adapter) MandatoryFields(ctx context.Context, _ map[psa.Setting]string) ([]psa.SettingDescription, error) {
	var newest []struct {
		CustomFields []customField `json:"customFields"`
	}
	err := a.do(ctx, call{doing: "list custom fields", method: http.MethodGet, resource: "service/tickets", out: &newest, query: url.Values{
		"orderBy": {"id desc"}, "pageSize": {"1"}, "fields": {"id,customFields"},
	}})
	if err != nil || len(newest) == 0 || len(newest[0].CustomFields) == 0 {
		return nil, err
	}
	all, err := a.userFields(ctx)
	if err != nil {
		return nil, err
	}
	var out []psa.SettingDescription
	for _, f := range all {
		ofTickets := slices.ContainsFunc(newest[0].CustomFields, func(c customField) bool { return c.ID == f.ID })
		if !ofTickets || !f.Required || f.ReadOnly {
			continue
		}
		d := psa.SettingDescription{
			Setting: psa.FieldSetting(strconv.Itoa(f.ID)), Label: f.Caption, Help: f.HelpText, Kind: psa.KindText, Use: psa.UseTicket, Required: true,
		}
		switch {
		case f.EntryType == "List" || f.EntryType == "Option":
			d.Kind = psa.KindChoice
		case f.Type == "Checkbox":
			d.Kind = psa.KindYesNo
		case f.Type == "Number" || f.Type == "Percent" || f.Type == "Currency":
			d.Kind = psa.KindNumber
		}
		out = append(out, d)
	}
	return out, nil
}
