package autotask

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// call is one call to the API.
type call struct {
	doing    string
	method   string
	resource string // below V1.0, e.g. "Tickets"
	body     any
	out      any
	reads    bool
}

// do makes a call. A refusal of the credentials may mean that the database moved
// to another zone: then that is asked. It is no reason to try the same again,
// which may lock the user out.
func (a *Adapter) do(ctx context.Context, c call) error {
	z, err := a.findZone(ctx)
	if err != nil {
		return err
	}
	err = a.send(ctx, c, z.api.JoinPath("V1.0", c.resource))
	if !psa.Is(err, psa.ReasonCredentials) || a.site != nil {
		return err
	}
	a.mu.Lock()
	a.zone = nil
	a.mu.Unlock()
	moved, findErr := a.findZone(ctx)
	if findErr != nil || moved.api.String() == z.api.String() {
		return err
	}
	return a.send(ctx, c, moved.api.JoinPath("V1.0", c.resource))
}

func (a *Adapter) send(ctx context.Context, c call, address *url.URL) error {
	var raw json.RawMessage
	out := wire.Call{
		Doing: c.doing, Method: c.method, Address: address, Body: c.body, Reads: c.reads, Out: &raw,
		Header: http.Header{"Username": {a.user}, "Secret": {a.secret}, "Apiintegrationcode": {a.code}},
	}
	if err := a.wire.Send(ctx, out); err != nil {
		return err
	}
	// A success may hold errors all the same.
	var said failure
	if json.Unmarshal(raw, &said) == nil && len(said.Errors) > 0 {
		e := &psa.Error{Doing: c.doing, Status: http.StatusOK, MaybeDone: out.Writes()}
		said.into(e)
		e.Message = a.wire.Excerpt(e.Message)
		return e
	}
	if c.out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, c.out); err != nil {
		return &psa.Error{
			Reason: psa.ReasonProtocol, Doing: c.doing, Message: "the answer can't be read: " + a.wire.Excerpt(string(raw)),
			Retryable: true, MaybeDone: out.Writes(),
		}
	}
	return nil
}

// zone is where a database is.
type zone struct {
	api     *url.URL // ends in ATServicesRest
	people  *url.URL // nil where unknown
	account string
}

const (
	vendorDomain = ".autotask.net"
	zoneLife     = 24 * time.Hour
)

// findZone asks where the database is.
func (a *Adapter) findZone(ctx context.Context) (*zone, error) {
	const doing = "find the zone"
	a.mu.Lock()
	known, asked := a.zone, a.zoneAt
	a.mu.Unlock()
	if known != nil && a.now().Sub(asked) < zoneLife {
		return known, nil
	}
	var said struct {
		URL    string `json:"url"`
		WebURL string `json:"webUrl"`
		CI     int    `json:"ci"`
	}
	address := a.first.JoinPath("ATServicesRest", "V1.0", "zoneInformation")
	address.RawQuery = url.Values{"user": {a.user}}.Encode()
	err := a.wire.Send(ctx, wire.Call{Doing: doing, Method: http.MethodGet, Address: address, Out: &said})
	found := &zone{}
	switch {
	case a.site != nil:
		// Entered because the zone is not told, or not rightly.
		if err != nil && !psa.Is(err, psa.ReasonInvalid) && !psa.Is(err, psa.ReasonNotFound) {
			return nil, err
		}
		found.api = a.site.JoinPath("ATServicesRest")
	case psa.Is(err, psa.ReasonInvalid), psa.Is(err, psa.ReasonNotFound), err == nil && said.URL == "":
		return nil, &psa.Error{
			Reason: psa.ReasonCredentials, Doing: doing, Field: "userName", Cause: err,
			Message: "Autotask knows no zone of this user: check the user name, or enter the zone",
		}
	case err != nil:
		return nil, err
	default:
		if found.api, err = a.vendors(doing, said.URL); err != nil {
			return nil, err
		}
	}
	if people, err := a.vendors(doing, said.WebURL); err == nil {
		found.people = people
	}
	if said.CI != 0 {
		found.account = strconv.Itoa(said.CI)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.zone, a.zoneAt = found, a.now()
	return found, nil
}

// vendors reads an address that the API gave: one of the vendor's, or of the
// host that was asked.
func (a *Adapter) vendors(doing, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	own := err == nil && u.Scheme == a.first.Scheme && strings.EqualFold(u.Host, a.first.Host)
	if err != nil || u.User != nil || !own && (u.Scheme != "https" || !strings.HasSuffix(strings.ToLower(u.Host), vendorDomain)) {
		return nil, &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Message: "Autotask names a host that is not its own: nothing is sent there"}
	}
	return u, nil
}

// failure is the API's error body: texts, or objects with one.
type failure struct {
	Errors  []json.RawMessage `json:"errors"`
	Message string            `json:"Message"`
}

func (f failure) text() string {
	var parts []string
	for _, raw := range f.Errors {
		var text string
		var object struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(raw, &text) != nil && json.Unmarshal(raw, &object) == nil {
			text = object.Message
		}
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(append(parts, f.Message), " ")
}

// meanings are what texts of errors tell, in lower case; the first counts.
var meanings = []struct {
	text   string
	reason psa.Reason
	field  string
}{
	{"thread threshold", psa.ReasonThrottled, ""},
	{"request threshold", psa.ReasonThrottled, ""},
	{"integrationcode", psa.ReasonCredentials, "integrationCode"},
	{"integration code", psa.ReasonCredentials, "integrationCode"},
	{"tracking identifier", psa.ReasonCredentials, "integrationCode"},
	{"user does not exist", psa.ReasonCredentials, "userName"},
	{"invalid username", psa.ReasonCredentials, "userName"},
	{"adequate permissions", psa.ReasonPermission, ""},
	{"not have permission", psa.ReasonPermission, ""},
	{"no matching records", psa.ReasonNotFound, ""},
	{"does not exist", psa.ReasonNotFound, ""},
}

var fieldNames = regexp.MustCompile(`\b(companyID|title|description|status|priority|queueID|issueType|subIssueType|ticketCategory|source|billingCodeID|dueDateTime|` +
	`assignedResourceID|assignedResourceRoleID|externalID|noteType|publish|contactID|contractID)\b`)

var namedField = regexp.MustCompile(`(?i)(?:field|for)[: ]+'?([A-Za-z][\w ]{0,60}?)'?\s*(?:\.|,|;|is\b|$)`)

// into puts what the API said into an error. Validation, business rules and
// often rights are answered with 500 and a list of errors: those are final.
func (f failure) into(out *psa.Error) {
	out.Message = strings.TrimSpace(f.text())
	out.Reason, out.Retryable, out.MaybeDone = psa.ReasonInvalid, false, false
	lower := strings.ToLower(out.Message)
	for _, m := range meanings {
		if strings.Contains(lower, m.text) {
			out.Reason, out.Field, out.Retryable = m.reason, m.field, m.reason == psa.ReasonThrottled
			return
		}
	}
	if found := fieldNames.FindString(out.Message); found != "" {
		out.Field = found
	} else if found := namedField.FindStringSubmatch(out.Message); found != nil {
		out.Field = found[1]
	}
}

// explain reads what the API says of a refusal.
func explain(out *psa.Error, _ http.Header, body []byte) {
	var said failure
	if json.Unmarshal(body, &said) != nil {
		out.Message = wire.Begins(body)
		return
	}
	if len(said.Errors) > 0 && (out.Status == http.StatusInternalServerError || out.Status == http.StatusBadRequest) {
		said.into(out)
		return
	}
	out.Message = strings.TrimSpace(said.text())
}

// filter is a condition of a query. Values are JSON: no text is a query.
type filter struct {
	Op    string   `json:"op"`
	Field string   `json:"field,omitempty"`
	Value any      `json:"value,omitempty"`
	Items []filter `json:"items,omitempty"`
}

func eq(field string, value any) filter { return filter{Op: "eq", Field: field, Value: value} }

type query struct {
	MaxRecords int      `json:"MaxRecords"`
	Fields     []string `json:"IncludeFields,omitempty"`
	Filter     []filter `json:"filter"`
}

// list is a page of records.
type list[T any] struct {
	Items []T `json:"items"`
	Page  struct {
		Next *string `json:"nextPageUrl"`
	} `json:"pageDetails"`
}

// queried asks for all records of an entity that fit. The next page is asked for
// as the first was, with the same body: another way it is refused. Where a page
// fails so does the whole: what is missing must not be taken for gone.
func queried[T any](ctx context.Context, a *Adapter, doing, entity string, q query) ([]T, error) {
	if q.MaxRecords == 0 {
		q.MaxRecords = pageSize
	}
	var got list[T]
	if err := a.do(ctx, call{doing: doing, method: http.MethodPost, resource: entity + "/query", body: q, out: &got, reads: true}); err != nil {
		return nil, err
	}
	all := got.Items
	for q.MaxRecords == pageSize && got.Page.Next != nil && *got.Page.Next != "" {
		if len(all) >= maxRecords {
			return nil, &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Message: fmt.Sprintf("there are more than %d", maxRecords)}
		}
		next, err := a.vendors(doing, *got.Page.Next)
		if err != nil {
			return nil, err
		}
		got = list[T]{}
		if err := a.send(ctx, call{doing: doing, method: http.MethodPost, body: q, out: &got, reads: true}, next); err != nil {
			return nil, err
		}
		all = append(all, got.Items...)
	}
	return all, nil
}

// get reads one record; false where the API shows none.
func get[T any](ctx context.Context, a *Adapter, doing, entity string, id int) (item T, found bool, err error) {
	var got struct {
		Item *T `json:"item"`
	}
	err = a.do(ctx, call{doing: doing, method: http.MethodGet, resource: fmt.Sprintf("%s/%d", entity, id), out: &got})
	if psa.Is(err, psa.ReasonNotFound) {
		return item, false, nil
	}
	if err != nil || got.Item == nil {
		return item, false, err
	}
	return *got.Item, true, nil
}

// write writes a record and returns its id.
func (a *Adapter) write(ctx context.Context, doing, method, resource string, body any) (int, error) {
	var got struct {
		ItemID int `json:"itemId"`
	}
	if err := a.do(ctx, call{doing: doing, method: method, resource: resource, body: body, out: &got}); err != nil {
		return 0, err
	}
	if got.ItemID <= 0 {
		return 0, wire.Unclear(doing, "the answer names no record")
	}
	return got.ItemID, nil
}

// when reads the API's times, which are UTC whatever the process thinks.
func when(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// stamp writes one.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
