package connectwise

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// call is one call to the API.
type call struct {
	doing    string // for errors, e.g. "create ticket"
	method   string
	resource string // below the code base, e.g. "service/tickets"
	query    url.Values
	body     any // sent as JSON, if not nil
	out      any // decoded from the answer, if not nil
}

// do makes a call. Where the code base has moved since it was found it finds it
// again and makes the call once more.
func (a *Adapter) do(ctx context.Context, c call) error {
	codebase, err := a.findCodebase(ctx, "")
	if err != nil {
		return err
	}
	err = a.once(ctx, codebase, c)
	if !psa.Is(err, psa.ReasonNotFound) {
		return err
	}
	// Addresses of an old code base answer 404, like a record that is gone.
	moved, findErr := a.findCodebase(ctx, codebase)
	if findErr != nil {
		return findErr
	}
	if moved == codebase {
		return err
	}
	return a.once(ctx, moved, c)
}

// findCodebase returns the instance's code base, a part of every address that
// changes with upgrades. Stale is one that has failed: it is asked for again.
func (a *Adapter) findCodebase(ctx context.Context, stale string) (string, error) {
	a.mu.Lock()
	known := a.codebase
	a.mu.Unlock()
	if known != "" && known != stale {
		return known, nil
	}
	const doing = "find the instance"
	var info *struct {
		Codebase string
	}
	address := a.origin.JoinPath("login", "companyinfo", a.companyID)
	if err := a.send(ctx, call{doing: doing, method: http.MethodGet, out: &info}, address, false); err != nil {
		if psa.Is(err, psa.ReasonNotFound) || psa.Is(err, psa.ReasonProtocol) {
			return "", &psa.Error{
				Reason: psa.ReasonInvalid, Doing: doing, Field: "site",
				Message: fmt.Sprintf("%s does not answer as ConnectWise PSA does: check the site", a.origin.Host), Cause: err,
			}
		}
		return "", err
	}
	if info == nil || info.Codebase == "" {
		return "", &psa.Error{
			Reason: psa.ReasonInvalid, Doing: doing, Field: "companyId",
			Message: fmt.Sprintf("%s knows no company %q: check the company id, and whether the site is that of your region", a.origin.Host, a.companyID),
		}
	}
	if strings.Contains(info.Codebase, "..") || strings.Contains(info.Codebase, ":") {
		return "", &psa.Error{Reason: psa.ReasonProtocol, Doing: doing, Message: "the code base is no path"}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.codebase = strings.Trim(info.Codebase, "/")
	return a.codebase, nil
}

func (a *Adapter) once(ctx context.Context, codebase string, c call) error {
	address := a.origin.JoinPath(codebase, "apis", "3.0", c.resource)
	address.RawQuery = c.query.Encode()
	return a.send(ctx, c, address, true)
}

// send makes one HTTP call. Single endpoints do not know the version that the
// others answer in (they say so with 406 or 415): those are asked without.
func (a *Adapter) send(ctx context.Context, c call, address *url.URL, withCredentials bool) error {
	header := http.Header{"Accept": {"application/vnd.connectwise.com+json; version=" + version}}
	if withCredentials {
		pair := a.companyID + "+" + a.publicKey + ":" + a.privateKey
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		header.Set("Clientid", a.clientID) // names of headers know no case
	}
	out := wire.Call{Doing: c.doing, Method: c.method, Address: address, Header: header, Body: c.body, Out: c.out}
	err := a.wire.Send(ctx, out)
	if e, ok := errors.AsType[*psa.Error](err); ok && (e.Status == http.StatusNotAcceptable || e.Status == http.StatusUnsupportedMediaType) {
		header.Set("Accept", "application/json")
		return a.wire.Send(ctx, out)
	}
	return err
}

// vendorError is the API's error body.
type vendorError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Errors  []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Field   string `json:"field"`
	} `json:"errors"`
}

// explain reads what the API says of a refusal: its error body, or what stands
// in its place where the edge answered or the call was not routed.
func explain(out *psa.Error, _ http.Header, body []byte) {
	var said vendorError
	if json.Unmarshal(body, &said) != nil {
		out.Message = wire.Begins(body)
		return
	}
	out.Message = said.Message
	var parts []string
	for _, e := range said.Errors {
		if out.Field == "" {
			out.Field = e.Field
		}
		if e.Message != "" {
			parts = append(parts, e.Message)
		}
	}
	if len(parts) > 0 {
		out.Message = strings.Join(parts, " ")
	}
}

// pages reads a list to its end: a page shorter than asked for. Every parameter
// goes with every page. Older instances take no more than a hundred records.
func pages[T any](ctx context.Context, a *Adapter, c call, most int) ([]T, error) {
	c.method = http.MethodGet
	query := url.Values{}
	maps.Copy(query, c.query)
	c.query = query
	var all []T
	for page := 1; ; page++ {
		a.mu.Lock()
		size := a.pageSize
		a.mu.Unlock()
		c.query.Set("pageSize", strconv.Itoa(size))
		c.query.Set("page", strconv.Itoa(page))
		var some []T
		c.out = &some
		err := a.do(ctx, c)
		if e, ok := errors.AsType[*psa.Error](err); ok && strings.EqualFold(e.Field, "pageSize") && size > smallPage {
			a.mu.Lock()
			a.pageSize = smallPage
			a.mu.Unlock()
			all, page = nil, 0
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < size {
			return all, nil
		}
		if len(all) >= most {
			return nil, &psa.Error{Reason: psa.ReasonProtocol, Doing: c.doing, Message: fmt.Sprintf("there are more than %d", most)}
		}
	}
}

// quoted makes a string of conditions. Quotes in it can't be written: they are
// left out, which finds more, and nothing else.
func quoted(text string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || r < ' ' {
			return -1
		}
		return r
	}, text) + `"`
}
