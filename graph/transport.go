package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cairn-itdr/cairn/internal/access"
)

// maxBody is the longest request taken, in bytes.
const maxBody = 1 << 20

// maxErrors is how many errors of an operation that could not start are shown.
const maxErrors = 10

// transport takes one operation as a JSON body by POST, and nothing else: a
// browser can't be made to send that from another site without asking first.
type transport struct {
	timeout   time.Duration
	admission *admission
}

// Supports every request, to answer what is wrong with the others.
func (transport) Supports(*http.Request) bool { return true }

// Do answers a request as "GraphQL over HTTP" says: where the client accepts
// application/graphql-response+json, an operation that could not start has
// status 400; else every well-formed request has 200.
func (t transport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	ctx := r.Context()
	const graphqlResponse = "application/graphql-response+json"
	contentType, refused := "application/json", http.StatusOK
	if strings.Contains(r.Header.Get("Accept"), graphqlResponse) {
		contentType, refused = graphqlResponse, http.StatusBadRequest
	}
	w.Header().Set("Content-Type", contentType+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")

	params, status, err := t.read(ctx, w, r)
	if err != nil {
		respond(w, status, exec.DispatchError(ctx, gqlerror.List{err}))
		return
	}
	if err := weigh(params.Query); err != nil {
		respond(w, refused, exec.DispatchError(ctx, gqlerror.List{err}))
		return
	}
	// The body is here: a slow sender keeps nobody else waiting.
	leave, err := t.admission.enter(ctx)
	if err != nil {
		respond(w, http.StatusServiceUnavailable, exec.DispatchError(ctx, gqlerror.List{err}))
		return
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	raws := t.admission.rawShare()
	defer raws.release() // once the answer is out of memory
	ctx = context.WithValue(ctx, rawShareKey{}, raws)

	operation, errs := exec.CreateOperationContext(ctx, params)
	if len(errs) > 0 {
		errs = errs[:min(len(errs), maxErrors)]
		respond(w, refused, exec.DispatchError(graphql.WithOperationContext(ctx, operation), errs))
		return
	}
	responses, operationCtx := exec.DispatchOperation(ctx, operation)
	response := responses(operationCtx)
	if response == nil { // the engine's way to say that time was up before it began
		response = exec.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(context.Cause(ctx))})
	}
	leave() // a slow reader, too
	respond(w, http.StatusOK, response)
}

// read returns the request's operation, or the status and error to answer with.
func (t transport) read(ctx context.Context, w http.ResponseWriter, r *http.Request) (*graphql.RawParams, int, *gqlerror.Error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed, failure(codeBadUserInput, "the API takes POST alone, not %q", r.Method)
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" || !isUTF8(params["charset"]) {
		return nil, http.StatusUnsupportedMediaType, failure(codeBadUserInput, "the API takes a JSON body: set Content-Type to application/json")
	}
	scope, err := access.From(ctx)
	if err != nil {
		return nil, http.StatusUnauthorized, failure(codeUnauthenticated, errUnauthenticated)
	}
	if refused := t.admission.paced(scope); refused != nil {
		return nil, http.StatusTooManyRequests, refused
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			return nil, http.StatusRequestEntityTooLarge, failure(codeTooComplex, "a request has %d bytes at most", maxBody)
		}
		return nil, http.StatusBadRequest, failure(codeBadUserInput, "the request broke off")
	}
	out := &graphql.RawParams{Headers: r.Header}
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		return nil, http.StatusBadRequest, failure(codeBadUserInput, "a request holds one operation: lists of operations are not taken")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // an Int and a Float are told apart by the schema
	if err := d.Decode(out); err != nil {
		return nil, http.StatusBadRequest, failure(codeBadUserInput,
			`the body is not a JSON object like {"query": "…", "variables": {…}}`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, http.StatusBadRequest, failure(codeBadUserInput, "something follows the JSON object in the body")
	}
	if holdsNUL(out.Query) || holdsNUL(out.Variables) {
		return nil, http.StatusBadRequest, failure(codeBadUserInput, "%s", errNUL)
	}
	return out, 0, nil
}

// holdsNUL looks for the one character that PostgreSQL can't store, here once
// rather than wherever a text is taken.
func holdsNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "\x00")
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for k, item := range v {
			if holdsNUL(k) || holdsNUL(item) {
				return true
			}
		}
	}
	return false
}

func isUTF8(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// maxShown is how many errors an answer shows: one fault may show in every
// item of a list.
const maxShown = 100

func respond(w http.ResponseWriter, status int, response *graphql.Response) {
	response.Errors = response.Errors[:min(len(response.Errors), maxShown)]
	for _, err := range response.Errors {
		if seconds, ok := err.Extensions[retryAfter].(int); ok {
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
		}
	}
	w.WriteHeader(status)
	//nolint:errchkjson // a path holds names and indices only; else the client has gone
	_ = json.NewEncoder(w).Encode(response)
}
