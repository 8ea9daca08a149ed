package microsoft365

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Reason says why a call failed, in a way that tells what to do next.
type Reason string

// The reasons.
const (
	ReasonCredentials  Reason = "CREDENTIALS"     // the application's secret or certificate is wrong or has expired
	ReasonConsent      Reason = "CONSENT"         // the tenant has not consented to the application, or has withdrawn it
	ReasonTenant       Reason = "TENANT"          // no such tenant, or another one than was meant
	ReasonPermission   Reason = "PERMISSION"      // a permission or role is missing
	ReasonNotPremium   Reason = "NOT_PREMIUM"     // the tenant has no Entra ID P1: no sign-in log
	ReasonAuditLogOff  Reason = "AUDIT_LOG_OFF"   // unified auditing is off
	ReasonSubscription Reason = "SUBSCRIPTION"    // the content type is not subscribed, or its subscription is disabled
	ReasonNoMailbox    Reason = "NO_MAILBOX"      // the account has no mailbox in the cloud
	ReasonMailbox      Reason = "MAILBOX_REFUSED" // Exchange refuses this one mailbox; consent is not at fault
	ReasonSynced       Reason = "SYNCED"          // the account's master is a directory on premises: act there
	ReasonNotFound     Reason = "NOT_FOUND"       // gone, or never there
	ReasonResync       Reason = "RESYNC"          // a delta or page token is too old: begin again
	ReasonExpired      Reason = "EXPIRED"         // content that Microsoft keeps no longer: skip it and note the gap
	ReasonInvalid      Reason = "INVALID"         // Microsoft refuses a value
	ReasonConflict     Reason = "CONFLICT"        // something else changed it, or forbids it now
	ReasonThrottled    Reason = "THROTTLED"       // too many calls: wait
	ReasonUnavailable  Reason = "UNAVAILABLE"     // down or unreachable: wait
	ReasonTimeout      Reason = "TIMEOUT"         // no answer in time
	ReasonProtocol     Reason = "PROTOCOL"        // an answer that makes no sense
	ReasonRefused      Reason = "REFUSED"         // an address to which no token is sent
	ReasonForged       Reason = "FORGED"          // a sign-in that is not the one that was asked for
	ReasonDeclined     Reason = "DECLINED"        // the person declined, or may not consent
)

// advice says of each reason what a person can do.
var advice = map[Reason]string{
	ReasonCredentials:  "Enter a valid client secret or certificate of the application.",
	ReasonConsent:      "Have an administrator of the tenant grant consent to the application again.",
	ReasonTenant:       "Check the tenant's id, and sign in with an administrator of that tenant.",
	ReasonPermission:   "Grant the application the missing permission, or its service principal the missing role, in the tenant.",
	ReasonNotPremium:   "License Entra ID P1 in the tenant, or go without its sign-in log: logons are then read from the audit log.",
	ReasonAuditLogOff:  "Turn on auditing in the tenant's Purview portal (or Set-AdminAuditLogConfig -UnifiedAuditLogIngestionEnabled $true); it takes hours to begin.",
	ReasonSubscription: "Start the subscription of the content type. Do not stop it to cure it.",
	ReasonNoMailbox:    "Nothing to do: the account has no mailbox in Exchange Online.",
	ReasonMailbox:      "Look at the mailbox in Exchange; the tenant's consent is not at fault. It is tried again later.",
	ReasonSynced:       "Do it in the tenant's Active Directory on premises.",
	ReasonNotFound:     "Nothing to do where it was to be removed; else check that it is still there.",
	ReasonResync:       "Read everything again from the beginning.",
	ReasonExpired:      "Nothing to do: Microsoft keeps it no longer.",
	ReasonInvalid:      "Report it: the request is not as Microsoft wants it.",
	ReasonConflict:     "Read it again, then try again.",
	ReasonThrottled:    "Wait; Microsoft limits the calls.",
	ReasonUnavailable:  "Wait; if it lasts, look at Microsoft's service health.",
	ReasonTimeout:      "Wait; it is tried again.",
	ReasonProtocol:     "Report it: the answer was not understood.",
	ReasonRefused:      "Report it: the answer led to an address outside Microsoft's.",
	ReasonForged:       "Begin connecting the tenant again from its page.",
	ReasonDeclined:     "Have a Global Administrator or Privileged Role Administrator grant consent.",
}

// Error is a failed call. Its text is for people; it never holds a secret or a token.
type Error struct {
	Reason Reason
	// Doing is what was tried, e.g. "read sign-ins".
	Doing string
	// Message is Microsoft's own reason or ours, cut to a sane length.
	Message string
	// Code is Microsoft's word for it, e.g. "Authorization_RequestDenied",
	// "AADSTS7000215" or "AF20022"; "" where it gave none.
	Code string
	// Advice is a sentence that says what to do.
	Advice string
	// Status is the HTTP status, 0 where there was no answer.
	Status int
	// Retryable says that trying again later, unchanged, can help.
	Retryable bool
	// RetryAfter is the least time to wait, 0 where nobody said.
	RetryAfter time.Duration
	// RequestID is what Microsoft's support asks for.
	RequestID string
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
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	if e.Status != 0 {
		text += fmt.Sprintf(" (HTTP %d)", e.Status)
	}
	if e.Advice != "" {
		text += ". " + e.Advice
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is says whether err is an *Error with the reason.
func Is(err error, reason Reason) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reason == reason
}

// Retry says whether trying again can help, and after how long at the least.
// What is no *Error is a defect or the end of the context: it is tried again.
func Retry(err error) (retryable bool, after time.Duration, reason Reason) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Retryable, e.RetryAfter, e.Reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return true, 0, ReasonTimeout
	}
	return true, 0, ReasonUnavailable
}

// fail makes an error; what can be retried and what to do follow from the reason.
func fail(reason Reason, doing, message string) *Error {
	e := &Error{Reason: reason, Doing: doing, Message: message, Advice: advice[reason]}
	switch reason {
	case ReasonThrottled, ReasonUnavailable, ReasonTimeout, ReasonConflict, ReasonProtocol, ReasonMailbox:
		e.Retryable = true
	default:
	}
	return e
}

// unreachable is the error of a call without an answer.
func unreachable(doing string, err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		told := *own
		told.Doing = doing
		return &told
	}
	var late interface{ Timeout() bool }
	reason, message := ReasonUnavailable, "Microsoft cannot be reached"
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) && late.Timeout() {
		reason, message = ReasonTimeout, "no answer in time"
	}
	e := fail(reason, doing, message)
	e.Cause = err
	return e
}
