package psa

import "time"

// NewTicket is a ticket to be made. Texts are plain; the adapter cuts none:
// what is longer than the Description's limits is an error.
type NewTicket struct {
	Reference   string // ours, to find it by
	Title       string
	Description string
	// Public has the company's people read the description, where the PSA can
	// hide it (Description.PublicDescription).
	Public    bool
	CompanyID string
	Settings  map[Setting]string // chosen values
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
	ClosedBy  Author // of unknown kind where the PSA does not tell
	MergedIn  string // the ticket it was merged into, "" where it was not
	ChangedAt time.Time
	ChangedBy Author
	URL       string // where a person reads it, "" where unknown
}

// AuthorKind is who did something in the PSA.
type AuthorKind string

// The kinds of authors.
const (
	AuthorUnknown AuthorKind = ""
	AuthorOurs    AuthorKind = "OURS"    // the credentials' own member
	AuthorStaff   AuthorKind = "STAFF"   // of the MSP
	AuthorContact AuthorKind = "CONTACT" // of the company
	AuthorSystem  AuthorKind = "SYSTEM"  // a rule or another program
)

// Author is who wrote a note or changed a ticket.
type Author struct {
	Kind AuthorKind
	Name string // as the PSA writes it, or its id
}

// NewNote is a note to be added.
type NewNote struct {
	Text     string
	Internal bool               // the company's people must not see it
	Settings map[Setting]string // those of UseNote, chosen for notes of this visibility
}

// Note is one entry of a ticket's conversation.
type Note struct {
	ID        string // of this ticket's: another's may have the same
	Text      string
	Internal  bool
	CreatedAt time.Time
	By        Author
	WorkTime  bool // it stands in an entry of working time
}
