// Package refusal holds the one error type for expected refusals: what was
// asked can't be done, and the asker can mend it. Services return it, the API
// shows it as a user error, the command line prints it. Every other error is a
// fault, and its text stays inside.
package refusal

import (
	"errors"
	"fmt"
)

// Code says what kind of refusal it is; programs decide by it.
type Code string

// The codes.
const (
	Invalid  Code = "INVALID"   // a value is not acceptable as it is
	NotFound Code = "NOT_FOUND" // what was named does not exist, or not for the asker
	Taken    Code = "TAKEN"     // the name or id is in use
	Conflict Code = "CONFLICT"  // the state of things does not allow it now
)

// Error is a refusal. Message is for a person: what is wrong and what to do.
type Error struct {
	Code    Code
	Field   []string // path into the input, empty where none is to blame
	Message string
}

func (e *Error) Error() string { return e.Message }

// New returns a refusal about a field (dots part the path; "" for none).
func New(code Code, field []string, format string, args ...any) *Error {
	return &Error{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}

// From returns the refusal in err's chain, or nil.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}
