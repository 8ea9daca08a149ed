package naming_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/naming"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "Contoso", "Ærø & Søn ApS", strings.Repeat("ö", naming.MaxLength)} {
		name, err := naming.Check("a tenant", "  "+good+"\n")
		require.NoError(t, err)
		require.Equal(t, good, name)
	}
	for bad, want := range map[string]string{
		strings.Repeat("ö", naming.MaxLength+1): "a tenant's name has at most 200 characters; this one has 201",
		"Con\ntoso":                             "control characters",
		"Con\x1b[31mtoso":                       "control characters",
		"Con\x00toso":                           "control characters",
		"Con\xfftoso":                           "UTF-8",
	} {
		_, err := naming.Check("a tenant", bad)
		refused := refusal.From(err)
		require.NotNil(t, refused, "%q", bad)
		require.Equal(t, refusal.Invalid, refused.Code)
		require.Equal(t, []string{"name"}, refused.Field)
		require.Contains(t, refused.Message, want)
	}
}
