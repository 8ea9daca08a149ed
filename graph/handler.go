// Package graph is the GraphQL API. The contract is written by hand in schema/;
// resolvers read through ent and the activity log and act through a service,
// nothing else. Scope comes from the context (package access) and is applied
// below, so a resolver can't forget it.
//
// What may not live here: rules of the business, SQL of tables, authentication
// (the server does that and puts a scope into the context).
package graph

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"

	"github.com/cairn-itdr/cairn/graph/generated"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/collect"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/tenant"
	"github.com/cairn-itdr/cairn/internal/ticketing"
)

// Config is what the API stands on.
type Config struct {
	DB        *database.DB
	Log       *activitylog.Log
	Tenants   *tenant.Service
	Incidents *incident.Service
	Members   *member.Service
	APIKeys   *apikey.Service
	Ticketing *ticketing.Service
	Collect   *collect.Service
	Logger    *slog.Logger
	Now       func() time.Time

	// Introspection lets callers read the schema, and get suggestions for
	// names they misspelt.
	Introspection bool
	// Timeout ends an operation that takes longer; 0 means 30 seconds.
	Timeout time.Duration

	// RequestsPerSecond is how often one principal may ask, in the long run;
	// ten seconds' worth may come at once. 0 is without limit.
	RequestsPerSecond int
	// Operations is how many operations are carried out at once; 0 means 16.
	// The others wait for Patience (0: 5 seconds) and are then refused.
	Operations int
	Patience   time.Duration
	// RawBytes is how many bytes of raw records one operation may read, 0 means
	// 32 MiB; all operations together hold twice as many.
	RawBytes int64
}

const defaultTimeout = 30 * time.Second

// withDefaults says what zero values stand for.
func (cfg Config) withDefaults() Config {
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.Operations = cmp.Or(cfg.Operations, defaultOperations)
	cfg.Patience = cmp.Or(cfg.Patience, defaultPatience)
	cfg.RawBytes = cmp.Or(cfg.RawBytes, defaultRawBytes)
	return cfg
}

// NewHandler returns the API: POST with a JSON body, in a context that holds
// an access.Scope and, for errors and logs, a request id (WithRequestID).
func NewHandler(cfg Config) http.Handler {
	cfg = cfg.withDefaults()
	h := handler.New(generated.NewExecutableSchema(generated.Config{
		Resolvers:  &Resolver{Config: cfg},
		Directives: generated.DirectiveRoot{Requires: requires},
		Complexity: costs(),
	}))
	p := presenter{logger: cfg.Logger, timeout: cfg.Timeout}
	h.AddTransport(transport{timeout: cfg.Timeout, admission: newAdmission(cfg)})
	h.SetErrorPresenter(p.present)
	h.SetRecoverFunc(p.recovered)
	h.SetParserTokenLimit(maxTokens)
	h.SetQueryCache(newQueryCache())
	h.SetDisableSuggestion(!cfg.Introspection)
	h.Use(limits{introspection: cfg.Introspection})
	h.Use(extension.FixedComplexityLimit(maxCost))
	if cfg.Introspection {
		h.Use(extension.Introspection{})
	}
	h.AroundResponses(showCost)
	h.AroundOperations(cfg.withLoaders)
	h.AroundRootFields(cfg.withFreshLoaders)
	h.AroundFields((&auditor{cfg: cfg, told: map[toldOf]time.Time{}}).field)
	return h
}

type requestIDKey struct{}

// WithRequestID notes the request's id: errors show it, logs carry it.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
