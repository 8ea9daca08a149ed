package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// code is what programs decide by: extensions.code of an error.
type code string

const (
	codeUnauthenticated code = "UNAUTHENTICATED"
	codeForbidden       code = "FORBIDDEN"
	codeNotFound        code = "NOT_FOUND"
	codeBadUserInput    code = "BAD_USER_INPUT"
	codeTooComplex      code = "TOO_COMPLEX"
	codeRateLimited     code = "RATE_LIMITED"
	codeInternal        code = "INTERNAL"
)

// failure is an error the caller sees as it is.
func failure(c code, format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{Message: fmt.Sprintf(format, args...), Extensions: map[string]any{"code": string(c)}}
}

func badInput(format string, args ...any) error { return failure(codeBadUserInput, format, args...) }

// errInternal stands for what was logged already.
var errInternal = errors.New("internal error")

// presenter decides what of an error a caller sees.
type presenter struct {
	logger  *slog.Logger
	timeout time.Duration
}

func (p presenter) present(ctx context.Context, err error) *gqlerror.Error {
	shown := &gqlerror.Error{Path: graphql.GetPath(ctx)}
	cause := err
	// The outermost gqlerror has path and location; an error of ours or a
	// fault may lie inside.
	if g, ok := errors.AsType[*gqlerror.Error](err); ok {
		shown.Path, shown.Locations = g.Path, g.Locations
		if inner := g.Unwrap(); inner != nil {
			cause = inner
		}
	}
	c, message := p.judge(ctx, cause)
	shown.Message = message
	shown.Extensions = map[string]any{"code": string(c)}
	if g, ok := errors.AsType[*gqlerror.Error](cause); ok && g.Extensions[retryAfter] != nil {
		shown.Extensions[retryAfter] = g.Extensions[retryAfter]
	}
	id := requestID(ctx)
	if id != "" {
		shown.Extensions["requestId"] = id
	}
	if c == codeInternal && !errors.Is(cause, errInternal) && ctx.Err() == nil {
		p.logger.ErrorContext(ctx, "graphql field failed", "request", id, "path", shown.Path.String(), "error", cause.Error())
	}
	return shown
}

func (p presenter) judge(ctx context.Context, cause error) (code, string) {
	if g, ok := errors.AsType[*gqlerror.Error](cause); ok && g.Unwrap() == nil {
		return codeOf(g), g.Message
	}
	if r := refusal.From(cause); r != nil {
		if r.Code == refusal.NotFound {
			return codeNotFound, r.Message
		}
		return codeBadUserInput, r.Message
	}
	switch {
	case errors.Is(cause, access.ErrNoScope):
		return codeUnauthenticated, errUnauthenticated
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return codeTooComplex, fmt.Sprintf("the operation took longer than %s: ask for less at once, or for a shorter time", p.timeout)
	}
	return codeInternal, "internal error; the server's log tells more under the request id"
}

const errUnauthenticated = "no valid API key was given"

// codeOf translates the engine's codes into ours.
func codeOf(g *gqlerror.Error) code {
	c, _ := g.Extensions["code"].(string)
	switch {
	case c == "COMPLEXITY_LIMIT_EXCEEDED", c == errcode.ParseFailed && strings.HasPrefix(g.Message, "exceeded token limit"):
		return codeTooComplex
	case c == "", c == errcode.ParseFailed, c == errcode.ValidationFailed:
		return codeBadUserInput
	}
	return code(c)
}

// recovered turns a panic into an internal error.
func (p presenter) recovered(ctx context.Context, v any) error {
	p.logger.ErrorContext(ctx, "graphql resolver panicked",
		"request", requestID(ctx), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	return errInternal
}

// userErrors returns the refusal in err as a payload shows it, or err itself
// where it is none.
func userErrors(err error) ([]*refusal.Error, error) {
	if r := refusal.From(err); r != nil {
		return []*refusal.Error{r}, nil //nolint:nilerr // it is in the payload
	}
	return nil, err
}
