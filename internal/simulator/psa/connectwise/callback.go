package connectwise

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// callback is a registered callback.
type callback struct {
	ID             int    `json:"id"`
	Description    string `json:"description,omitempty"`
	URL            string `json:"url"`
	ObjectID       int    `json:"objectId"`
	Type           string `json:"type"`
	Level          string `json:"level"`
	MemberID       int    `json:"memberId"`
	InactiveFlag   bool   `json:"inactiveFlag"`
	SelfSuppressed bool   `json:"isSelfSuppressedFlag"`

	failures int
}

// key signs the callbacks of an instance.
func (s *Server) key() string { return "signing-key-of-" + s.cfg.CompanyID }

// signingKey serves the key to whoever has the credentials.
func (s *Server) signingKey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	status, body := s.authorize(&request{Request: r, resource: "signing-key"})
	s.mu.Unlock()
	if body != nil {
		psa.Write(w, psa.Answer{Status: status, Body: body})
		return
	}
	psa.Write(w, psa.Answer{Status: http.StatusOK, Body: map[string]string{"signing_key": s.key()}})
}

// Sign is the signature of a callback's body.
func (s *Server) Sign(body []byte) string {
	key := sha256.Sum256([]byte(s.key()))
	mac := hmac.New(sha256.New, key[:])
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// SetAddress is where the instance says that its keys are fetched from, such as
// https://localhost:8443.
func (s *Server) SetAddress(base string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = strings.TrimSuffix(base, "/")
}

// call has the callbacks that want to know of a ticket called.
func (s *Server) call(t *ticket, by, action string) {
	for _, c := range s.callbacks {
		wants := c.Level == "owner" || c.Level == "board" && c.ObjectID == t.Board.ID ||
			c.Level == "company" && c.ObjectID == t.Company.ID || c.Level == "ticket" && c.ObjectID == t.ID
		if c.InactiveFlag || !strings.EqualFold(c.Type, "ticket") || !wants || c.SelfSuppressed && by == Member {
			continue
		}
		entity := ""
		if action != "deleted" {
			raw, err := json.Marshal(t)
			if err != nil {
				continue
			}
			entity = string(raw)
		}
		body, err := json.Marshal(map[string]any{
			"MessageId": fmt.Sprintf("message-%d", s.nextID()), "FromUrl": s.address, "CompanyId": s.cfg.CompanyID, "MemberId": by,
			"Action": action, "Type": "ticket", "ID": t.ID, "Entity": entity,
			"Metadata": map[string]string{"key_url": s.address + "/signing-key/" + strconv.Itoa(c.ID)},
		})
		if err != nil {
			continue
		}
		s.calling.Post(psa.Callback{
			// The id is put at the end of whatever the address is.
			URL: c.URL + strconv.Itoa(t.ID), Body: body, Header: http.Header{"X-Content-Signature": {s.Sign(body)}},
			Forge: func(h http.Header) {
				h.Set("X-Content-Signature", base64.StdEncoding.EncodeToString(make([]byte, sha256.Size)))
			},
			Done: func(ok bool) { s.called(c, ok) },
		})
	}
}

// Deliver makes callbacks until ctx ends. Without it none are made.
func (s *Server) Deliver(ctx context.Context) { s.calling.Run(ctx) }

func (s *Server) called(c *callback, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		c.failures = 0
		return
	}
	c.failures++
	if n := s.behaviour.InactiveAfter; n > 0 && c.failures >= n {
		c.InactiveFlag = true
	}
}

func (s *Server) listCallbacks(r *request) (int, any, http.Header) { return listOf(s, r, s.callbacks) }

func (s *Server) createCallback(r *request) (int, any, http.Header) {
	var c callback
	if err := json.Unmarshal(r.body, &c); err != nil {
		return badRequest(err)
	}
	var errs []detail
	for field, value := range map[string]string{"url": c.URL, "type": c.Type, "level": c.Level} {
		if value == "" {
			errs = append(errs, detail{Code: "MissingRequiredField", Message: "The " + field + " field is required.", Field: field})
		}
	}
	if len(c.Description) > 100 {
		errs = append(errs, detail{Code: "MaxLength", Message: "The field description must be a string with a maximum length of 100.", Field: "description"})
	}
	if len(errs) > 0 {
		return invalid("CallbackEntry", errs...)
	}
	c.ID = s.nextID()
	s.callbacks = append(s.callbacks, &c)
	return http.StatusCreated, c, nil
}

func (s *Server) callbackAt(r *request) (int, *callback) {
	id, _ := strconv.Atoi(r.path[2])
	i := slices.IndexFunc(s.callbacks, func(c *callback) bool { return c.ID == id })
	if i < 0 {
		return i, nil
	}
	return i, s.callbacks[i]
}

func (s *Server) patchCallback(r *request) (int, any, http.Header) {
	_, c := s.callbackAt(r)
	if c == nil {
		return missing("Callback " + r.path[2])
	}
	next := *c
	if err := patch(r.body, c, &next, "description"); err != nil {
		return badRequest(err)
	}
	if !next.InactiveFlag {
		next.failures = 0
	}
	*c = next
	return http.StatusOK, c, nil
}

func (s *Server) deleteCallback(r *request) (int, any, http.Header) {
	i, c := s.callbackAt(r)
	if c == nil {
		return missing("Callback " + r.path[2])
	}
	s.callbacks = slices.Delete(s.callbacks, i, i+1)
	return http.StatusNoContent, nil, nil
}

// Callbacks returns the addresses of the active callbacks.
func (s *Server) Callbacks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, c := range s.callbacks {
		if !c.InactiveFlag {
			out = append(out, c.URL)
		}
	}
	return out
}
