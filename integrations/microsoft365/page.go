package microsoft365

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// Tenant is a directory that consented to the application. It may be used by
// many goroutines. Where nothing else is said errors are *Error.
type Tenant struct {
	ID string // a GUID, in lower case

	app   *App
	graph *sdk
	rests rests
}

// Page is a piece of a list, each record as Microsoft sent it.
type Page struct {
	Records []json.RawMessage
	// Next is where the list goes on, verbatim; "" at its end. A list may be
	// taken up there later, as long as Microsoft remembers.
	Next string
	// Delta is where the list's changes begin, at the end of a delta query.
	Delta string
	// Restarted says that Microsoft had forgotten where the list stood: it began
	// again with this page, and records come twice.
	Restarted bool
}

// maxAnswer is as much as an answer may hold: a page of a thousand sign-ins has
// some megabytes.
const maxAnswer = 64 << 20

// request is one call of an API that the SDK does not make.
type request struct {
	doing   string
	method  string // GET where empty
	address string
	header  map[string]string
	body    any
}

// do makes a call and returns the answer's body and header.
func (t *Tenant) do(ctx context.Context, q request) ([]byte, http.Header, error) {
	var body io.Reader
	if q.body != nil {
		raw, err := json.Marshal(q.body)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: write the request: %w", q.doing, err)
		}
		body = bytes.NewReader(raw)
	}
	if q.method == "" {
		q.method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, q.method, q.address, body)
	if err != nil {
		return nil, nil, fail(ReasonRefused, q.doing, "the address cannot be used")
	}
	r.Header.Set("Accept", "application/json")
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	response, err := t.client().Do(r)
	if err != nil {
		return nil, nil, unreachable(q.doing, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, unreachable(q.doing, err)
	}
	if len(raw) > maxAnswer {
		return nil, nil, fail(ReasonProtocol, q.doing, "the answer is too large")
	}
	return raw, response.Header, nil
}

// read makes a call and decodes its answer.
func (t *Tenant) read(ctx context.Context, q request, into any) error {
	raw, _, err := t.do(ctx, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fail(ReasonProtocol, q.doing, "the answer is not the JSON it should be")
	}
	return nil
}

// at is an address of Graph.
func (t *Tenant) at(version, path string, query url.Values) string {
	address := t.app.endpoints.Graph.Address + "/" + version + "/" + path
	if len(query) > 0 {
		// Graph wants %20; a plus stands for itself in some of its filters.
		address += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	return address
}

// readPage decodes a page of a Graph list.
func readPage(raw []byte) (Page, error) {
	var body struct {
		Value []json.RawMessage `json:"value"`
		Next  string            `json:"@odata.nextLink"`
		Delta string            `json:"@odata.deltaLink"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return Page{}, fmt.Errorf("decode a page: %w", err)
	}
	return Page{Records: body.Value, Next: body.Next, Delta: body.Delta}, nil
}

// list reads a Graph list page by page, from its beginning or from where a page
// before it ended (from). Where Microsoft has forgotten a place in the list it
// begins again, once.
func (t *Tenant) list(ctx context.Context, q request, from string) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		first := q.address
		if from != "" {
			q.address = from
		}
		restarted := false
		seen := map[string]bool{}
		for marked := false; ; marked = false {
			seen[q.address] = true
			raw, _, err := t.do(ctx, q)
			if Is(err, ReasonResync) && q.address != first && !restarted {
				restarted, marked, q.address = true, true, first
				clear(seen)
				if raw, _, err = t.do(ctx, q); err == nil {
					seen[first] = true
				}
			}
			if err != nil {
				yield(Page{}, err)
				return
			}
			page, err := readPage(raw)
			if err != nil {
				yield(Page{}, fail(ReasonProtocol, q.doing, "a page is not the JSON it should be"))
				return
			}
			page.Restarted = marked
			if seen[page.Next] {
				yield(Page{}, fail(ReasonProtocol, q.doing, "the list leads back to a page that was read"))
				return
			}
			if !yield(page, nil) || page.Next == "" {
				return
			}
			q.address = page.Next
		}
	}
}

// records reads a whole list and decodes each of its records. Only for lists
// that are short by their nature.
func records[T any](pages iter.Seq2[Page, error], doing string, keep func(*T, json.RawMessage)) ([]T, error) {
	var all []T
	for page, err := range pages {
		if err != nil {
			return nil, err
		}
		for _, raw := range page.Records {
			var one T
			if err := json.Unmarshal(raw, &one); err != nil {
				return nil, fail(ReasonProtocol, doing, "a record is not the JSON it should be")
			}
			keep(&one, raw)
			all = append(all, one)
		}
	}
	return all, nil
}
