package microsoft365

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Family is a group of endpoints that Microsoft counts together.
type Family string

// The families.
const (
	FamilyLogin      Family = "LOGIN"      // tokens
	FamilyReports    Family = "REPORTS"    // sign-ins and directory audits
	FamilyDirectory  Family = "DIRECTORY"  // users, devices, roles, grants, service principals
	FamilyMethods    Family = "METHODS"    // authentication methods
	FamilyProtection Family = "PROTECTION" // identity protection and conditional access
	FamilyMailbox    Family = "MAILBOX"    // rules, settings and mail through Graph
	FamilyManagement Family = "MANAGEMENT" // the Management Activity API
	FamilyExchange   Family = "EXCHANGE"   // Exchange's administration
)

// Limit is what Microsoft allows: so many calls in so much time.
type Limit struct {
	Calls int
	Per   time.Duration
}

// Limits are Microsoft's, per application and tenant, for the families whose
// calls are counted by number. FamilyProtection's holds for a tenant over all
// its applications. The directory's are counted in units (a call costs one to
// three), for a tenant under 50 users.
// Source: learn.microsoft.com/graph/throttling-limits and the Management API's reference.
var Limits = map[Family]Limit{
	FamilyReports:    {5, 10 * time.Second},
	FamilyProtection: {1, time.Second},
	FamilyManagement: {2000, time.Minute},
	FamilyDirectory:  {1000, 10 * time.Second},
}

// Call is a call about to be made.
type Call struct {
	App, Tenant string
	Family      Family
	Urgent      bool // containment: it goes before inventory
}

// Budget is asked before every call. It may wait, or refuse: with Wait(…), or
// with an error of its own, which the caller of the method finds as the cause.
type Budget interface {
	// Take is asked for one call.
	Take(ctx context.Context, call Call) error
	// Pause says that Microsoft wants no such calls for a while.
	Pause(ctx context.Context, call Call, rest time.Duration)
}

// Wait is how a budget refuses a call: not before so much time has passed.
func Wait(after time.Duration) error {
	e := fail(ReasonThrottled, "call Microsoft", "the budget of calls is used up for now")
	e.RetryAfter = after
	return e
}

type boundless struct{}

func (boundless) Take(context.Context, Call) error           { return nil }
func (boundless) Pause(context.Context, Call, time.Duration) {}

// Traffic counts the calls of one family.
type Traffic struct {
	Calls, Throttled, Failed int64
	// Pressure is the share of a limit that was used up (0.8 and more) as
	// Microsoft last told it, 0 where it did not; Scope is whose limit.
	Pressure float64
	Scope    string
}

type traffic struct {
	mu  sync.Mutex
	all map[Family]Traffic
}

// count notes a call and its answer, nil where there was none.
func (k *traffic) count(call Call, response *http.Response) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[Family]Traffic{}
	}
	t := k.all[call.Family]
	t.Calls++
	switch {
	case response == nil || response.StatusCode >= http.StatusInternalServerError:
		t.Failed++
	case response.StatusCode == http.StatusTooManyRequests:
		t.Throttled++
	}
	t.Pressure, t.Scope = 0, ""
	if response != nil {
		if share, err := strconv.ParseFloat(response.Header.Get("X-Ms-Throttle-Limit-Percentage"), 64); err == nil && share >= 0 && share < 1000 {
			t.Pressure, t.Scope = share, response.Header.Get("X-Ms-Throttle-Scope")
		}
	}
	k.all[call.Family] = t
}

// Traffic returns the calls made so far by family.
func (a *App) Traffic() map[Family]Traffic {
	a.traffic.mu.Lock()
	defer a.traffic.mu.Unlock()
	return maps.Clone(a.traffic.all)
}

type urgent struct{}

// Urgent marks the calls made with the context as containment: budgets and
// Microsoft let them go first.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgent{}, true) }

// rest is how long a family of calls has to stay away from a tenant.
type rest struct {
	until time.Time
	times int // in a row
}

// rests are one tenant's.
type rests struct {
	mu  sync.Mutex
	all map[Family]rest
}

func (r *rests) left(f Family, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[f].until.Sub(now)
}

// begin starts a rest. Where Microsoft named none it doubles with each refusal
// in a row, from ten seconds (the window of its limits) to five minutes.
func (r *rests) begin(f Family, named time.Duration, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[Family]rest{}
	}
	current := r.all[f]
	length := cmp.Or(named, min(5*time.Minute, 10*time.Second<<min(current.times, 5)))
	r.all[f] = rest{now.Add(length), current.times + 1}
	return length
}

func (r *rests) end(f Family) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, f)
}

// carrier is the one way to the APIs, for the SDK and for our own calls: it
// knows which host gets which token, asks the budget, keeps the rests Microsoft
// demands, counts, and renews a refused token once.
type carrier struct{ tenant *Tenant }

// maxBody is as much as a request of ours holds.
const maxBody = 1 << 20

// RoundTrip makes a call. Its errors are *Error or the budget's. Answers that
// are none of success are errors here already, against the custom of round
// trippers: so the SDK's calls and our own fail in one and the same way.
func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	t, a := c.tenant, c.tenant.app
	audience, family, ok := a.place(r)
	if !ok {
		return nil, fail(ReasonRefused, "call Microsoft", fmt.Sprintf("%q is not an address of Microsoft's that Cairn calls", r.URL.Host))
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			return nil, fmt.Errorf("read the request's body: %w", err)
		}
		_ = r.Body.Close()
	}
	_, isUrgent := r.Context().Value(urgent{}).(bool)
	call := Call{App: a.clientID, Tenant: t.ID, Family: family, Urgent: isUrgent}
	for renewed := false; ; renewed = true {
		access, err := t.token(r.Context(), audience)
		if err != nil {
			return nil, err
		}
		response, err := c.send(r, call, access, body)
		if err != nil {
			return nil, err
		}
		if response.StatusCode < http.StatusMultipleChoices {
			return response, nil
		}
		err = a.apiError(family, response)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized || renewed {
			return nil, err
		}
		// It may have expired or been withdrawn under way: once more with a new one.
		a.tokens.refused(t.ID, audience, access.text)
	}
}

func (c carrier) send(r *http.Request, call Call, access *token, body []byte) (*http.Response, error) {
	t, a := c.tenant, c.tenant.app
	if left := t.rests.left(call.Family, a.now()); left > 0 {
		e := fail(ReasonThrottled, "call Microsoft", "Microsoft asked for a rest that is not over")
		e.RetryAfter = left
		return nil, e
	}
	if err := a.budget.Take(r.Context(), call); err != nil {
		return nil, err
	}
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", "Bearer "+access.text)
	if call.Urgent {
		out.Header.Set("X-Ms-Throttle-Priority", "High")
	}
	out.Body, out.ContentLength = http.NoBody, 0
	if len(body) > 0 {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	transport := a.client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	response, err := transport.RoundTrip(out)
	a.traffic.count(call, response)
	if err != nil {
		return nil, err
	}
	named := retryAfter(response.Header, a.now())
	switch {
	case response.StatusCode == http.StatusTooManyRequests, response.StatusCode == http.StatusServiceUnavailable && named > 0:
		length := t.rests.begin(call.Family, named, a.now())
		response.Header.Set("Retry-After", strconv.FormatFloat(max(1, length.Seconds()), 'f', 0, 64))
		a.budget.Pause(r.Context(), call, length)
	case response.StatusCode < http.StatusInternalServerError:
		t.rests.end(call.Family)
	}
	return response, nil
}

// place says which API a request is for. A token goes only to its audience's host.
func (a *App) place(r *http.Request) (audience string, family Family, ok bool) {
	if r.URL.Scheme != "https" || r.URL.User != nil {
		return "", "", false
	}
	at := "https://" + r.URL.Host
	path := r.URL.Path
	switch e := a.endpoints; {
	case at == e.Graph.Address && (strings.HasPrefix(path, "/v1.0/") || strings.HasPrefix(path, "/beta/")):
		return e.Graph.Audience, graphFamily(path), true
	case at == e.Management.Address && strings.HasPrefix(path, "/api/v1.0/"):
		return e.Management.Audience, FamilyManagement, true
	case at == e.Exchange.Address && strings.HasPrefix(path, "/adminapi/"):
		return e.Exchange.Audience, FamilyExchange, true
	default:
		return "", "", false
	}
}

func graphFamily(path string) Family {
	has := func(part string) bool { return strings.Contains(path, part) }
	switch {
	case has("/auditLogs/"):
		return FamilyReports
	case has("/identityProtection/"), has("/conditionalAccess/"):
		return FamilyProtection
	case has("/mailFolders/"), has("/mailboxSettings"), has("/messages"):
		return FamilyMailbox
	case has("/authentication/"):
		return FamilyMethods
	default:
		return FamilyDirectory
	}
}

// retryAfter reads the header of that name, in seconds or as a date; 0 where
// there is none. More than a day is taken for a day.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		wait = time.Duration(min(max(seconds, 0), 86400) * float64(time.Second))
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), 24*time.Hour)
}
