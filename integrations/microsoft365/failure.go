package microsoft365

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"unicode"
)

// errorBody is an error as the APIs write it. Exchange hides its own words in
// the inner parts.
type errorBody struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Details jsonDetails
		Inner   struct {
			RequestID string `json:"request-id"`
			Internal  struct {
				Message string `json:"message"`
			} `json:"internalException"`
		} `json:"innerError"`
	} `json:"error"`
	// Some refusals of the Management Activity API come bare.
	Message string `json:"Message"`
}

// jsonDetails is a list of details or a single one, as it comes.
type jsonDetails struct{ message string }

// UnmarshalJSON never fails: what it does not know it leaves.
func (d *jsonDetails) UnmarshalJSON(raw []byte) error {
	type detail struct {
		Message string `json:"message"`
	}
	var one detail
	var several []detail
	switch {
	case json.Unmarshal(raw, &one) == nil:
		d.message = one.Message
	case json.Unmarshal(raw, &several) == nil && len(several) > 0:
		d.message = several[0].Message
	}
	return nil
}

// apiError reads what an API answered instead of what was asked.
func (a *App) apiError(family Family, response *http.Response) *Error {
	raw, _ := io.ReadAll(io.LimitReader(response.Body, maxBody)) // what cannot be read is not told
	var body errorBody
	if json.Unmarshal(raw, &body) != nil {
		body = errorBody{}
	}
	code, message := body.Error.Code, body.Error.Message
	switch {
	case body.Error.Details.message != "":
		message = body.Error.Details.message
	case body.Error.Inner.Internal.Message != "":
		message = body.Error.Inner.Internal.Message
	case message == "":
		message = body.Message
	}
	e := fail(sort(family, response.StatusCode, code, message), "call Microsoft", a.clean(message))
	e.Code, e.Status = a.clean(code), response.StatusCode
	e.RequestID = a.clean(response.Header.Get("Request-Id"))
	if e.RequestID == "" {
		e.RequestID = a.clean(body.Error.Inner.RequestID)
	}
	e.RetryAfter = retryAfter(response.Header, a.now())
	return e
}

// codes are Microsoft's words that say more than the HTTP status.
var codes = map[string]Reason{
	"Authentication_RequestFromNonPremiumTenantOrB2CTenant": ReasonNotPremium,
	"MailboxNotEnabledForRESTAPI":                           ReasonNoMailbox,
	"MailboxNotSupportedForRESTAPI":                         ReasonNoMailbox,
	"ErrorNonExistentMailbox":                               ReasonNoMailbox,
	"Directory_ExpiredPageToken":                            ReasonResync,
	"Directory_ResyncRequired":                              ReasonResync,
	"SyncStateNotFound":                                     ReasonResync,
	"SyncStateInvalid":                                      ReasonResync,
	"resyncRequired":                                        ReasonResync,
	"Request_ResourceNotFound":                              ReasonNotFound,
	"ErrorItemNotFound":                                     ReasonNotFound,
	"Authorization_RequestDenied":                           ReasonPermission,
	"Authorization_IdentityNotFound":                        ReasonConsent,

	// Source: the Management Activity API's reference, "Errors".
	"AF10001": ReasonPermission, "AF20010": ReasonTenant, "AF20011": ReasonTenant, "AF20012": ReasonTenant,
	"AF20013": ReasonTenant, "AF20022": ReasonSubscription, "AF20023": ReasonSubscription, "AF20031": ReasonResync,
	"AF20051": ReasonExpired, "AF429": ReasonThrottled, "AF50000": ReasonUnavailable,
}

// sort gives an answer its reason.
func sort(family Family, status int, code, message string) Reason {
	low := strings.ToLower(message)
	says := func(part string) bool { return strings.Contains(low, part) }
	switch {
	case status == http.StatusTooManyRequests:
		return ReasonThrottled
	// With auditing off the tenant is said not to exist, mostly without a code.
	case family == FamilyManagement && says("does not exist") && says("tenant"):
		return ReasonAuditLogOff
	case status == http.StatusForbidden && (says("premium license") || says("non-premium")):
		return ReasonNotPremium
	case family == FamilyMailbox && status == http.StatusForbidden && (code == "ErrorAccessDenied" || says("failed to get the correct properties")):
		return ReasonMailbox
	case family == FamilyMailbox && status == http.StatusNotFound && code == "ResourceNotFound":
		return ReasonNoMailbox
	case family == FamilyMethods && status == http.StatusBadRequest && says("default"):
		return ReasonConflict // it goes when it is the last
	}
	if reason, known := codes[code]; known {
		return reason
	}
	switch {
	case says("on-premises mastered") || says("directory sync objects") || says("on-premises write scope"):
		return ReasonSynced
	case status == http.StatusBadRequest && (says("skiptoken") || says("skip token") || says("deltatoken") || says("delta token")):
		return ReasonResync
	case family == FamilyExchange && (says("couldn't be found") || says("could not be found")):
		return ReasonNotFound
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ReasonPermission
	case http.StatusNotFound:
		return ReasonNotFound
	case http.StatusGone:
		return ReasonResync
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked:
		return ReasonConflict
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return ReasonTimeout
	}
	switch {
	case status >= http.StatusInternalServerError:
		return ReasonUnavailable
	case status >= http.StatusBadRequest:
		return ReasonInvalid
	default:
		return ReasonProtocol // a redirect: none is followed
	}
}

// longest is how much of Microsoft's own words is told.
const longest = 300

// tokenShape is what looks like a token, in words that are not ours.
var tokenShape = regexp.MustCompile(`ey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]+|(?i:bearer\s+)\S+`)

// clean makes somebody else's text fit for an error: no secret, no token, no
// control characters, not long.
func (a *App) clean(text string) string {
	if a.credential.secret != "" {
		text = strings.ReplaceAll(text, a.credential.secret, "[secret]")
	}
	for _, kept := range a.tokens.texts() {
		text = strings.ReplaceAll(text, kept, "[token]")
	}
	text = tokenShape.ReplaceAllString(text, "[token]")
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	text = strings.TrimSpace(text)
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return text
}

// texts are the tokens kept now.
func (k *tokens) texts() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []string
	for _, of := range k.kept {
		for _, t := range of {
			all = append(all, t.text)
		}
	}
	return all
}
