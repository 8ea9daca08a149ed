package autotask

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the vendor signs with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// webhook is one of the API's, as far as we ask.
type webhook struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	URL    string `json:"webhookUrl"`
	Active bool   `json:"isActive"`
	Ready  bool   `json:"isReady"`
}

// nameOf names a webhook by its secret, which Autotask does not show again.
func nameOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "Cairn " + hex.EncodeToString(sum[:4])
}

func (a *Adapter) ours(ctx context.Context, receiver string) ([]webhook, error) {
	all, err := queried[webhook](ctx, a, "list webhooks", "TicketWebhooks", query{Filter: []filter{{Op: "gte", Field: "id", Value: 0}}})
	return slices.DeleteFunc(all, func(w webhook) bool { return w.URL != receiver }), err
}

// EnsureCallbacks leaves exactly one active webhook to the receiver. Autotask
// tells of the tickets of all queues. One that is not ready was not finished: it
// is made anew.
func (a *Adapter) EnsureCallbacks(ctx context.Context, want psa.Callbacks) (psa.CallbackState, error) {
	const doing = "register webhook"
	var state psa.CallbackState
	if want.Secret == "" {
		return state, wire.Invalid(doing, "secret", "a webhook of Autotask needs one, to be signed with")
	}
	there, err := a.ours(ctx, want.URL)
	if err != nil {
		return state, err
	}
	kept := false
	for _, w := range there {
		if !kept && w.Active && w.Ready && w.Name == nameOf(want.Secret) {
			kept = true
			continue
		}
		if err := a.remove(ctx, w.ID); err != nil {
			return state, err
		}
		state.Changed = true
	}
	if kept {
		return state, nil
	}
	id, err := a.write(ctx, doing, http.MethodPost, "TicketWebhooks", map[string]any{
		"name": nameOf(want.Secret), "webhookUrl": want.URL, "deactivationUrl": want.URL, "isActive": true, "secretKey": want.Secret,
		"isSubscribedToCreateEvents": true, "isSubscribedToUpdateEvents": true, "isSubscribedToDeleteEvents": true,
		"sendThresholdExceededNotification": false,
	})
	if err != nil {
		return state, err
	}
	state.Changed = true
	return state, a.subscribe(ctx, doing, id)
}

// watched are the fields whose changes are told, by their labels; externalID is
// told of always.
var watched = []string{"status", "queue", "priority", "title", "organization", "company"}

// subscribe finishes a webhook: without a field it never becomes ready, and
// without ourselves excluded it tells us what we did. One after the other:
// together they would take up all the threads.
func (a *Adapter) subscribe(ctx context.Context, doing string, webhook int) error {
	all, err := a.fieldsOf(ctx, doing, "TicketWebhookFields", "fields")
	if err != nil {
		return err
	}
	path := fmt.Sprintf("TicketWebhooks/%d/", webhook)
	subscribed := 0
	for _, c := range offered(all, "fieldID") {
		label := strings.ToLower(strings.ReplaceAll(c.Name, " ", ""))
		wanted := slices.ContainsFunc(watched, func(w string) bool { return strings.HasPrefix(label, w) })
		always := label == "externalid"
		if !wanted && !always {
			continue
		}
		field, err := wire.Number(doing, "fieldID", c.ID)
		if err != nil {
			return err
		}
		body := map[string]any{"webhookID": webhook, "fieldID": field, "isSubscribedField": wanted, "isDisplayAlwaysField": always}
		if _, err := a.write(ctx, doing, http.MethodPost, path+"Fields", body); err != nil {
			return err
		}
		if wanted {
			subscribed++
		}
	}
	if subscribed == 0 {
		return wire.Invalid(doing, "fieldID", "Autotask offers no field to be told of")
	}
	me, err := a.ourselves(ctx)
	if err != nil || me == 0 {
		return err
	}
	_, err = a.write(ctx, doing, http.MethodPost, path+"ExcludedResources", map[string]any{"webhookID": webhook, "resourceID": me})
	return err
}

func (a *Adapter) remove(ctx context.Context, id int) error {
	err := a.do(ctx, call{doing: "remove webhook", method: http.MethodDelete, resource: fmt.Sprintf("TicketWebhooks/%d", id)})
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

// ReadCallback checks a callback's signature, HMAC-SHA1 of the body, and reads
// which ticket it is about, or that Autotask has stopped calling.
func (a *Adapter) ReadCallback(_ context.Context, in psa.CallbackCall) (psa.Called, error) {
	forged := func(why string) (psa.Called, error) {
		return psa.Called{}, &psa.Error{Reason: psa.ReasonForged, Doing: "read callback", Message: why}
	}
	if in.Secret == "" || !signed(in.Secret, in.Body, http.Header(in.Header).Get("X-Hook-Signature")) {
		return forged("the signature is wrong")
	}
	var said struct {
		Action     string      `json:"Action"`
		EntityType string      `json:"EntityType"`
		ID         json.Number `json:"Id"`
	}
	if err := json.Unmarshal(in.Body, &said); err != nil {
		return forged("the body can't be read")
	}
	if strings.EqualFold(said.Action, "Deactivated") {
		return psa.Called{Ended: true}, nil
	}
	var out psa.Called
	n, err := strconv.ParseInt(said.ID.String(), 10, 32)
	// The vendor writes it in the singular; its entity is a plural.
	if err == nil && n > 0 && (strings.EqualFold(said.EntityType, "Ticket") || strings.EqualFold(said.EntityType, "Tickets")) {
		out.TicketIDs = []string{strconv.FormatInt(n, 10)}
	}
	return out, nil
}

// signed checks a signature, which is written as base64 or hex, with the name of
// its algorithm before it or without.
func signed(secret string, body []byte, signature string) bool {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	want := mac.Sum(nil)
	if name, rest, ok := strings.Cut(signature, "="); ok && strings.EqualFold(name, "sha1") {
		signature = rest
	}
	got, err := hex.DecodeString(signature)
	if err != nil {
		if got, err = base64.StdEncoding.DecodeString(signature); err != nil {
			return false
		}
	}
	return hmac.Equal(got, want)
}
