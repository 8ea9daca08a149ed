package graph_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

var (
	graphqlBlock = regexp.MustCompile("(?s)```graphql\n(.*?)```")
	postedQuery  = regexp.MustCompile(`-d '(\{"query".*?\})'`)
)

// TestDocuments holds every query that a document shows against the schema.
func TestDocuments(t *testing.T) {
	t.Parallel()

	for _, path := range []string{"README.md", filepath.Join("docs", "api.md")} {
		text, err := os.ReadFile(filepath.Join("..", path))
		require.NoError(t, err)
		var queries []string
		for _, found := range graphqlBlock.FindAllSubmatch(text, -1) {
			queries = append(queries, string(found[1]))
		}
		for _, found := range postedQuery.FindAllSubmatch(text, -1) {
			var body struct{ Query string }
			require.NoError(t, json.Unmarshal(found[1], &body), "%s: %s", path, found[1])
			queries = append(queries, body.Query)
		}
		require.NotEmpty(t, queries, path)
		for _, query := range queries {
			_, errs := gqlparser.LoadQueryWithRules(schema(), query, rules.NewDefaultRules())
			require.Empty(t, errs, "%s: %s", path, query)
		}
	}
}
