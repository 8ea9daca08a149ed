package ticketing

import (
	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// Setting is something a person chooses for the tickets of a connection. Its
// value is the id of a choice in the PSA.
type Setting string

// The settings.
const (
	Board            Setting = "BOARD"
	Type             Setting = "TYPE"
	Source           Setting = "SOURCE"
	StatusNew        Setting = "STATUS_NEW"
	StatusClosed     Setting = "STATUS_CLOSED"
	StatusReopened   Setting = "STATUS_REOPENED"
	PriorityCritical Setting = "PRIORITY_CRITICAL"
	PriorityHigh     Setting = "PRIORITY_HIGH"
	PriorityMedium   Setting = "PRIORITY_MEDIUM"
	PriorityLow      Setting = "PRIORITY_LOW"
)

// settingKinds says which of the PSA's settings each takes its choices from.
var settingKinds = map[Setting]psa.Setting{
	Board: psa.SettingBoard, Type: psa.SettingType, Source: psa.SettingSource,
	StatusNew: psa.SettingStatus, StatusClosed: psa.SettingStatus, StatusReopened: psa.SettingStatus,
	PriorityCritical: psa.SettingPriority, PriorityHigh: psa.SettingPriority,
	PriorityMedium: psa.SettingPriority, PriorityLow: psa.SettingPriority,
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

// chosen returns the id chosen for a setting, "" where none is.
func chosen(c *ent.PSAConnection, s Setting) string { return c.Settings[string(s)] }

// newTicketSettings are what a new ticket is given.
func newTicketSettings(c *ent.PSAConnection, severity detect.Severity) map[psa.Setting]string {
	out := map[psa.Setting]string{}
	for _, s := range []Setting{Board, Type, Source, StatusNew, priorityOf(severity)} {
		if id := chosen(c, s); id != "" {
			out[settingKinds[s]] = id
		}
	}
	return out
}
