package autotask

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// fieldOf is a setting and the field of an entity that holds it.
type fieldOf struct {
	setting     psa.Setting
	entity      string // whose field it is
	name        string
	label, help string
	within      psa.Setting
	required    bool
	kind        psa.SettingKind // "" for a choice
	use         psa.SettingUse  // "" for a ticket
}

// fields are the settings, in the order in which a person chooses them.
var fields = []fieldOf{
	{
		setting: psa.SettingCategory, entity: "Tickets", name: "ticketCategory", label: "Ticket category",
		help: "it decides which fields are required; an API-only category with defaults of its own is best",
	},
	{setting: psa.SettingBoard, entity: "Tickets", name: "queueID", label: "Queue", required: true},
	{setting: psa.SettingStatus, entity: "Tickets", name: "status", label: "Status", required: true},
	{setting: psa.SettingPriority, entity: "Tickets", name: "priority", label: "Priority", required: true},
	{setting: psa.SettingType, entity: "Tickets", name: "issueType", label: "Issue type"},
	{setting: psa.SettingSubType, entity: "Tickets", name: "subIssueType", label: "Sub-issue type", within: psa.SettingType},
	{setting: psa.SettingSource, entity: "Tickets", name: "source", label: "Source"},
	{setting: psa.SettingWorkType, entity: "Tickets", name: "billingCodeID", label: "Work type"},
	{setting: psa.SettingDueInHours, entity: "Tickets", name: "dueDateTime", label: "Due in hours", kind: psa.KindNumber},
	{
		setting: psa.SettingOutcome, entity: "TicketNotes", name: "publish", label: "Publish", required: true, use: psa.UseNote,
		help: "who reads notes: what the choices mean differs from database to database",
	},
	{setting: psa.SettingNoteType, entity: "TicketNotes", name: "noteType", label: "Note type", use: psa.UseNote},
}

func (f fieldOf) described() psa.SettingDescription {
	d := psa.SettingDescription{Setting: f.setting, Label: f.label, Help: f.help, Kind: f.kind, Use: f.use, Within: f.within, Required: f.required}
	if d.Kind == "" {
		d.Kind = psa.KindChoice
	}
	if d.Use == "" {
		d.Use = psa.UseTicket
	}
	return d
}

func fieldFor(s psa.Setting) (fieldOf, bool) {
	i := slices.IndexFunc(fields, func(f fieldOf) bool { return f.setting == s })
	if i < 0 {
		return fieldOf{}, false
	}
	return fields[i], true
}

// field is what the API says of an entity's field.
type field struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	DataType string `json:"dataType"`
	Required bool   `json:"isRequired"`
	ReadOnly bool   `json:"isReadOnly"`
	Picklist bool   `json:"isPickList"`
	Values   []struct {
		Value   string `json:"value"` // a text, also where the field is a number
		Label   string `json:"label"`
		Default bool   `json:"isDefaultValue"`
		Parent  string `json:"parentValue"`
		Active  bool   `json:"isActive"`
		System  bool   `json:"isSystem"`
	} `json:"picklistValues"`
}

// Values that the system itself gives a meaning.
const (
	statusComplete   = 5  // closes tickets
	noteWorkflowRule = 13 // noteType of what a rule wrote
)

// fieldsOf reads an entity's fields, live.
func (a *Adapter) fieldsOf(ctx context.Context, doing, entity, kind string) ([]field, error) {
	var got struct {
		Fields []field `json:"fields"`
	}
	err := a.do(ctx, call{doing: doing, method: http.MethodGet, resource: entity + "/entityInformation/" + kind, out: &got})
	if err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.lists[entity+kind], a.listsAt[entity+kind] = got.Fields, a.now()
	}
	return got.Fields, err
}

// fresh is how long a list is believed that every call would ask for again.
const fresh = 10 * time.Minute

// fieldsKnown are an entity's fields as they were read lately.
func (a *Adapter) fieldsKnown(ctx context.Context, doing, entity, kind string) ([]field, error) {
	a.mu.Lock()
	known, asked := a.lists[entity+kind], a.listsAt[entity+kind]
	a.mu.Unlock()
	if known != nil && a.now().Sub(asked) < fresh {
		return known, nil
	}
	return a.fieldsOf(ctx, doing, entity, kind)
}

// offered are the choices of a field.
func offered(all []field, name string) []psa.Choice {
	i := slices.IndexFunc(all, func(f field) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return nil
	}
	var out []psa.Choice
	for _, v := range all[i].Values {
		c := psa.Choice{ID: v.Value, Name: v.Label, Default: v.Default, Inactive: !v.Active}
		switch name {
		case "status":
			c.Closed = v.Value == strconv.Itoa(statusComplete)
		case "publish":
			c.Shown = shown(v.Label)
		}
		out = append(out, c)
	}
	return out
}

// shown tells who reads notes from the label of a choice, where that is clear.
func shown(label string) psa.Visibility {
	switch label = strings.ToLower(label); {
	case strings.Contains(label, "internal") && !strings.Contains(label, "co-managed"):
		return psa.VisibleInternal
	case strings.Contains(label, "all autotask users"), strings.Contains(label, "everyone"), strings.Contains(label, "client"):
		return psa.VisiblePublic
	}
	return ""
}

// Choices lists what a setting can be.
func (a *Adapter) Choices(ctx context.Context, setting psa.Setting, within string) ([]psa.Choice, error) {
	doing := "list choices for " + strings.ToLower(string(setting))
	if name, ok := setting.FieldID(); ok {
		all, err := a.fieldsOf(ctx, doing, "Tickets", "userDefinedFields")
		return offered(all, name), err
	}
	f, ok := fieldFor(setting)
	if !ok || f.kind != "" {
		return nil, wire.Invalid(doing, string(setting), "Autotask has no such choice")
	}
	if setting == psa.SettingWorkType {
		return a.workTypes(ctx, doing)
	}
	all, err := a.fieldsOf(ctx, doing, f.entity, "fields")
	if err != nil || f.within == "" {
		return offered(all, f.name), err
	}
	parent, _ := fieldFor(f.within)
	if !slices.ContainsFunc(offered(all, parent.name), func(c psa.Choice) bool { return c.ID == within }) {
		message := fmt.Sprintf("choose an %s first: there is none %q", strings.ToLower(parent.label), within)
		return nil, wire.Invalid(doing, string(f.within), message)
	}
	i := slices.IndexFunc(all, func(x field) bool { return x.Name == f.name })
	if i < 0 {
		return nil, nil
	}
	only := all[i]
	only.Values = nil
	for _, v := range all[i].Values {
		if v.Parent == within {
			only.Values = append(only.Values, v)
		}
	}
	return offered([]field{only}, f.name), nil
}

// workTypes are the billing codes for general work.
func (a *Adapter) workTypes(ctx context.Context, doing string) ([]psa.Choice, error) {
	const generalWork = 1 // BillingCode.useType
	type code struct {
		ID     int    `json:"id"`
		Name   string `json:"name"`
		Active bool   `json:"isActive"`
	}
	all, err := queried[code](ctx, a, doing, "BillingCodes", query{Filter: []filter{eq("useType", generalWork)}})
	out := make([]psa.Choice, len(all))
	for i, c := range all {
		out[i] = psa.Choice{ID: strconv.Itoa(c.ID), Name: c.Name, Inactive: !c.Active}
	}
	return out, err
}

// MandatoryFields are the user-defined fields that are required, and those of
// the settings that this database requires.
func (a *Adapter) MandatoryFields(ctx context.Context, _ map[psa.Setting]string) ([]psa.SettingDescription, error) {
	const doing = "list required fields"
	native, err := a.fieldsKnown(ctx, doing, "Tickets", "fields")
	if err != nil {
		return nil, err
	}
	var out []psa.SettingDescription
	for _, f := range fields {
		wanted := slices.ContainsFunc(native, func(x field) bool { return x.Name == f.name && x.Required && !x.ReadOnly })
		if f.entity == "Tickets" && !f.required && wanted {
			d := f.described()
			d.Required = true
			out = append(out, d)
		}
	}
	own, err := a.fieldsKnown(ctx, doing, "Tickets", "userDefinedFields")
	if err != nil {
		return nil, err
	}
	for _, f := range own {
		if !f.Required || f.ReadOnly {
			continue
		}
		d := psa.SettingDescription{Setting: psa.FieldSetting(f.Name), Label: f.Name, Kind: psa.KindText, Use: psa.UseTicket, Required: true}
		switch {
		case f.Picklist:
			d.Kind = psa.KindChoice
		case f.DataType == "integer" || f.DataType == "double" || f.DataType == "decimal":
			d.Kind = psa.KindNumber
		case f.DataType == "boolean":
			d.Kind = psa.KindYesNo
		}
		out = append(out, d)
	}
	return out, nil
}

// fill puts settings into a ticket to be written. What is null or empty in it
// makes Autotask refuse the whole with no word of why.
func (a *Adapter) fill(ctx context.Context, doing string, body map[string]any, settings map[psa.Setting]string) error {
	for _, f := range fields {
		chosen := settings[f.setting]
		if chosen == "" || f.entity != "Tickets" {
			continue
		}
		n, err := wire.Number(doing, f.name, chosen)
		if err != nil {
			return err
		}
		body[f.name] = n
		if f.setting == psa.SettingDueInHours {
			body[f.name] = stamp(a.now().Add(time.Duration(n) * time.Hour))
		}
	}
	var known []psa.SettingDescription
	var own []map[string]any
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		field, ok := setting.FieldID()
		if !ok {
			continue
		}
		if known == nil {
			var err error
			if known, err = a.MandatoryFields(ctx, settings); err != nil {
				return err
			}
		}
		d := psa.SettingDescription{Kind: psa.KindText, Label: field}
		if i := slices.IndexFunc(known, func(d psa.SettingDescription) bool { return d.Setting == setting }); i >= 0 {
			d = known[i]
		}
		value, err := wire.FieldValue(doing, d, settings[setting])
		if err != nil {
			return err
		}
		own = append(own, map[string]any{"name": field, "value": value})
	}
	if len(own) > 0 {
		body["userDefinedFields"] = own
	}
	return nil
}
