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
	"net/http"
	"time"
)

// Vendor is a PSA before anybody is connected to it: what it takes, and how an
// adapter is made of that. Every adapter's package has one.
type Vendor struct {
	Kind   string // of a connection, e.g. CONNECTWISE
	Name   string // as its vendor writes it
	Fields []Field
	// New makes an adapter and calls nobody. The fields are by their names, with
	// the secrets among them; a *Error of ReasonInvalid names the one that can't
	// be right.
	New func(fields map[string]string, client *http.Client, now func() time.Time) (Adapter, error)
}

// Field is one thing a person enters to connect a PSA.
type Field struct {
	Name     string // e.g. privateKey
	Label    string // e.g. Private key
	Help     string // where in the PSA it is found
	Secret   bool   // sealed, and never shown again
	Optional bool
}

// Adapter is what every PSA can do. Its methods may be called from many
// goroutines. Errors are *Error.
type Adapter interface {
	// Describe tells what the PSA is and what its texts may hold. It calls nobody.
	Describe() Description

	// Identify asks which instance the credentials belong to. It stays the same
	// for as long as the MSP keeps its PSA, whatever happens to connections.
	Identify(ctx context.Context) (Instance, error)

	// Verify asks with the configured credentials for everything Cairn will
	// need, and returns each right with what was found. An error means that not
	// even that could be found out.
	Verify(ctx context.Context) ([]Right, error)

	Directory
	Tickets
}

// Instance is a PSA as one MSP has it. References of tickets are made of it, so
// that one who disconnects and connects again finds the tickets there are.
type Instance struct {
	Host    string // the vendor's, e.g. na.myconnectwise.net
	Account string // the MSP's there
}

// Directory is what a PSA knows before there is a ticket: whom it can be for and
// what can be set on it.
type Directory interface {
	// Companies lists companies whose name holds the text, all where it is
	// empty, in an order that stays; after is where the page before ended ("" for
	// the first), next where this one did ("" at the end).
	Companies(ctx context.Context, text, after string) (page []Company, next string, err error)
	// Company returns the company with this id. ReasonNotFound where there is none.
	Company(ctx context.Context, id string) (Company, error)

	// Choices lists what the PSA offers for a setting, read live. Within is the
	// choice it depends on (the board of a status), "" where it depends on none.
	Choices(ctx context.Context, setting Setting, within string) ([]Choice, error)
	// MandatoryFields returns the fields of this instance's own that a ticket
	// with these settings must have, beyond those of the Description.
	MandatoryFields(ctx context.Context, chosen map[Setting]string) ([]SettingDescription, error)
}

// Tickets are the tickets of a PSA and their notes.
type Tickets interface {
	// CreateTicket makes a ticket. No PSA knows idempotency keys: after an
	// error with MaybeDone the ticket may be there; the caller looks with
	// FindTickets before it creates again.
	CreateTicket(ctx context.Context, t NewTicket) (Ticket, error)
	// UpdateTicket sets what the change names and leaves the rest. Repeating it
	// is safe.
	UpdateTicket(ctx context.Context, id string, c Change) (Ticket, error)

	// FindTickets returns every ticket that carries the reference, oldest first.
	FindTickets(ctx context.Context, reference string) ([]Ticket, error)
	// ReadTickets returns those of the tickets that are shown, in any order. One
	// that is missing may be gone, or hidden: ask for it with ReadTicket.
	ReadTickets(ctx context.Context, ids []string) ([]Ticket, error)
	// ReadTicket returns a ticket. ReasonNotFound is for one that the PSA says is
	// not there, ReasonPermission for one that is not shown, or of which the PSA
	// does not tell the two apart. Rights may have been taken away in a way that
	// looks like absence: believe it where another ticket is still shown.
	ReadTicket(ctx context.Context, id string) (Ticket, error)

	// AddNote adds a note. As with CreateTicket, after MaybeDone the caller
	// looks with Notes for its marker before it adds it again.
	AddNote(ctx context.Context, ticketID string, n NewNote) (Note, error)
	// Notes returns all notes of a ticket, oldest first, those among them that
	// the PSA keeps as entries of working time.
	Notes(ctx context.Context, ticketID string) ([]Note, error)
}

// ChangeLister is an adapter whose PSA can list what changed, which costs fewer
// calls than asking for every ticket that is followed.
type ChangeLister interface {
	// ChangedTickets returns the tickets of a board ("" for any) that changed at
	// or after since, by the PSA's clock, oldest change first. It may return a
	// ticket that did not; what was deleted, or moved to another board, may not
	// be among them.
	ChangedTickets(ctx context.Context, board string, since time.Time) ([]Ticket, error)
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
	// Limits of texts are in characters (Unicode code points); 0 is no limit.
	TitleLimit, ReferenceLimit, NoteLimit, DescriptionLimit int
	// Limits bind all processes together.
	Limits Limits
	// Markup says how notes and descriptions are shown.
	Markup Markup
	// PublicDescription says that a ticket's description can't be hidden from
	// the company's people: what they must not read belongs in an internal note.
	PublicDescription bool
	// Settings are those a ticket and a note of this PSA have, in the order a
	// person chooses them.
	Settings []SettingDescription
}

// Limits are how many HTTP calls an instance bears from us, over all processes.
type Limits struct {
	Parallel        int // under way at once
	ParallelCreates int // of CreateTicket; 0: as Parallel
	PerMinute       int // that the connection has where nobody says otherwise
	PerHour         int // 0: none of its own
}

// Markup is how a PSA shows a text. HTML is no kind of it: an adapter whose PSA
// renders HTML escapes what it is given.
type Markup string

// The kinds of markup.
const (
	MarkupPlain    Markup = "PLAIN"
	MarkupMarkdown Markup = "MARKDOWN" // may be rendered: the caller escapes what is hostile in Markdown
)

// RightState is what was found out about a right.
type RightState string

// The states of rights.
const (
	RightGranted RightState = "GRANTED"
	RightMissing RightState = "MISSING"
	RightUnknown RightState = "UNKNOWN" // it shows only when it is used, or could not be asked for
)

// Right is something the credentials may or may not do.
type Right struct {
	Name  string // what Cairn needs it for
	State RightState
	// Grant says where in the PSA a person gives it.
	Grant string
	// Detail is what the PSA said, "" where nothing.
	Detail string
	// Optional rights are needed by some features only.
	Optional bool
}

// Company is whom the MSP works for, as the PSA calls them.
type Company struct {
	ID         string
	Name       string
	Identifier string // a short name, where the PSA has one
	Active     bool   // tickets can be opened for it
	Domains    []string
	// MicrosoftTenants are the ids of Microsoft tenants that the PSA knows the
	// company by.
	MicrosoftTenants []string
}
