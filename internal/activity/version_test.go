package activity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// A sign-in whose risk was judged stands in place of one at risk, however both
// were exported.
func TestNewerByRisk(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{
		{`{"riskState":"remediated"}`, `{"riskState":"atRisk","more":"content"}`},
		{`{"RiskState":"dismissed"}`, `{"riskState":"none","more":"content"}`},
		{`{"properties":{"riskState":"remediated"}}`, `{"riskState":"atRisk","more":"content of all kinds","x":1}`},
		{`{"properties":"x","riskState":"atRisk"}`, `{"riskState":5,"more":"content of all kinds","x":1}`},
	} {
		later, earlier := &activity.Activity{Raw: []byte(test[0])}, &activity.Activity{Raw: []byte(test[1])}
		require.True(t, activity.Newer(later, earlier), test)
		require.False(t, activity.Newer(earlier, later), test)
	}
}
