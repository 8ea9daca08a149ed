package graph_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/cairn-itdr/cairn/graph/generated"
)

func schema() *ast.Schema { return generated.NewExecutableSchema(generated.Config{}).Schema() }

// ours are the types of the schema that GraphQL itself does not define.
func ours() (types []*ast.Definition) {
	for _, d := range schema().Types {
		if !d.BuiltIn && !strings.HasPrefix(d.Name, "__") {
			types = append(types, d)
		}
	}
	return types
}

// isList says that a type is a page of a list: all whose names end so are, but
// for the connections to a PSA and to Microsoft.
func isList(name string) bool {
	return strings.HasSuffix(name, "Connection") && name != "PsaConnection" && name != "MicrosoftConnection"
}

// Ensure every type, field, argument, enum value and input is described.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	described := func(text, what string) {
		require.NotEmpty(t, strings.TrimSpace(text), "%s has no description", what)
	}
	for _, d := range ours() {
		described(d.Description, d.Name)
		for _, v := range d.EnumValues {
			described(v.Description, d.Name+"."+v.Name)
			require.Equal(t, strings.ToUpper(v.Name), v.Name)
		}
		for _, f := range d.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			described(f.Description, d.Name+"."+f.Name)
			for _, a := range f.Arguments {
				described(a.Description, d.Name+"."+f.Name+"("+a.Name+")")
			}
		}
	}
	described(schema().Directives["requires"].Description, "@requires")
}

// Ensure every root field names the permission it needs.
func TestEveryRootFieldNamesItsPermission(t *testing.T) {
	t.Parallel()
	s := schema()
	checked := 0
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		if root == nil {
			continue
		}
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			d := f.Directives.ForName("requires")
			require.NotNil(t, d, "%s.%s names no permission", root.Name, f.Name)
			require.NotEmpty(t, d.Arguments.ForName("permission").Value.Raw)
			checked++
		}
	}
	require.GreaterOrEqual(t, checked, 12)
}

// Ensure mutations and connections keep the conventions.
func TestConventions(t *testing.T) {
	t.Parallel()
	s := schema()
	for _, f := range s.Mutation.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		name := strings.ToUpper(f.Name[:1]) + f.Name[1:]
		require.Len(t, f.Arguments, 1, f.Name)
		require.Equal(t, name+"Input!", f.Arguments.ForName("input").Type.String())
		require.Equal(t, name+"Payload!", f.Type.String())
		require.Equal(t, "[UserError!]!", s.Types[name+"Payload"].Fields.ForName("userErrors").Type.String())
	}
	for _, d := range ours() {
		for _, f := range d.Fields {
			if !isList(f.Type.Name()) {
				continue
			}
			for argument, kind := range map[string]string{"first": "Int", "after": "String", "last": "Int", "before": "String"} {
				a := f.Arguments.ForName(argument)
				require.NotNil(t, a, "%s.%s(%s)", d.Name, f.Name, argument)
				require.Equal(t, kind, a.Type.String())
			}
			for _, field := range []string{"edges", "nodes", "pageInfo", "totalCount"} {
				require.NotNil(t, s.Types[f.Type.Name()].Fields.ForName(field), "%s.%s", f.Type.Name(), field)
			}
		}
	}
}
