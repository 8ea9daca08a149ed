package ticketing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// Setting is something a person chooses for the tickets of a connection. Most
// are the PSA's own (psa.Setting), which a new ticket is given. Status and
// priority are chosen for each thing that Cairn wants said by them, and what a
// note has, for internal and public notes apart.
type Setting string

// The settings that are not the PSA's own.
const (
	StatusNew        Setting = "STATUS_NEW"
	StatusClosed     Setting = "STATUS_CLOSED"
	StatusReopened   Setting = "STATUS_REOPENED"
	PriorityCritical Setting = "PRIORITY_CRITICAL"
	PriorityHigh     Setting = "PRIORITY_HIGH"
	PriorityMedium   Setting = "PRIORITY_MEDIUM"
	PriorityLow      Setting = "PRIORITY_LOW"

	internalSuffix = "_INTERNAL"
	publicSuffix   = "_PUBLIC"
)

// purpose is a setting of a connection, and which of the PSA's it takes its
// value from.
type purpose struct {
	Setting  Setting
	Label    string
	Within   Setting // the setting whose choice it depends on
	Required bool
	PSA      psa.SettingDescription
}

// purposes lists what can be chosen, in the order one chooses it.
func purposes(described []psa.SettingDescription) []purpose {
	var out []purpose
	for _, d := range described {
		one := func(s Setting, label string, required bool) {
			out = append(out, purpose{Setting: s, Label: label, Within: Setting(d.Within), Required: required, PSA: d})
		}
		switch {
		case d.Use == psa.UseNote:
			one(Setting(d.Setting)+internalSuffix, d.Label+" of internal notes", d.Required)
			one(Setting(d.Setting)+publicSuffix, d.Label+" of public notes", false)
		case d.Setting == psa.SettingStatus:
			one(StatusNew, d.Label+" of new tickets", d.Required)
			one(StatusClosed, d.Label+" of closed tickets", false)
			one(StatusReopened, d.Label+" of tickets opened again", false)
		case d.Setting == psa.SettingPriority:
			one(PriorityCritical, d.Label+" for critical", d.Required)
			one(PriorityHigh, d.Label+" for high", d.Required)
			one(PriorityMedium, d.Label+" for medium", d.Required)
			one(PriorityLow, d.Label+" for low", d.Required)
		default:
			one(Setting(d.Setting), d.Label, d.Required)
		}
	}
	return out
}

// missing is the first required setting without a value, "" where there is none.
func missing(described []psa.SettingDescription, settings map[string]string) string {
	for _, p := range purposes(described) {
		if p.Required && settings[string(p.Setting)] == "" {
			return p.Label
		}
	}
	return ""
}

// priorityOf is the setting for a severity; what only informs is low.
func priorityOf(s detect.Severity) Setting {
	switch s {
	case detect.SeverityCritical:
		return PriorityCritical
	case detect.SeverityHigh:
		return PriorityHigh
	case detect.SeverityMedium:
		return PriorityMedium
	case detect.SeverityLow, detect.SeverityInfo:
		return PriorityLow
	}
	return PriorityLow
}

// chosen returns the value chosen for a setting, "" where none is.
func chosen(c *ent.PSAConnection, s Setting) string { return c.Settings[string(s)] }

// newTicketSettings are what a new ticket is given.
func newTicketSettings(c *ent.PSAConnection, severity detect.Severity, described []psa.SettingDescription) map[psa.Setting]string {
	out := map[psa.Setting]string{}
	for s, value := range c.Settings { // an instance's own fields are described by itself alone
		if _, ok := psa.Setting(s).FieldID(); ok && value != "" {
			out[psa.Setting(s)] = value
		}
	}
	for _, p := range purposes(described) {
		value := chosen(c, p.Setting)
		said := p.PSA.Setting == psa.SettingStatus && p.Setting != StatusNew || p.PSA.Setting == psa.SettingPriority && p.Setting != priorityOf(severity)
		if value != "" && !said && p.PSA.Use != psa.UseNote { // what is said later, or of another severity
			out[p.PSA.Setting] = value
		}
	}
	return out
}

// noteSettings are what a note is given.
func noteSettings(c *ent.PSAConnection, internal bool) map[psa.Setting]string {
	suffix := publicSuffix
	if internal {
		suffix = internalSuffix
	}
	out := map[psa.Setting]string{}
	for s, value := range c.Settings {
		if name, ok := strings.CutSuffix(s, suffix); ok && value != "" {
			out[psa.Setting(name)] = value
		}
	}
	return out
}

// choose takes settings over, each checked against what the PSA offers. Where a
// choice that others depend on changes, theirs fall; where a board is chosen
// without statuses, it is asked for its own.
func choose(ctx context.Context, c *ent.PSAConnection, adapter psa.Adapter, settings map[Setting]string) error {
	if len(settings) == 0 {
		return nil
	}
	described := adapter.Describe().Settings
	own, err := adapter.MandatoryFields(ctx, ticketSettings(settings, c.Settings))
	if err != nil {
		return refuse([]string{"settings"}, c, err)
	}
	all := purposes(append(slices.Clone(described), own...))
	next, err := taken(c, all, settings)
	if err != nil {
		return err
	}
	offered := map[[2]string][]psa.Choice{}
	for _, p := range all {
		value := next[string(p.Setting)]
		wanted := p.PSA.Setting == psa.SettingStatus && p.Setting != StatusNew && next[string(psa.SettingBoard)] != ""
		switch {
		case value == "" && !wanted:
			continue
		case p.PSA.Kind != psa.KindChoice:
			if err := checkValue(p, value); err != nil {
				return err
			}
			continue
		}
		key := [2]string{string(p.PSA.Setting), next[string(p.Within)]}
		if _, asked := offered[key]; !asked {
			if offered[key], err = adapter.Choices(ctx, p.PSA.Setting, key[1]); err != nil {
				return refuse([]string{"settings", string(p.Setting)}, c, err)
			}
		}
		if value == "" {
			if id := proposed(p.Setting, offered[key]); id != "" {
				next[string(p.Setting)] = id
			}
			continue
		}
		if err := check(c, p, value, offered[key]); err != nil {
			return err
		}
	}
	// What a choice opens that is made only now can't have been known yet: it is
	// asked for next, and tickets wait for it.
	known := slices.DeleteFunc(append(slices.Clone(described), own...), func(d psa.SettingDescription) bool {
		return d.Within != "" && c.Settings[string(d.Within)] != next[string(d.Within)]
	})
	if label := missing(known, next); label != "" {
		return refusal.New(refusal.Invalid, []string{"settings"}, "%s wants a %s for every ticket: choose one", c.Name, label)
	}
	c.Settings = next
	return nil
}

// taken are the settings with the new ones among them.
func taken(c *ent.PSAConnection, all []purpose, settings map[Setting]string) (map[string]string, error) {
	next := map[string]string{}
	maps.Copy(next, c.Settings)
	for _, p := range all { // in order: what depends on another comes after it
		if value, ok := settings[p.Within]; ok && value != c.Settings[string(p.Within)] {
			delete(next, string(p.Setting))
		}
	}
	for s, value := range settings {
		if !slices.ContainsFunc(all, func(p purpose) bool { return p.Setting == s }) {
			return nil, refusal.New(refusal.Invalid, []string{"settings", string(s)}, "%s has no setting %s", c.Name, s)
		}
		if value == "" {
			delete(next, string(s))
		} else {
			next[string(s)] = value
		}
	}
	return next, nil
}

// ticketSettings are the PSA's own settings among those chosen.
func ticketSettings(settings map[Setting]string, before map[string]string) map[psa.Setting]string {
	out := map[psa.Setting]string{}
	for s, value := range before {
		out[psa.Setting(s)] = value
	}
	for s, value := range settings {
		out[psa.Setting(s)] = value
	}
	return out
}

func proposed(s Setting, offered []psa.Choice) string {
	for _, c := range offered {
		if !c.Inactive && (s == StatusClosed && c.Closed || s == StatusReopened && c.Default && !c.Closed) {
			return c.ID
		}
	}
	if s == StatusReopened {
		for _, c := range offered {
			if !c.Inactive && !c.Closed {
				return c.ID
			}
		}
	}
	return ""
}

func check(c *ent.PSAConnection, p purpose, id string, offered []psa.Choice) error {
	field := []string{"settings", string(p.Setting)}
	i := slices.IndexFunc(offered, func(x psa.Choice) bool { return x.ID == id })
	if i < 0 {
		return refusal.New(refusal.Invalid, field, "%s offers no choice %q for %s here; it offers: %s", c.Name, id, p.Setting, names(offered))
	}
	internal := strings.HasSuffix(string(p.Setting), internalSuffix)
	switch x := offered[i]; {
	case x.Inactive:
		return refusal.New(refusal.Invalid, field, "%q is inactive in %s", x.Name, c.Name)
	case p.Setting == StatusClosed && !x.Closed:
		return refusal.New(refusal.Invalid, field, "tickets with status %q are not closed in %s", x.Name, c.Name)
	case (p.Setting == StatusNew || p.Setting == StatusReopened) && x.Closed:
		return refusal.New(refusal.Invalid, field, "tickets with status %q are closed in %s", x.Name, c.Name)
	case p.PSA.Use == psa.UseNote && internal && x.Shown == psa.VisiblePublic:
		return refusal.New(refusal.Invalid, field, "the company's people read notes made with %q: it is none for internal ones", x.Name)
	}
	return nil
}

// checkValue checks what is typed in.
func checkValue(p purpose, value string) error {
	field := []string{"settings", string(p.Setting)}
	switch p.PSA.Kind {
	case psa.KindNumber:
		if _, err := strconv.Atoi(value); err != nil {
			return refusal.New(refusal.Invalid, field, "%s is a whole number", p.Label)
		}
	case psa.KindYesNo:
		if value != "true" && value != "false" {
			return refusal.New(refusal.Invalid, field, "%s is true or false", p.Label)
		}
	case psa.KindText, psa.KindChoice:
	}
	return nil
}

// shownNames is how many choices an error repeats.
const shownNames = 20

func names(offered []psa.Choice) string {
	var out []string
	for _, x := range offered {
		if !x.Inactive {
			out = append(out, fmt.Sprintf("%s (%s)", x.Name, x.ID))
		}
	}
	if more := len(out) - shownNames; more > 0 {
		out = append(out[:shownNames], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

// SettingChoices is a setting of a connection with what is chosen and, where its
// value is a choice, what the PSA offers now.
type SettingChoices struct {
	Setting  Setting
	Label    string
	Help     string
	Kind     psa.SettingKind
	Within   Setting
	Required bool
	Chosen   string
	Offered  []psa.Choice
}

// Settings reads what can be chosen for a connection's tickets, live. What
// depends on a choice that was not made offers nothing.
func (s *Service) Settings(ctx context.Context, c *ent.PSAConnection) ([]SettingChoices, error) {
	adapter, err := s.Adapter(c)
	if err != nil {
		return nil, err
	}
	own, err := adapter.MandatoryFields(ctx, ticketSettings(nil, c.Settings))
	if err != nil {
		return nil, refuse([]string{"id"}, c, err)
	}
	var out []SettingChoices
	offered := map[psa.Setting][]psa.Choice{}
	for _, p := range purposes(append(slices.Clone(adapter.Describe().Settings), own...)) {
		one := SettingChoices{
			Setting: p.Setting, Label: p.Label, Help: p.PSA.Help, Kind: p.PSA.Kind, Within: p.Within, Required: p.Required, Chosen: chosen(c, p.Setting),
		}
		within := chosen(c, p.Within)
		if p.PSA.Kind == psa.KindChoice && (p.Within == "" || within != "") {
			if _, asked := offered[p.PSA.Setting]; !asked {
				if offered[p.PSA.Setting], err = adapter.Choices(ctx, p.PSA.Setting, within); err != nil {
					return nil, refuse([]string{"id"}, c, err)
				}
			}
			one.Offered = offered[p.PSA.Setting]
		}
		out = append(out, one)
	}
	return out, nil
}
