package autotask

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the vendor signs with it
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// webhook is a registered webhook.
type webhook struct {
	id                 int
	guid               string
	url, deactivation  string
	secret             string
	creates, updates   bool
	deletes            bool
	subscribed, always []int
	excluded           []int
	failures, sequence int
}

func (s *Server) webhookBy(id int) *webhook {
	i := slices.IndexFunc(s.webhooks, func(h *webhook) bool { return h.id == id })
	if i < 0 {
		return nil
	}
	return s.webhooks[i]
}

func (s *Server) createWebhook(in psa.Record) (int, []string) {
	e := s.entity("TicketWebhooks")
	for _, known := range []string{
		"secretKey", "isSubscribedToCreateEvents", "isSubscribedToUpdateEvents", "isSubscribedToDeleteEvents",
		"sendThresholdExceededNotification", "notificationEmailAddress", "ownerResourceID",
	} {
		if e.field(known) == nil {
			e.fields = append(e.fields, field{Name: known, DataType: "boolean"})
		}
	}
	text := func(name string) string { v, _ := in[name].(string); return v }
	yes := func(name string) bool { v, _ := in[name].(bool); return v }
	errs := s.validate(e, in, true)
	if len(text("secretKey")) == 0 || len(text("secretKey")) > 64 {
		errs = append(errs, "The secretKey must have from 1 to 64 characters.")
	}
	for _, name := range []string{"webhookUrl", "deactivationUrl"} {
		u, err := url.Parse(text(name))
		if err != nil || s.behaviour.RequirePort443 && (u.Scheme != "https" || u.Port() != "" && u.Port() != "443") {
			errs = append(errs, name+" must be an https address on port 443.")
		}
	}
	if len(errs) > 0 {
		return 0, errs
	}
	id := s.nextID()
	h := &webhook{
		id: id, guid: fmt.Sprintf("c0de0000-0000-4000-8000-%012d", id), url: text("webhookUrl"), deactivation: text("deactivationUrl"), secret: text("secretKey"),
		creates: yes("isSubscribedToCreateEvents"), updates: yes("isSubscribedToUpdateEvents"), deletes: yes("isSubscribedToDeleteEvents"),
	}
	s.webhooks = append(s.webhooks, h)
	e.insert(psa.Record{
		"id": float64(id), "name": in["name"], "webhookUrl": h.url, "deactivationUrl": h.deactivation, "isActive": yes("isActive"), "isReady": false,
		"webhookGUID": h.guid, "isSubscribedToCreateEvents": h.creates, "isSubscribedToUpdateEvents": h.updates, "isSubscribedToDeleteEvents": h.deletes,
	})
	return id, nil
}

// createWebhookField subscribes to a field: with the first the webhook is ready.
func (s *Server) createWebhookField(id int, in psa.Record) (int, []string) {
	h := s.webhookBy(id)
	if h == nil {
		return 0, []string{"No matching records found for the webhookID that was sent."}
	}
	f := s.entity("TicketWebhookFields").field("fieldID")
	if errs := f.check(in["fieldID"]); len(errs) > 0 {
		return 0, errs
	}
	if in["isSubscribedField"] == true {
		h.subscribed = append(h.subscribed, intOf(in["fieldID"]))
		s.entity("TicketWebhooks").row(id)["isReady"] = true
	}
	if in["isDisplayAlwaysField"] == true {
		h.always = append(h.always, intOf(in["fieldID"]))
	}
	return s.nextID(), nil
}

func (s *Server) excludeResource(id int, in psa.Record) (int, []string) {
	h := s.webhookBy(id)
	if h == nil {
		return 0, []string{"No matching records found for the webhookID that was sent."}
	}
	h.excluded = append(h.excluded, intOf(in["resourceID"]))
	return s.nextID(), nil
}

func (s *Server) deleteWebhook(id int) psa.Answer {
	h := s.webhookBy(id)
	if h == nil {
		return failed(http.StatusInternalServerError, "No matching records found for the id that was sent.")
	}
	s.deactivate(h)
	s.webhooks = slices.DeleteFunc(s.webhooks, func(x *webhook) bool { return x == h })
	e := s.entity("TicketWebhooks")
	e.rows = slices.DeleteFunc(e.rows, func(r psa.Record) bool { return idOf(r) == id })
	return psa.Answer{Status: http.StatusOK, Body: map[string]int{"itemId": id}}
}

// deactivate tells the receiver that no more is called.
func (s *Server) deactivate(h *webhook) {
	s.post(h, h.deactivation, map[string]any{"Action": "Deactivated", "Guid": h.guid, "EntityType": "Ticket", "Id": 0, "Fields": map[string]any{}})
}

// callOut has the webhooks called.
func (s *Server) callOut(ticket psa.Record, by int, action string) {
	for _, h := range s.webhooks {
		wants := map[string]bool{"Create": h.creates, "Update": h.updates, "Delete": h.deletes}[action]
		row := s.entity("TicketWebhooks").row(h.id)
		if !wants || row["isActive"] != true || row["isReady"] != true || slices.Contains(h.excluded, by) {
			continue
		}
		h.sequence++
		s.post(h, h.url, map[string]any{
			"Action": action, "Guid": h.guid, "EntityType": "Ticket", "Id": idOf(ticket), "EventTime": stamp(s.cfg.Now()),
			"SequenceNumber": h.sequence, "PersonID": by, "Fields": map[string]any{"Status": ticket["status"], "External ID": ticket["externalID"]},
		})
	}
}

func (s *Server) post(h *webhook, address string, said map[string]any) {
	body, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	s.calling.Post(psa.Callback{
		URL: address, Body: body, Header: http.Header{"X-Hook-Signature": {Sign(h.secret, body)}},
		Forge: func(header http.Header) { header.Set("X-Hook-Signature", Sign("forged", body)) },
		Done:  func(ok bool) { s.delivered(h, ok) },
	})
}

// Sign is the signature of a body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	return "sha1=" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// delivered counts failures: after many in a row a webhook is switched off, and
// the receiver told so.
func (s *Server) delivered(h *webhook, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		h.failures = 0
		return
	}
	h.failures++
	if row := s.entity("TicketWebhooks").row(h.id); row != nil && row["isActive"] == true && h.failures == s.behaviour.InactiveAfter {
		row["isActive"] = false
		s.deactivate(h)
	}
}

// Callbacks returns the addresses of the webhooks that are called.
func (s *Server) Callbacks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, row := range s.entity("TicketWebhooks").rows {
		if row["isActive"] == true && row["isReady"] == true {
			out = append(out, fmt.Sprint(row["webhookUrl"]))
		}
	}
	return out
}
