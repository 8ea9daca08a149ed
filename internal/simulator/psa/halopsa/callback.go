package halopsa

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// webhook is a registered webhook. The password is not shown again.
type webhook struct {
	ID             string  `json:"id"`
	Name           string  `json:"name"`
	URL            string  `json:"url"`
	Method         int     `json:"method"`
	ContentType    string  `json:"content_type"`
	Authentication int     `json:"authentication_type"`
	Username       string  `json:"basic_username"`
	Password       string  `json:"basic_password,omitempty"`
	Active         bool    `json:"active"`
	Type           int     `json:"type"`
	PayloadType    int     `json:"payload_type"`
	Events         []event `json:"events"`

	failures int
}

// event is a row that says what a webhook is called for.
type event struct {
	Number int `json:"eventno"`
}

// webhookEvent is an entry of the log of deliveries.
type webhookEvent struct {
	ID          string `json:"id"`
	WebhookID   string `json:"webhook_id"`
	Timestamp   string `json:"timestamp"`
	Status      int    `json:"status"`
	RequestBody string `json:"requestbody"`
	Error       bool   `json:"error"`
	EntityID    int    `json:"entity_id"`
}

// tell has the webhooks called.
func (s *Server) tell(t *ticket, event string, a *action) {
	for _, h := range s.webhooks {
		if !h.Active || len(h.Events) == 0 {
			continue
		}
		said := map[string]any{
			"id": fmt.Sprintf("event-%d", s.nextID()), "event": event, "timestamp": stamp(s.cfg.Now()), "object_id": t.ID, "ticket": t,
		}
		if a != nil {
			said["action"] = a
		}
		var payload any = said
		if s.behaviour.BatchedWebhooks {
			payload = map[string]any{"events": []any{said, map[string]any{"event": event, "object_id": t.ID, "id": "again"}}}
		}
		body, err := json.Marshal(payload)
		if err != nil {
			panic(err)
		}
		r := http.Request{Header: http.Header{}}
		if h.Authentication == 1 {
			r.SetBasicAuth(h.Username, h.Password)
		}
		s.calling.Post(psa.Callback{
			URL: h.URL, Header: r.Header, Body: body,
			Forge: func(header http.Header) { header.Set("Authorization", "Basic Zm9yZ2VkOmZvcmdlZA==") },
			Done:  func(ok bool) { s.delivered(h, t.ID, body, ok) },
		})
	}
}

func (s *Server) delivered(h *webhook, ticketID int, body []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, webhookEvent{
		ID: fmt.Sprintf("delivery-%d", s.nextID()), WebhookID: h.ID, Timestamp: stamp(s.cfg.Now()), RequestBody: string(body), Error: !ok, EntityID: ticketID,
	})
	if ok {
		h.failures = 0
		return
	}
	if h.failures++; s.behaviour.DisableAfter > 0 && h.failures >= s.behaviour.DisableAfter {
		h.Active = false
	}
}

func (h webhook) shown() webhook {
	h.Password = ""
	h.Events = append([]event{}, h.Events...)
	return h
}

func (s *Server) listWebhooks(*request) (int, any) {
	out := []webhook{}
	for _, h := range s.webhooks {
		out = append(out, h.shown())
	}
	return http.StatusOK, out
}

func (s *Server) writeWebhooks(r *request) (int, any) {
	return each(r, func(in webhook) (any, error) {
		if in.Name == "" || in.URL == "" {
			return nil, fmt.Errorf("Please enter a value for 'Name' and 'Payload URL'") //nolint:staticcheck,perfsprint // the vendor's words begin so
		}
		if s.behaviour.NoEvents {
			in.Events = nil
		}
		if in.ID == "" {
			in.ID = fmt.Sprintf("c0de0000-0000-4000-8000-%012d", s.nextID())
			s.webhooks = append(s.webhooks, &in)
			return in.shown(), nil
		}
		i := slices.IndexFunc(s.webhooks, func(h *webhook) bool { return h.ID == in.ID })
		if i < 0 {
			return nil, missing("Webhook was not found")
		}
		if in.Password == "" {
			in.Password = s.webhooks[i].Password
		}
		s.webhooks[i] = &in
		return in.shown(), nil
	})
}

func (s *Server) deleteWebhook(r *request) (int, any) {
	i := slices.IndexFunc(s.webhooks, func(h *webhook) bool { return h.ID == r.path[1] })
	if i < 0 {
		return http.StatusNotFound, bare("Webhook was not found")
	}
	s.webhooks = slices.Delete(s.webhooks, i, i+1)
	return http.StatusOK, psa.Record{}
}

func (s *Server) listWebhookEvents(*request) (int, any) {
	return http.StatusOK, append([]webhookEvent{}, s.events...)
}

// Callbacks returns the addresses of the active webhooks.
func (s *Server) Callbacks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, h := range s.webhooks {
		if h.Active {
			out = append(out, h.URL)
		}
	}
	return out
}
