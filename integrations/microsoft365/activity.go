package microsoft365

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"time"
)

// Window is a span of time: From inclusive, To exclusive.
type Window struct{ From, To time.Time }

// SignInKind is a kind of sign-in; Graph lists one at a time.
type SignInKind string

// The kinds.
const (
	SignInInteractive      SignInKind = "interactiveUser"
	SignInNonInteractive   SignInKind = "nonInteractiveUser"
	SignInServicePrincipal SignInKind = "servicePrincipal"
	SignInManagedIdentity  SignInKind = "managedIdentity"
)

// within is a window as a filter of a property. Graph knows ge and le for these
// reports, and no lt: the last moment is a thousandth before the window's end.
func (w Window) within(property string) string {
	const layout = "2006-01-02T15:04:05.000Z"
	return property + " ge " + w.From.UTC().Format(layout) + " and " + property + " le " + w.To.UTC().Add(-time.Millisecond).Format(layout)
}

// SignIns lists sign-ins of one kind that happened within a window, newest
// first, from the beta endpoint: only that tells session, token and protocol.
// They appear minutes after they happened, in no order, and change (risk) under
// the same id. From is a page's Next to go on from, or "". ReasonNotPremium:
// the tenant has no sign-in log.
func (t *Tenant) SignIns(ctx context.Context, kind SignInKind, w Window, from string) iter.Seq2[Page, error] {
	return t.list(ctx, request{
		doing: "read sign-ins",
		address: t.at("beta", "auditLogs/signIns", url.Values{
			"$filter": {w.within("createdDateTime") + " and signInEventTypes/any(t: t eq '" + string(kind) + "')"},
			"$top":    {"1000"},
		}),
		// Else members of enumerations that came late are told as unknownFutureValue.
		header: map[string]string{"Prefer": "include-unknown-enum-members"},
	}, from)
}

// DirectoryAudits lists changes of the directory within a window, newest first.
func (t *Tenant) DirectoryAudits(ctx context.Context, w Window, from string) iter.Seq2[Page, error] {
	return t.list(ctx, request{
		doing: "read directory audits",
		address: t.at("v1.0", "auditLogs/directoryAudits", url.Values{
			"$filter": {w.within("activityDateTime")},
			"$top":    {"1000"},
		}),
	}, from)
}

// ownAddress says whether an address is of the API at root: a token for it is
// sent nowhere else, whatever an answer says.
func ownAddress(address, root string) bool {
	return address == root || strings.HasPrefix(address, root+"/") || strings.HasPrefix(address, root+"?")
}
