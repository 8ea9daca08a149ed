package psa

// Setting is a property of tickets or notes whose value the MSP chooses. One
// that is an instance's own is FieldSetting's.
type Setting string

// The settings. Which ones a PSA has, and what they depend on, its Description
// says.
const (
	SettingBoard      Setting = "BOARD" // where tickets land: a board, team or queue
	SettingType       Setting = "TYPE"
	SettingSubType    Setting = "SUBTYPE"
	SettingItem       Setting = "ITEM"
	SettingCategory   Setting = "CATEGORY"
	SettingTeam       Setting = "TEAM"
	SettingOwner      Setting = "OWNER" // an agent or resource
	SettingStatus     Setting = "STATUS"
	SettingPriority   Setting = "PRIORITY"
	SettingSource     Setting = "SOURCE"
	SettingWorkType   Setting = "WORK_TYPE"
	SettingDueInHours Setting = "DUE_IN_HOURS" // after it is made
	SettingOutcome    Setting = "OUTCOME"      // of a note: who reads it, or what it does
	SettingNoteType   Setting = "NOTE_TYPE"
)

// fieldPrefix begins the settings that are an instance's own.
const fieldPrefix = "FIELD:"

// FieldSetting is the setting of a custom field with the PSA's id.
func FieldSetting(id string) Setting { return Setting(fieldPrefix + id) }

// FieldID is the PSA's id of a custom field, false for any other setting.
func (s Setting) FieldID() (string, bool) {
	if len(s) > len(fieldPrefix) && s[:len(fieldPrefix)] == fieldPrefix {
		return string(s[len(fieldPrefix):]), true
	}
	return "", false
}

// SettingKind says what a setting's value is.
type SettingKind string

// The kinds of values. All are written as text.
const (
	KindChoice SettingKind = "CHOICE" // the id of one of Choices
	KindText   SettingKind = "TEXT"
	KindNumber SettingKind = "NUMBER" // a whole number
	KindYesNo  SettingKind = "YES_NO" // true or false
)

// SettingUse says what a setting is set on.
type SettingUse string

// The uses.
const (
	UseTicket SettingUse = "TICKET"
	UseNote   SettingUse = "NOTE" // chosen apart for internal and public notes
)

// SettingDescription says what there is to choose.
type SettingDescription struct {
	Setting  Setting
	Label    string // the PSA's own word: Queue
	Help     string // what to know before one chooses, "" for nothing
	Kind     SettingKind
	Use      SettingUse
	Within   Setting // the setting whose choice it depends on, "" for none
	Required bool    // no ticket or note without it
}

// Choice is one value of a setting.
type Choice struct {
	ID, Name string
	Default  bool
	Inactive bool
	Closed   bool       // of a status: tickets with it are closed
	Shown    Visibility // of an outcome: who reads the notes made with it
}

// Visibility is who reads a note.
type Visibility string

// The visibilities; "" where the PSA does not tell.
const (
	VisibleInternal Visibility = "INTERNAL" // the MSP's staff
	VisiblePublic   Visibility = "PUBLIC"   // the company's people as well
)
