package psatest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// Document returns a vendor's OpenAPI document, which lies beside the project or
// in the folder CAIRN_SHARED, and nil where it does not: a part of the test says
// then that it was skipped.
func Document(t *testing.T, name string) []byte {
	t.Helper()
	rel := filepath.Join("openapi", name)
	folder, err := os.Getwd()
	require.NoError(t, err)
	candidates := []string{filepath.Join(os.Getenv("CAIRN_SHARED"), rel)}
	for os.Getenv("CAIRN_SHARED") == "" {
		candidates = append(candidates, filepath.Join(folder, "shared", rel))
		if filepath.Dir(folder) == folder {
			break
		}
		folder = filepath.Dir(folder)
	}
	for _, path := range candidates {
		if raw, err := os.ReadFile(path); err == nil {
			return raw
		}
	}
	t.Run("VendorsDocument", func(t *testing.T) {
		t.Skipf("SKIPPED: no %s beside the repository: calls and answers are not held against it; set CAIRN_SHARED to its folder", rel)
	})
	return nil
}

// Contract is a transport that holds calls and answers against an OpenAPI
// document: paths, parameters by name, bodies by schema, also that they hold
// nothing the schema does not name. Calls whose path does not have the prefix
// are not looked at; what is wrong fails the test. Every answer is looked at for
// which the document has a schema. Loose lets bodies hold what the document does
// not name, and texts of any format, for documents known to be incomplete. Next makes the calls.
func Contract(
	t *testing.T, document []byte, loose bool, next http.RoundTripper, prefix func(path string) (rest string, ok bool),
) http.RoundTripper {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(document)
	require.NoError(t, err)
	doc.Servers, doc.Security = nil, nil
	for path, item := range doc.Paths.Map() {
		if strings.Contains(path, "regex") {
			doc.Paths.Delete(path)
			continue
		}
		for _, operation := range item.Operations() {
			plain(operation)
		}
	}
	for _, schema := range doc.Components.Schemas {
		if loose {
			relax(schema.Value)
		} else {
			strict(schema.Value)
		}
	}
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return &contract{t: t, next: next, router: router, prefix: prefix, wrong: map[string]bool{}}
}

// plain has every body be JSON: a vendor's own media type says no more.
func plain(operation *openapi3.Operation) {
	operation.Security = nil
	one := func(content openapi3.Content) openapi3.Content {
		for _, media := range content {
			return openapi3.Content{"application/json": media}
		}
		return content
	}
	if operation.RequestBody != nil {
		operation.RequestBody.Value.Content = one(operation.RequestBody.Value.Content)
	}
	for _, answer := range operation.Responses.Map() {
		answer.Value.Content = one(answer.Value.Content)
	}
}

// strict refuses what a schema does not name.
func strict(schema *openapi3.Schema) {
	if schema != nil && len(schema.Properties) > 0 && schema.AdditionalProperties.Has == nil && schema.AdditionalProperties.Schema == nil {
		no := false
		schema.AdditionalProperties.Has = &no
	}
}

// relax takes what a schema does not name, and texts of any format.
func relax(schema *openapi3.Schema) {
	if schema == nil {
		return
	}
	schema.AdditionalProperties = openapi3.AdditionalProperties{}
	for _, property := range schema.Properties {
		if property.Value != nil {
			property.Value.Format = ""
		}
	}
}

type contract struct {
	t      *testing.T
	next   http.RoundTripper
	router routers.Router
	prefix func(string) (string, bool)

	mu    sync.Mutex
	wrong map[string]bool
}

// ids are what paths differ by that are the same.
var ids = regexp.MustCompile(`/[0-9]+`)

// fault fails the test, once for each thing that is wrong.
func (c *contract) fault(r *http.Request, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what = r.Method + " " + ids.ReplaceAllString(r.URL.Path, "/*") + ": " + ids.ReplaceAllString(what, "/*")
	if !c.wrong[what] && len(c.wrong) < 20 {
		c.wrong[what] = true
		c.t.Error("against the contract: " + what)
	}
}

// RoundTrip makes a call and looks at it.
func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	rest, watched := c.prefix(r.URL.Path)
	if !watched {
		return c.next.RoundTrip(r)
	}
	input := c.request(r, rest)
	resp, err := c.next.RoundTrip(r)
	if err != nil || input == nil || resp.Header.Get("X-From") == fromProxy {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
	}
	if err != nil || len(body) == 0 || !strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return resp, nil //nolint:nilerr // the caller meets the error where it stood: in the body
	}
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: resp.StatusCode, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	}
	// Where fields were asked for the others are missing.
	partial := r.URL.Query().Has("fields")
	for _, err := range each(openapi3filter.ValidateResponse(r.Context(), output)) {
		if schema, ok := errors.AsType[*openapi3.SchemaError](err); !ok || !partial || schema.SchemaField != "required" {
			c.fault(r, "answer "+resp.Status+": "+firstLines(err))
		}
	}
	return resp, nil
}

// failing ends a body with the error it ended with.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// request looks at a call; nil where it can't be looked at further.
func (c *contract) request(r *http.Request, rest string) *openapi3filter.RequestValidationInput {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	seen := r.Clone(r.Context())
	seen.URL = &url.URL{Path: rest, RawQuery: r.URL.RawQuery}
	seen.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := c.router.FindRoute(seen)
	if err != nil {
		c.fault(r, "no such path")
		return nil
	}
	if seen.Header.Get("Content-Type") != "" {
		seen.Header.Set("Content-Type", "application/json")
	}
	input := &openapi3filter.RequestValidationInput{
		Request: seen, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true},
	}
	for _, err := range each(openapi3filter.ValidateRequest(r.Context(), input)) {
		c.fault(r, "request: "+firstLines(err))
	}
	for name := range r.URL.Query() {
		if route.Operation.Parameters.GetByInAndName("query", name) == nil {
			c.fault(r, "the parameter "+name+" is unknown")
		}
	}
	return input
}

// each takes the errors of an error apart.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := errors.AsType[openapi3.MultiError](err); ok && len(many) > 0 {
		var out []error
		for _, one := range many {
			out = append(out, each(one)...)
		}
		return out
	}
	return []error{err}
}

// firstLines is what an error says, without the schema it repeats.
func firstLines(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\nSchema:")
	return text
}
