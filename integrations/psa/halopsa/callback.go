package halopsa

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// webhook is one of the API's, as far as we ask.
type webhook struct {
	ID       string  `json:"id,omitempty"`
	Name     string  `json:"name"`
	URL      string  `json:"url"`
	Method   int     `json:"method"` // 0 is POST
	Content  string  `json:"content_type"`
	Auth     int     `json:"authentication_type"` // 1 is Basic
	User     string  `json:"basic_username"`
	Password string  `json:"basic_password,omitempty"`
	Active   bool    `json:"active"`
	Disabled bool    `json:"disabled,omitempty"`
	Type     int     `json:"type"`
	Payload  int     `json:"payload_type"`
	Events   []event `json:"events"`
}

// event is what has a webhook called.
type event struct {
	Number int `json:"eventno"`
}

// events are what a ticket's changes are told by: a ticket was logged, and one
// was updated (the numbers are unverified: an MSP that set others on the
// webhook's page keeps them).
var events = []event{{1}, {2}}

const (
	user  = "cairn"
	where = "In HaloPSA, Configuration, Integrations, Webhooks, the webhook called Cairn: "
)

// nameOf names a webhook by its secret, which HaloPSA does not show again.
func nameOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "Cairn " + hex.EncodeToString(sum[:4])
}

func (a *Adapter) ours(ctx context.Context, receiver string) ([]webhook, error) {
	all, err := listed[webhook](ctx, a, "list webhooks", "Webhook", url.Values{"type": {"0"}})
	var mine []webhook
	for _, w := range all {
		if w.URL == receiver {
			mine = append(mine, w)
		}
	}
	return mine, err
}

// EnsureCallbacks leaves exactly one active webhook to the receiver. HaloPSA
// tells of the tickets of all teams. A webhook that has stopped is set going
// again rather than made anew: a person may have chosen its events.
func (a *Adapter) EnsureCallbacks(ctx context.Context, want psa.Callbacks) (psa.CallbackState, error) {
	const doing = "register webhook"
	var state psa.CallbackState
	if want.Secret == "" {
		return state, wire.Invalid(doing, "secret", "a webhook of HaloPSA needs one: what it sends is not signed")
	}
	there, err := a.ours(ctx, want.URL)
	if err != nil {
		return state, err
	}
	next := webhook{
		Name: nameOf(want.Secret), URL: want.URL, Content: "application/json", Auth: 1, User: user, Password: want.Secret, Active: true, Events: events,
	}
	for i, w := range there {
		if i > 0 {
			if err := a.remove(ctx, w.ID); err != nil {
				return state, err
			}
			state.Changed = true
			continue
		}
		if w.Name == next.Name && w.Active && !w.Disabled && w.Auth == 1 && len(w.Events) > 0 {
			next.ID = w.ID
			continue
		}
		next.ID = w.ID
		if len(w.Events) > 0 {
			next.Events = w.Events
		}
		state.Changed = true
	}
	if len(there) > 0 && !state.Changed {
		return state, nil
	}
	var made webhook
	if err := a.do(ctx, call{doing: doing, method: http.MethodPost, resource: "Webhook", body: []any{next}, out: &made}); err != nil {
		return state, err
	}
	state.Changed = true
	if !made.Active || len(made.Events) == 0 {
		return state, wire.Invalid(doing, "events", "the webhook was made but does not call. "+where+"choose the events of tickets and set it active")
	}
	return state, nil
}

func (a *Adapter) remove(ctx context.Context, id string) error {
	err := a.do(ctx, call{doing: "remove webhook", method: http.MethodDelete, resource: "Webhook/" + url.PathEscape(id)})
	if psa.Is(err, psa.ReasonNotFound) {
		return nil
	}
	return err
}

// RemoveCallbacks ends the calls to the receiver.
func (a *Adapter) RemoveCallbacks(ctx context.Context, receiver string) error {
	there, err := a.ours(ctx, receiver)
	if err != nil {
		return err
	}
	for _, w := range there {
		if err := a.remove(ctx, w.ID); err != nil {
			return err
		}
	}
	return nil
}

// ReadCallback checks the password and takes the tickets' ids out of what came:
// one event or a batch, in whatever wrapping.
func (a *Adapter) ReadCallback(_ context.Context, in psa.CallbackCall) (psa.Called, error) {
	forged := func(why string) (psa.Called, error) {
		return psa.Called{}, &psa.Error{Reason: psa.ReasonForged, Doing: "read callback", Message: why}
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+in.Secret))
	got := http.Header(in.Header).Get("Authorization")
	if in.Secret == "" || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return forged("the password is wrong")
	}
	var said any
	if err := json.Unmarshal(in.Body, &said); err != nil {
		return forged("the body can't be read")
	}
	var out psa.Called
	seen := map[string]bool{}
	collect(said, 0, func(id string) {
		if !seen[id] && len(seen) < maxBatch {
			seen[id] = true
			out.TicketIDs = append(out.TicketIDs, id)
		}
	})
	return out, nil
}

const (
	maxBatch = 1000 // tickets of one call
	maxDepth = 6    // of wrappings
)

// collect finds the tickets an event is about. What is a ticket says its key:
// ids of events, actions and agents stand beside it.
func collect(v any, depth int, found func(id string)) {
	if depth > maxDepth {
		return
	}
	switch x := v.(type) {
	case []any:
		for _, one := range x {
			collect(one, depth+1, found)
		}
	case map[string]any:
		for key, one := range x {
			switch strings.ToLower(key) {
			case "ticket_id", "object_id", "faultid":
				number(one, found)
			case "ticket", "fault":
				if t, ok := one.(map[string]any); ok {
					number(t["id"], found)
				}
			case "action", "event", "events", "data", "payload", "batch", "items":
				collect(one, depth+1, found)
			}
		}
	}
}

func number(v any, found func(id string)) {
	text := ""
	switch x := v.(type) {
	case float64:
		if x == float64(int32(x)) {
			text = strconv.Itoa(int(x))
		}
	case string:
		text = x
	}
	if n, err := strconv.ParseInt(text, 10, 32); err == nil && n > 0 {
		found(strconv.FormatInt(n, 10))
	}
}
