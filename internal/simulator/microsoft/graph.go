package microsoft

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// call is one call of an API, by an application in a tenant.
type call struct {
	tenant *Tenant
	by     bearer
	method string
	path   string // below the API's root, without a slash at its beginning
	query  url.Values
	header http.Header
	body   object
	now    time.Time
}

// graphError is an error of Graph.
func graphError(status int, word, text string) psa.Answer {
	return psa.Answer{Status: status, Body: object{"error": object{
		"code": word, "message": text,
		"innerError": object{"date": "2026-01-01T00:00:00", "request-id": uuid.NewString(), "client-request-id": uuid.NewString()},
	}}}
}

func denied() psa.Answer {
	return graphError(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

func notFound() psa.Answer {
	return graphError(http.StatusNotFound, "Request_ResourceNotFound", "Resource does not exist or one of its queried reference-property objects are not present.")
}

func badRequest(text string) psa.Answer {
	return graphError(http.StatusBadRequest, "Request_BadRequest", text)
}

var ids = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[^/]*@[^/]*|AAMk[^/]*`)

// graph answers for graph.microsoft.com.
func (c *Cloud) graph(w http.ResponseWriter, r *http.Request, version, path string) {
	named := version + "/" + ids.ReplaceAllString(path, "*")
	c.count(r.Method, named)
	by, ok := c.bearer(r, "https://graph.microsoft.com")
	t := c.Tenant(by.Tenant)
	if !ok || t == nil {
		psa.Write(w, graphError(http.StatusUnauthorized, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."))
		return
	}
	refuse := func(status int) any {
		word := map[int]string{http.StatusTooManyRequests: "TooManyRequests", http.StatusServiceUnavailable: "serviceNotAvailable"}[status]
		return graphError(status, word, "The request could not be served.").Body
	}
	raw, ok := psa.Read(w, r)
	if !ok {
		psa.Write(w, badRequest("The body is too large."))
		return
	}
	t.Faults.Serve(w, r, named, refuse, func() psa.Answer {
		t.mu.Lock()
		defer t.mu.Unlock()
		now := c.clock.Now()
		t.settle(now)
		call := call{tenant: t, by: by, method: r.Method, path: strings.ReplaceAll(path, "()", ""), query: r.URL.Query(), header: r.Header, now: now}
		if len(raw) > 0 && json.Unmarshal(raw, &call.body) != nil {
			return badRequest("Unable to read JSON request payload.").Fixed()
		}
		return t.graph(version, call).Fixed()
	})
}

// route is a path of Graph, "*" for any one part, and who may call it.
type route struct {
	method, path string
	anyOf        []string // permissions, one of which suffices
	do           func(*Tenant, call, []string) psa.Answer
}

func (t *Tenant) graph(version string, c call) psa.Answer {
	if version == "beta" && !strings.HasPrefix(c.path, "auditLogs/signIns") {
		return badRequest("Resource not found for the segment in beta: this cloud knows the sign-ins alone.")
	}
	for _, r := range routes {
		parts, ok := match(r.path, c.path)
		if !ok || r.method != c.method {
			continue
		}
		if !c.by.may(r.anyOf...) {
			return denied()
		}
		return r.do(t, c, parts)
	}
	return badRequest("Resource not found for the segment '" + c.path + "'.")
}

// match compares a path with a pattern and returns what stands for its stars.
func match(pattern, path string) ([]string, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	var parts []string
	for i, w := range want {
		switch {
		case w == "*":
			parts = append(parts, have[i])
		case !strings.EqualFold(w, have[i]):
			return nil, false
		}
	}
	return parts, true
}

// place is where one stands in a list, as a skip token tells it.
type place struct {
	List   string
	Offset int
	Last   string // id of the record before, where the list may grow
	Since  int64  // of delta queries
	Given  int64  // when, in seconds
	Twice  bool   // this page was told once already
}

func (p place) token() string {
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and numbers
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// place reads a call's skip token; false where it is stale or none.
func (t *Tenant) place(c call, list string) (place, bool) {
	text := c.query.Get("$skiptoken")
	if text == "" {
		return place{List: list}, true
	}
	var p place
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &p) != nil || p.List != list || p.Offset < 0 {
		return place{}, false
	}
	return p, c.now.Sub(time.Unix(p.Given, 0)) < t.cloud.options.PlaceLife
}

func stale() psa.Answer {
	return graphError(http.StatusBadRequest, "BadRequest", "Skip token is expired or invalid: the skiptoken cannot be used.")
}

// size is how many records a page of this call holds.
func (t *Tenant) size(c call, most int) int {
	if top, err := strconv.Atoi(c.query.Get("$top")); err == nil && top > 0 {
		most = min(most, top)
	}
	if own := t.cloud.options.Page; own > 0 {
		most = min(most, own)
	}
	return most
}

// list answers with a page of objects.
func (t *Tenant) list(c call, all []object, most int) psa.Answer {
	p, ok := t.place(c, c.path)
	if !ok {
		return stale()
	}
	size := t.size(c, most)
	from := min(p.Offset, len(all))
	page := append([]object{}, all[from:min(from+size, len(all))]...)
	body := object{"@odata.context": t.cloud.address + "/v1.0/$metadata#" + c.path, "value": page}
	if from+size < len(all) {
		body["@odata.nextLink"] = t.next(c, "v1.0", place{List: c.path, Offset: from + size, Given: c.now.Unix()})
	}
	return psa.Answer{Status: http.StatusOK, Body: body}
}

// next is the address where a list goes on.
func (t *Tenant) next(c call, version string, p place) string {
	query := maps.Clone(c.query)
	query.Set("$skiptoken", p.token())
	return t.cloud.address + "/" + version + "/" + c.path + "?" + query.Encode()
}

// Microsoft's limit for reports: calls in a span, per application and tenant.
const (
	reportCalls = 5
	reportSpan  = 10 * time.Second
)

// throttled says whether a call of the reports is one too many.
func (t *Tenant) throttled(c call) *psa.Answer {
	if !t.cloud.options.Limits {
		return nil
	}
	key := c.by.App
	var recent []time.Time
	for _, at := range t.reported[key] {
		if c.now.Sub(at) < reportSpan {
			recent = append(recent, at)
		}
	}
	if len(recent) >= reportCalls {
		answer := graphError(http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
		wait := reportSpan - c.now.Sub(recent[0])
		answer.Header = http.Header{"Retry-After": {strconv.Itoa(int(wait.Seconds()) + 1)}, "X-Ms-Throttle-Scope": {"Tenant_Application/ReadWrite"}, "X-Ms-Throttle-Limit-Percentage": {"1.0"}}
		return &answer
	}
	t.reported[key] = append(recent, c.now)
	return nil
}

// text is a value that must be one.
func text(v any) string { return fmt.Sprint(v) }
