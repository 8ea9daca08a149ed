package psa

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Reason says why a call failed, in a way that tells what to do next.
type Reason string

// The reasons. Which ones a retry can help against is the adapter's to say
// (Error.Retryable); what stands here is the rule.
const (
	ReasonCredentials Reason = "CREDENTIALS" // refused: a person must enter new ones
	ReasonPermission  Reason = "PERMISSION"  // a right is missing: a person must grant it
	ReasonNotFound    Reason = "NOT_FOUND"   // gone, or never there
	ReasonInvalid     Reason = "INVALID"     // the PSA refuses a value: a person must change a setting
	ReasonConflict    Reason = "CONFLICT"    // something else changed it: read, then try again
	ReasonThrottled   Reason = "THROTTLED"   // too many calls: wait
	ReasonUnavailable Reason = "UNAVAILABLE" // the PSA is down or unreachable: wait
	ReasonTimeout     Reason = "TIMEOUT"     // no answer in time
	ReasonProtocol    Reason = "PROTOCOL"    // an answer that makes no sense
	ReasonRefused     Reason = "REFUSED"     // an address Cairn does not call
	ReasonForged      Reason = "FORGED"      // a callback that is not from the PSA
)

// Error is a failed call. Its text is for people; it never holds a secret.
type Error struct {
	Reason Reason
	// Doing is what was tried, e.g. "create ticket".
	Doing string
	// Message is the vendor's own reason or ours, cut to a sane length.
	Message string
	// Field is the field the PSA complains of, "" where it names none.
	Field string
	// Status is the HTTP status, 0 where there was no answer.
	Status int
	// Retryable says that trying again later, unchanged, can help.
	Retryable bool
	// After is the least time to wait, 0 where the PSA did not say.
	After time.Duration
	// MaybeDone says that the PSA may have done it nevertheless: look before
	// doing it again.
	MaybeDone bool
	// Cause is what went wrong below, where it may be shown.
	Cause error
}

func (e *Error) Error() string {
	text := e.Doing + ": "
	if e.Message != "" {
		text += e.Message
	} else {
		text += string(e.Reason)
	}
	if e.Status != 0 {
		text += fmt.Sprintf(" (HTTP %d)", e.Status)
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Retry says whether trying again can help, and after how long at the least.
// What is no *Error is a defect or the end of the context: it is tried again.
func Retry(err error) (retryable bool, after time.Duration, reason Reason) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Retryable, e.After, e.Reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return true, 0, ReasonTimeout
	}
	return true, 0, ReasonUnavailable
}

// Is says whether a call failed for this reason.
func Is(err error, reason Reason) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reason == reason
}
