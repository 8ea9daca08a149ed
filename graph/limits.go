package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// What an operation may have, fragments counted wherever they are used. A
// whole page of incidents with findings and evidence stays well below; the
// explorer's introspection query needs the depth.
const (
	maxTokens     = 5000
	maxDepth      = 16
	maxFields     = 2000
	maxRootFields = 20
	maxAliases    = 50
	maxDirectives = 50
)

// limits refuses operations that are out of all proportion, before their cost
// is counted: counting expands fragments, and so must be bounded itself.
type limits struct{ introspection bool }

// ExtensionName of the extension.
func (limits) ExtensionName() string { return "Limits" }

// Validate of the extension.
func (limits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext refuses an operation; it changes none.
func (l limits) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	m := measurer{fragments: map[string]extent{}}
	e := m.selections(operation.Operation.SelectionSet)
	e.directives += len(operation.Operation.Directives)
	for _, c := range []struct {
		has, most int
		what      string
	}{
		{e.depth, maxDepth, "levels"},
		{e.fields, maxFields, "fields"},
		{e.aliases, maxAliases, "aliases"},
		{e.directives, maxDirectives, "directives"},
		{m.rootFields(operation.Operation.SelectionSet), maxRootFields, "root fields"},
	} {
		if c.has > c.most {
			return failure(codeTooComplex, "the operation has more than the %d %s allowed: ask in several requests", c.most, c.what)
		}
	}
	if !l.introspection && e.introspection {
		return failure(codeBadUserInput, "introspection is switched off on this server")
	}
	return nil
}

// extent is how much of everything a selection has. Counts stop growing at
// enough: fragments within fragments double them.
type extent struct {
	depth, fields, aliases, directives int
	introspection                      bool
}

const enough = 1 << 20

func (e *extent) add(o extent, below int) {
	e.depth = max(e.depth, o.depth+below)
	e.fields = min(e.fields+o.fields, enough)
	e.aliases = min(e.aliases+o.aliases, enough)
	e.directives = min(e.directives+o.directives, enough)
	e.introspection = e.introspection || o.introspection
}

// measurer measures each fragment once. Validation has refused cycles.
type measurer struct{ fragments map[string]extent }

func (m measurer) selections(set ast.SelectionSet) (e extent) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			own := extent{fields: 1, directives: len(s.Directives), introspection: s.Name == "__schema" || s.Name == "__type"}
			if s.Alias != s.Name {
				own.aliases = 1
			}
			e.add(own, 0)
			e.add(m.selections(s.SelectionSet), 1)
		case *ast.InlineFragment:
			e.add(extent{directives: len(s.Directives)}, 0)
			e.add(m.selections(s.SelectionSet), 0)
		case *ast.FragmentSpread:
			e.add(extent{directives: len(s.Directives)}, 0)
			e.add(m.fragment(s.Definition), 0)
		}
	}
	return e
}

func (m measurer) fragment(f *ast.FragmentDefinition) extent {
	e, known := m.fragments[f.Name]
	if !known {
		e = m.selections(f.SelectionSet)
		m.fragments[f.Name] = e
	}
	return e
}

// rootFields counts the fields of the operation itself. It runs after the
// count of all fields was taken, but stops by itself as well.
func (m measurer) rootFields(set ast.SelectionSet) (n int) {
	for _, s := range set {
		if n > maxRootFields {
			break
		}
		switch s := s.(type) {
		case *ast.Field:
			n++
		case *ast.InlineFragment:
			n += m.rootFields(s.SelectionSet)
		case *ast.FragmentSpread:
			n += m.rootFields(s.Definition.SelectionSet)
		}
	}
	return n
}

const (
	cachedQueries     = 256
	longestCachedText = 16 << 10
)

// queryCache keeps parsed operations; long ones are not worth their memory.
type queryCache struct {
	graphql.Cache[*ast.QueryDocument]
}

func newQueryCache() queryCache {
	return queryCache{lru.New[*ast.QueryDocument](cachedQueries)}
}

// Add keeps a parsed operation.
func (c queryCache) Add(ctx context.Context, text string, document *ast.QueryDocument) {
	if len(text) <= longestCachedText {
		c.Cache.Add(ctx, text, document)
	}
}
