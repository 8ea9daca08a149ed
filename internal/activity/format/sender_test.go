package format_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// What was sent came from the mailbox, unless the record says in whose name.
func TestSenderOfWhatWasSent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ operation, more, want string }{
		{"Send", ``, "mary@contoso.example"},
		{"SendAs", `,"SendAsUserSmtp":"boss@contoso.example"`, "boss@contoso.example"},
		{"SendOnBehalf", `,"SendOnBehalfOfUserSmtp":"desk@contoso.example"`, "desk@contoso.example"},
		{"MailItemsAccessed", ``, ""},
	} {
		a, err := format.Parse(fmt.Appendf(nil, `{"CreationTime":"2026-03-04T05:06:07","Id":"11111111-2222-4333-8444-555555555555","Operation":%q,`+
			`"OrganizationId":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","RecordType":2,"UserKey":"k","UserType":0,"Version":1,"Workload":"Exchange",`+
			`"UserId":"alva@contoso.example","MailboxOwnerUPN":"mary@contoso.example"%s}`, test.operation, test.more))
		require.NoError(t, err)
		require.Equal(t, test.want, a.Sender, test.operation)
	}
}
