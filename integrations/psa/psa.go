// Package psa is the contract between Cairn and the systems in which managed
// service providers run their business: ConnectWise PSA, HaloPSA, Autotask. An
// adapter speaks one vendor's API and nothing else; it keeps no state but
// caches, decides nothing about incidents, and says of every failure whether
// trying again can help (Error).
//
// What may not live here: anything of Cairn's own (tenants, incidents,
// databases), retries that outlive one call, and vendors' words. A new PSA is
// one folder below this one that passes psatest.
package psa

import (
	"context"
	"time"
)

// Adapter is what every PSA can do. Its methods may be called from many
// goroutines. Errors are *Error.
type Adapter interface {
	// Describe tells what the PSA is and what its texts may hold. It calls nobody.
	Describe() Description

	// Verify asks with the configured credentials for everything Cairn will
	// need, and returns each right with whether it is there. An error means
	// that not even that could be found out.
	Verify(ctx context.Context) ([]Right, error)

	Directory
	Desk
}

// Directory is what a PSA knows before there is a ticket: whom it can be for and
// what can be set on it.
type Directory interface {
	// Companies lists companies whose name holds the text, all where it is
	// empty, in the order of their names; after is where the page before ended
	// ("" for the first), next where this one did ("" at the end).
	Companies(ctx context.Context, text, after string) (page []Company, next string, err error)
	// Company returns the company with this id. ReasonNotFound where there is none.
	Company(ctx context.Context, id string) (Company, error)

	// Choices lists what the PSA offers for a setting of tickets, read live.
	// Within is the choice it depends on (the board of a status), "" where it
	// depends on none.
	Choices(ctx context.Context, setting Setting, within string) ([]Choice, error)
}

// Desk is the tickets of a PSA and their notes.
type Desk interface {
	// CreateTicket makes a ticket. No PSA knows idempotency keys: after an
	// error with MaybeDone the ticket may be there; the caller looks with
	// FindTickets before it creates again.
	CreateTicket(ctx context.Context, t NewTicket) (Ticket, error)
	// UpdateTicket sets what the change names and leaves the rest. Repeating it
	// is safe.
	UpdateTicket(ctx context.Context, id string, c Change) (Ticket, error)
	// FindTickets returns every ticket that carries the reference, oldest first.
	FindTickets(ctx context.Context, reference string) ([]Ticket, error)
	// Tickets returns those of the tickets that are there; what is missing has
	// been deleted.
	Tickets(ctx context.Context, ids []string) ([]Ticket, error)

	// AddNote adds a note. As with CreateTicket, after MaybeDone the caller
	// looks with Notes for its marker before it adds it again.
	AddNote(ctx context.Context, ticketID string, n Note) (Note, error)
	// Notes returns all notes of a ticket, oldest first.
	Notes(ctx context.Context, ticketID string) ([]Note, error)
}

// ChangeLister is an adapter whose PSA can list what changed, which costs fewer
// calls than asking for every ticket that is followed.
type ChangeLister interface {
	// ChangedTickets returns the tickets of a board that changed at or after
	// since, by the PSA's clock, oldest change first. It may return a ticket
	// that did not; what was deleted is not among them.
	ChangedTickets(ctx context.Context, board string, since time.Time) ([]Ticket, error)
}

// CallbackReceiver is an adapter whose PSA can call back when a ticket changes.
type CallbackReceiver interface {
	// EnsureCallbacks makes the PSA call url (which ends in a secret path) for
	// tickets of the board, and removes what else it finds of ours: after it
	// there is exactly one active callback. It reports whether it changed anything.
	EnsureCallbacks(ctx context.Context, board, url string) (changed bool, err error)
	// RemoveCallbacks ends the calls to url.
	RemoveCallbacks(ctx context.Context, url string) error
	// ReadCallback checks that a call comes from the PSA and returns the id of
	// the ticket it is about. A forged one is ReasonForged. What it says beside
	// the id is a hint: the caller reads the ticket.
	ReadCallback(ctx context.Context, header map[string][]string, body []byte) (ticketID string, err error)
}

// Capability mirrors an optional interface in Cairn's API.
type Capability string

// The capabilities.
const (
	CapabilityCallbacks Capability = "CALLBACKS" // CallbackReceiver
	CapabilityChanges   Capability = "CHANGES"   // ChangeLister
)

// Capabilities says what an adapter can do beyond the contract.
func Capabilities(a Adapter) []Capability {
	var all []Capability
	if _, ok := a.(CallbackReceiver); ok {
		all = append(all, CapabilityCallbacks)
	}
	if _, ok := a.(ChangeLister); ok {
		all = append(all, CapabilityChanges)
	}
	return all
}

// Description tells what a PSA is, and its limits.
type Description struct {
	Name string // as its vendor writes it
	// Limits are in characters (Unicode code points); 0 is no limit.
	TitleLimit, ReferenceLimit, NoteLimit, DescriptionLimit int
	// Parallel is how many calls may be under way at once.
	Parallel int
	// Markup says how notes and descriptions are shown.
	Markup Markup
	// Settings are those a ticket of this PSA has, in the order a person
	// chooses them.
	Settings []SettingDescription
}

// SettingDescription says what Choices needs for a setting.
type SettingDescription struct {
	Setting  Setting
	Within   Setting // the setting whose choice it depends on, "" for none
	Required bool    // no ticket without it
}

// Markup is how a PSA shows a text.
type Markup string

// The kinds of markup.
const (
	MarkupPlain    Markup = "PLAIN"
	MarkupMarkdown Markup = "MARKDOWN" // may be rendered: what is hostile in Markdown must be escaped
	MarkupHTML     Markup = "HTML"
)

// Right is something the credentials may or may not do.
type Right struct {
	Name    string // what Cairn needs it for
	Granted bool
	// Grant says where in the PSA a person gives it.
	Grant string
	// Optional rights are needed by some features only.
	Optional bool
}

// Company is one of the MSP's customers, as the PSA calls them.
type Company struct {
	ID         string
	Name       string
	Identifier string // a short name, where the PSA has one
	Active     bool   // tickets can be opened for it
	Domains    []string
}

// Setting is a property of tickets whose values the MSP defines in its PSA.
type Setting string

// The settings.
const (
	SettingBoard    Setting = "BOARD" // where tickets land: a board, team or queue
	SettingStatus   Setting = "STATUS"
	SettingPriority Setting = "PRIORITY"
	SettingType     Setting = "TYPE"
	SettingSource   Setting = "SOURCE"
)

// Choice is one value of a setting.
type Choice struct {
	ID, Name string
	Default  bool
	Inactive bool
	Closed   bool // of a status: tickets with it are closed
}

// NewTicket is a ticket to be made. Texts are plain; the adapter cuts none:
// what is longer than the Description's limits is an error.
type NewTicket struct {
	Reference   string // ours, to find it by
	Title       string
	Description string
	CompanyID   string
	Settings    map[Setting]string // chosen ids
}

// Change is what is to be set on a ticket; what is empty stays as it is.
type Change struct {
	Title     string
	Settings  map[Setting]string
	Reference string
}

// Ticket is a ticket as the PSA has it.
type Ticket struct {
	ID        string
	Number    string // as people see it, where it differs from the id
	Reference string
	Title     string
	CompanyID string
	Settings  map[Setting]Choice
	Closed    bool
	MergedIn  string // the ticket it was merged into, "" where it was not
	ChangedAt time.Time
	ChangedBy string
	URL       string // where a person reads it, "" where unknown
}

// Note is one entry of a ticket's conversation.
type Note struct {
	ID        string
	Text      string
	Internal  bool // the company's people do not see it
	CreatedAt time.Time
	CreatedBy string
	Ours      bool // made by the credentials' own member, where the PSA tells
}
