package connectwise

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

type registered struct {
	ID             int    `json:"id,omitempty"`
	Description    string `json:"description,omitempty"`
	URL            string `json:"url"`
	ObjectID       int    `json:"objectId"`
	Type           string `json:"type"`
	Level          string `json:"level"`
	InactiveFlag   bool   `json:"inactiveFlag"`
	SelfSuppressed bool   `json:"isSelfSuppressedFlag"`
}

// addressOf is what is registered: the server puts the record's id behind
// whatever the address is.
func addressOf(receiver string) string { return receiver + "?recordId=" }

func (a *Adapter) ours(ctx context.Context, receiver string) ([]registered, error) {
	all, err := pages[registered](ctx, a, call{doing: "list callbacks", resource: "system/callbacks"}, maxTickets)
	if err != nil {
		return nil, err
	}
	var mine []registered
	for _, c := range all {
		if address, _, _ := strings.Cut(c.URL, "?"); address == receiver {
			mine = append(mine, c)
		}
	}
	return mine, nil
}

// EnsureCallbacks leaves exactly one active callback to the receiver: of a board,
// or of everything ("owner"). ConnectWise signs with a key of its own, which is
// fetched when a callback names it: no secret is kept.
func (a *Adapter) EnsureCallbacks(ctx context.Context, want psa.Callbacks) (state psa.CallbackState, err error) {
	id, level := 1, "owner"
	if want.Board != "" {
		level = "board"
		if id, err = wire.Number("register callback", string(psa.SettingBoard), want.Board); err != nil {
			return state, err
		}
	}
	there, err := a.ours(ctx, want.URL)
	if err != nil {
		return state, err
	}
	entry := registered{
		Description: "Cairn: changes of tickets", URL: addressOf(want.URL), ObjectID: id, Type: "ticket", Level: level, SelfSuppressed: true,
	}
	kept := false
	for _, c := range there {
		right := !kept && !c.InactiveFlag && c.ObjectID == id && c.URL == entry.URL &&
			strings.EqualFold(c.Type, entry.Type) && strings.EqualFold(c.Level, entry.Level)
		if right {
			kept = true
			continue
		}
		if err := a.remove(ctx, c.ID); err != nil {
			return state, err
		}
		state.Changed = true
	}
	if kept {
		return state, nil
	}
	err = a.do(ctx, call{doing: "register callback", method: http.MethodPost, resource: "system/callbacks", body: entry})
	state.Changed = state.Changed || err == nil
	return state, err
}

func (a *Adapter) remove(ctx context.Context, id int) error {
	err := a.do(ctx, call{doing: "remove callback", method: http.MethodDelete, resource: fmt.Sprintf("system/callbacks/%d", id)})
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
	for _, c := range there {
		if err := a.remove(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// keyring holds the keys that callbacks were signed with.
type keyring struct {
	mu    sync.Mutex
	keys  map[string]string // by the address they come from
	asked time.Time
}

const (
	// keyPause is how long after a key was fetched no other is: whoever forges
	// callbacks must not make us call the PSA for each.
	keyPause = 5 * time.Second
	maxKeys  = 8
)

// ReadCallback checks a callback's signature: base64(HMAC-SHA256(SHA256(key),
// body)), the key being served at an address that the body names, which is
// believed only where it lies on the instance itself.
func (a *Adapter) ReadCallback(ctx context.Context, in psa.CallbackCall) (psa.Called, error) {
	forged := func(why string) (psa.Called, error) {
		return psa.Called{}, &psa.Error{Reason: psa.ReasonForged, Doing: "read callback", Message: why}
	}
	var said struct {
		ID        int
		CompanyID string `json:"CompanyId"`
		Metadata  struct {
			KeyURL string `json:"key_url"`
		}
	}
	if err := json.Unmarshal(in.Body, &said); err != nil {
		return forged("the body can't be read")
	}
	signature, err := base64.StdEncoding.DecodeString(http.Header(in.Header).Get("X-Content-Signature"))
	if err != nil || len(signature) != sha256.Size {
		return forged("there is no signature")
	}
	if said.ID <= 0 || !strings.EqualFold(said.CompanyID, a.companyID) {
		return forged("it is not about a ticket of this company")
	}
	address, err := url.Parse(said.Metadata.KeyURL)
	if err != nil || address.Scheme != a.origin.Scheme || !strings.EqualFold(address.Host, a.origin.Host) || address.User != nil {
		return forged("its key lies elsewhere")
	}
	called := psa.Called{TicketIDs: []string{strconv.Itoa(said.ID)}}
	a.keys.mu.Lock()
	defer a.keys.mu.Unlock()
	for _, key := range a.keys.keys {
		if signed(key, in.Body, signature) {
			return called, nil
		}
	}
	if a.now().Sub(a.keys.asked) < keyPause {
		return forged("the signature is wrong")
	}
	a.keys.asked = a.now()
	var got struct {
		SigningKey string `json:"signing_key"`
	}
	if err := a.send(ctx, call{doing: "read signing key", method: http.MethodGet, out: &got}, address, true); err != nil {
		return psa.Called{}, err
	}
	if got.SigningKey == "" || !signed(got.SigningKey, in.Body, signature) {
		return forged("the signature is wrong")
	}
	if a.keys.keys == nil || len(a.keys.keys) >= maxKeys {
		a.keys.keys = map[string]string{}
	}
	a.keys.keys[address.String()] = got.SigningKey
	return called, nil
}

func signed(key string, body, signature []byte) bool {
	hashed := sha256.Sum256([]byte(key))
	mac := hmac.New(sha256.New, hashed[:])
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), signature)
}
