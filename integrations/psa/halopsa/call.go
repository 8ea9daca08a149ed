package halopsa

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// call is one call to the API.
type call struct {
	doing    string
	method   string
	resource string // below /api, e.g. "Tickets"
	query    url.Values
	body     any
	out      any
}

// do makes a call, and makes it once more with a new token where the old one is
// refused.
func (a *Adapter) do(ctx context.Context, c call) error {
	for again := false; ; again = true {
		token, err := a.signIn(ctx)
		if err != nil {
			return err
		}
		address := a.site.JoinPath("api", c.resource)
		address.RawQuery = c.query.Encode()
		err = a.wire.Send(ctx, wire.Call{
			Doing: c.doing, Method: c.method, Address: address, Body: c.body, Out: c.out,
			Header: http.Header{"Authorization": {"Bearer " + token}},
		})
		if !psa.Is(err, psa.ReasonCredentials) || again {
			return err
		}
		a.token.forget(token)
	}
}

// tokens keeps the token. Only it is renewed: nothing else of the connection.
type tokens struct {
	turn sync.Mutex // one asks, the others wait
	mu   sync.Mutex

	token string
	until time.Time
	door  *door
}

func (t *tokens) known() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.token
}

func (t *tokens) forget(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token = ""
	}
}

const (
	early     = time.Minute // how long before its end a token is renewed
	shortLife = time.Hour   // of one whose life is not told
)

// signIn returns a token that is good for the next call.
func (a *Adapter) signIn(ctx context.Context) (string, error) {
	const doing = "sign in"
	a.token.turn.Lock()
	defer a.token.turn.Unlock()
	a.token.mu.Lock()
	token, until := a.token.token, a.token.until
	a.token.mu.Unlock()
	if token != "" && a.now().Before(until) {
		return token, nil
	}
	place, err := a.findDoor(ctx)
	if err != nil {
		return "", err
	}
	address := *place.address
	if place.tenant != "" {
		address.RawQuery = url.Values{"tenant": {place.tenant}}.Encode()
	}
	var got struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	err = a.door.Send(ctx, wire.Call{
		Doing: doing, Method: http.MethodPost, Address: &address, Out: &got, Reads: true,
		Body: url.Values{
			"grant_type": {"client_credentials"}, "client_id": {a.clientID}, "client_secret": {a.clientSecret}, "scope": {a.scope},
		},
	})
	if err != nil {
		return "", err
	}
	if got.AccessToken == "" {
		return "", &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Message: "the answer holds no token", Retryable: true}
	}
	life := shortLife
	if seconds, err := got.ExpiresIn.Float64(); err == nil && seconds > 0 {
		life = time.Duration(seconds * float64(time.Second))
	}
	a.token.mu.Lock()
	defer a.token.mu.Unlock()
	a.token.token, a.token.until = got.AccessToken, a.now().Add(max(life-early, life/2))
	return got.AccessToken, nil
}

// door is where tokens are given.
type door struct {
	address *url.URL
	tenant  string
}

// hosted are the domains of HaloPSA's own cloud: an instance there may name any
// of them as the place that gives tokens; others name themselves.
var hosted = regexp.MustCompile(`(^|\.)(halopsa|haloitsm|haloservicedesk|halocrm)\.com$`)

// findDoor asks the instance where tokens are given, and for which tenant.
func (a *Adapter) findDoor(ctx context.Context) (*door, error) {
	const doing = "find the instance"
	a.token.mu.Lock()
	known := a.token.door
	a.token.mu.Unlock()
	if known != nil {
		return known, nil
	}
	var info struct {
		AuthURL  string          `json:"auth_url"`
		TenantID json.RawMessage `json:"tenant_id"`
	}
	err := a.wire.Send(ctx, wire.Call{Doing: doing, Method: http.MethodGet, Address: a.site.JoinPath("api", "authinfo"), Out: &info})
	if psa.Is(err, psa.ReasonNotFound) {
		e := wire.Invalid(doing, "site", a.site.Host+" does not answer as HaloPSA does: check the resource server")
		e.Cause = err
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	found := &door{address: a.site.JoinPath("auth", "token"), tenant: a.tenant}
	if info.AuthURL != "" {
		u, err := url.Parse(info.AuthURL)
		own := err == nil && u.Scheme == a.site.Scheme && strings.EqualFold(u.Host, a.site.Host)
		theirs := err == nil && u.Scheme == "https" && hosted.MatchString(strings.ToLower(u.Host)) && hosted.MatchString(a.site.Host)
		if !own && !theirs {
			return nil, wire.Invalid(doing, "site", fmt.Sprintf("%s has tokens given elsewhere (%s): the secret is not sent there", a.site.Host, wire.Begins([]byte(info.AuthURL))))
		}
		found.address = u.JoinPath("token")
	}
	if found.tenant == "" {
		found.tenant = strings.Trim(string(info.TenantID), `" `)
		if found.tenant == "null" {
			found.tenant = ""
		}
	}
	a.token.mu.Lock()
	defer a.token.mu.Unlock()
	a.token.door = found
	return found, nil
}

// explainToken reads what the place that gives tokens says (RFC 6749, 5.2).
func explainToken(out *psa.Error, header http.Header, body []byte) {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		explain(out, header, body)
		return
	}
	out.Message = strings.TrimSpace(said.Error + ": " + said.Description)
	switch said.Error {
	case "invalid_client", "unauthorized_client", "invalid_grant":
		out.Reason, out.Field = psa.ReasonCredentials, "clientSecret"
		out.Message = "HaloPSA does not take the client id and secret (" + said.Error + "): check both, and that the application is active and signs in as an agent"
	case "invalid_scope":
		out.Reason, out.Field = psa.ReasonInvalid, "scope"
		out.Message = "one of the permissions asked for is none that HaloPSA or the application knows (invalid_scope): the secret may be right"
	}
}

// explain reads what the API says of a refusal; it has several ways to.
func explain(out *psa.Error, _ http.Header, body []byte) {
	var said struct {
		Message      string `json:"Message"`
		Error        string `json:"error"`
		Description  string `json:"error_description"`
		ErrorMessage string `json:"errorMessage"`
	}
	var text string
	switch {
	case json.Unmarshal(body, &text) == nil:
		out.Message = text
	case json.Unmarshal(body, &said) == nil:
		for _, s := range []string{said.Message, said.ErrorMessage, said.Description, said.Error} {
			if out.Message == "" {
				out.Message = s
			}
		}
	default:
		out.Message = wire.Begins(body)
	}
	if out.Reason == psa.ReasonInvalid {
		out.Field = fieldIn(out.Message)
	}
}

// words name the fields that an error's text is about: the first that it names.
var words = []struct{ word, field string }{
	{"outcome", "outcome_id"},
	{"this action", "outcome_id"},
	{"ticket type", "tickettype_id"},
	{"client", "client_id"},
	{"status", "status_id"},
	{"priority", "priority_id"},
	{"category", "category_1"},
	{"team", "team"},
	{"agent", "agent_id"},
	{"summary", "summary"},
}

var quotedWord = regexp.MustCompile(`['"]([^'"]{1,100})['"]`)

func fieldIn(message string) string {
	lower := strings.ToLower(message)
	field, earliest := "", len(lower)
	for _, w := range words {
		if i := strings.Index(lower, w.word); i >= 0 && i < earliest {
			field, earliest = w.field, i
		}
	}
	if field != "" {
		return field
	}
	if found := quotedWord.FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}

// list is a page of a list with a wrapper.
type list[T any] struct {
	RecordCount int `json:"record_count"`
	Tickets     []T `json:"tickets"`
	Clients     []T `json:"clients"`
	Actions     []T `json:"actions"`
}

func (l list[T]) rows() []T {
	return append(append(append([]T{}, l.Tickets...), l.Clients...), l.Actions...)
}

// page reads a page, numbered from 1. Without pageinate and page_no the API
// answers as many rows as the agent's pages have, and says nothing of it.
func page[T any](ctx context.Context, a *Adapter, c call, number int) (rows []T, count int, err error) {
	query := url.Values{"pageinate": {"true"}, "page_size": {strconv.Itoa(pageSize)}, "page_no": {strconv.Itoa(number)}}
	maps.Copy(query, c.query)
	var got list[T]
	c.method, c.query, c.out = http.MethodGet, query, &got
	if err := a.do(ctx, c); err != nil {
		return nil, 0, err
	}
	return got.rows(), got.RecordCount, nil
}

// pages reads a list to its end, or until enough says so. Fewer rows than the
// list counts are an error: what is missing must not be taken for gone.
func pages[T any](ctx context.Context, a *Adapter, c call, enough func(rows []T) bool) ([]T, error) {
	var all []T
	for number := 1; ; number++ {
		rows, count, err := page[T](ctx, a, c, number)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		switch {
		case enough != nil && enough(rows):
			return all, nil
		case len(rows) == 0 && len(all) < count:
			return nil, &psa.Error{
				Reason: psa.ReasonProtocol, Doing: c.doing, Retryable: true, Message: fmt.Sprintf("%d of %d rows came", len(all), count),
			}
		case len(all) >= count:
			return all, nil
		case len(all) >= maxRecords:
			return nil, &psa.Error{Reason: psa.ReasonProtocol, Doing: c.doing, Message: fmt.Sprintf("there are more than %d", maxRecords)}
		}
	}
}

// when reads the API's times: UTC, with a mark of the zone or without.
func when(text string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 1 {
			return t.UTC()
		}
	}
	return time.Time{}
}
