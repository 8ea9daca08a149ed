package psa

import "context"

// CallbackReceiver is an adapter whose PSA can call back when a ticket changes.
type CallbackReceiver interface {
	// EnsureCallbacks makes the PSA call the address for tickets of the board,
	// and removes what else it finds of ours: after it there is exactly one
	// active callback.
	EnsureCallbacks(ctx context.Context, want Callbacks) (CallbackState, error)
	// RemoveCallbacks ends the calls to the address.
	RemoveCallbacks(ctx context.Context, url string) error
	// ReadCallback checks that a call comes from the PSA and reads it. A forged
	// one is ReasonForged. What it says is a hint: the caller reads the tickets.
	ReadCallback(ctx context.Context, call CallbackCall) (Called, error)
}

// Callbacks are what is wanted of the PSA.
type Callbacks struct {
	Board string // "" for any
	URL   string // of Cairn, with nothing behind the path; it names the connection
	// Secret is ours, random, at most 64 characters of a-z, A-Z, 0-9: what the
	// PSA proves itself with, where it does not give one itself.
	Secret string
}

// CallbackState is what EnsureCallbacks found and left.
type CallbackState struct {
	Changed bool
	// Secret is the PSA's own, where it gives one: to be kept, and handed to
	// ReadCallback in place of ours. "" where ours holds.
	Secret string
}

// CallbackCall is a call as it came in.
type CallbackCall struct {
	Header map[string][]string
	Body   []byte // its exact bytes
	Secret string // what EnsureCallbacks was given, or gave
}

// Called is what a call said.
type Called struct {
	TicketIDs []string // one or several; may be empty
	// Ended says that the PSA has stopped calling: EnsureCallbacks is due.
	Ended bool
}
