package autotask

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

func TestWhatErrorsMean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		reason psa.Reason
		field  string
	}{
		"The logged in Resource does not have the adequate permissions to create this entity type.":        {psa.ReasonPermission, ""},
		"Value does not reference an existing entity for taskType .":                                       {psa.ReasonInvalid, "taskType"},
		"When assigning a Resource, you must assign both a assignedResourceID and assignedResourceRoleID.": {psa.ReasonInvalid, "assignedResourceID"},
		"No matching records found for the id.":                                                            {psa.ReasonNotFound, ""},
		"Something else went wrong.":                                                                       {psa.ReasonInvalid, ""},
	} {
		e := &psa.Error{Status: http.StatusInternalServerError, Retryable: true, MaybeDone: true}
		explain(e, nil, []byte(`{"errors":["`+text+`"]}`))
		require.Equal(t, want.reason, e.Reason, text)
		require.Equal(t, want.field, e.Field, text)
		require.False(t, e.MaybeDone, text)
		require.False(t, e.Retryable, text)
	}
	for _, body := range []string{`<html>500</html>`, `{"Message":"An error has occurred."}`, ``} {
		e := &psa.Error{Status: http.StatusInternalServerError, Reason: psa.ReasonUnavailable, Retryable: true, MaybeDone: true}
		explain(e, nil, []byte(body))
		require.True(t, e.Retryable && e.MaybeDone, "nobody can tell: %s", body)
	}
}

func FuzzExplain(f *testing.F) {
	f.Add([]byte(`{"errors":["Missing required field: title."]}`))
	f.Add([]byte(`{"errors":[{"message":"x"},7,null]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := &psa.Error{Status: http.StatusInternalServerError, Reason: psa.ReasonUnavailable}
		explain(e, nil, body)
		require.NotEmpty(t, e.Reason)
	})
}
