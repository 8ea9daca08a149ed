package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// generated are records of the commonest kinds, in the proportions of a busy tenant.
func generated(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		id := fmt.Sprintf("%08x-1111-4222-8333-444455556666", i)
		user := fmt.Sprintf("user%d@contoso.example", i%500)
		switch i % 4 {
		case 0:
			out[i] = fmt.Appendf(nil, `{"CreationTime":"2025-03-04T05:06:%02d","Id":"%s","Operation":"UserLoggedIn","OrganizationId":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","RecordType":15,"ResultStatus":"Success","UserKey":"99999999-8888-4777-8666-%012x","UserType":0,"Version":1,"Workload":"AzureActiveDirectory","ClientIP":"203.0.113.%d","ObjectId":"00000002-0000-0ff1-ce00-000000000000","UserId":"%s","AzureActiveDirectoryEventType":1,"ExtendedProperties":[{"Name":"ResultStatusDetail","Value":"Redirect"},{"Name":"UserAgent","Value":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36"},{"Name":"RequestType","Value":"OAuth2:Authorize"}],"ModifiedProperties":[],"Actor":[{"ID":"99999999-8888-4777-8666-%012x","Type":0},{"ID":"%s","Type":5}],"ActorContextId":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","ActorIpAddress":"203.0.113.%d","InterSystemsId":"12121212-3434-4565-8787-909090909090","IntraSystemId":"%s","SupportTicketId":"","Target":[{"ID":"00000002-0000-0ff1-ce00-000000000000","Type":0}],"TargetContextId":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","ApplicationId":"4765445b-32c6-49b0-83e6-1d93765276ca","DeviceProperties":[{"Name":"OS","Value":"Windows 10"},{"Name":"BrowserType","Value":"Chrome"},{"Name":"IsCompliantAndManaged","Value":"False"},{"Name":"SessionId","Value":"%s"}],"ErrorNumber":"0"}`,
				i%60, id, i%500, i%250, user, i%500, user, i%250, id, id)
		case 1:
			out[i] = fmt.Appendf(nil, `{"CreationTime":"2025-03-04T05:06:%02d","Id":"%s","Operation":"MailItemsAccessed","OrganizationId":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","RecordType":50,"ResultStatus":"Succeeded","UserKey":"1003200000000001","UserType":0,"Version":1,"Workload":"Exchange","UserId":"%s","AppId":"00000003-0000-0000-c000-000000000000","ClientAppId":"d3590ed6-52b3-4102-aeff-aad2292ab01c","ClientIPAddress":"2001:db8::%d","ClientInfoString":"Client=REST;Client=RESTSystem;;","ExternalAccess":false,"InternalLogonType":0,"LogonType":0,"LogonUserSid":"S-1-5-21-1-2-3-4","MailboxGuid":"%s","MailboxOwnerSid":"S-1-5-21-1-2-3-4","MailboxOwnerUPN":"%s","OperationProperties":[{"Name":"MailAccessType","Value":"Bind"},{"Name":"IsThrottled","Value":"False"}],"OrganizationName":"contoso.example","OriginatingServer":"SRV0001 (15.20.0000.001)\r\n","SessionId":"%s","Folders":[{"FolderItems":[{"InternetMessageId":"<m%d@contoso.example>"},{"InternetMessageId":"<n%d@contoso.example>"}],"Id":"LgAAAAD","Path":"\\Inbox"}],"OperationCount":2}`,
				i%60, id, user, i%200, id, user, id, i, i)
		case 2:
			out[i] = fmt.Appendf(nil, `{"CreationTime":"2025-03-04T05:06:%02d","Id":"%s","Operation":"FileAccessed","OrganizationId":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","RecordType":6,"UserKey":"i:0h.f|membership|1003200000000001@live.com","UserType":0,"Version":1,"Workload":"SharePoint","ClientIP":"203.0.113.%d","ObjectId":"https://contoso.example/sites/sales/Shared Documents/plan %d.docx","UserId":"%s","CorrelationId":"%s","EventSource":"SharePoint","ItemType":"File","ListId":"36cf4e3f-385f-4f40-80e9-ad067a0d0754","ListItemUniqueId":"%s","Site":"eba52dfb-59a2-43d1-97a6-7783de61676d","UserAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15","WebId":"e229029d-1c60-454b-b2e8-b93153e76aa3","HighPriorityMediaProcessing":false,"SourceFileExtension":"docx","SiteUrl":"https://contoso.example/sites/sales","SourceFileName":"plan.docx","SourceRelativeUrl":"Shared Documents"}`,
				i%60, id, i%250, i, user, id, id)
		default:
			out[i] = fmt.Appendf(nil, `{"CreationTime":"2025-03-04T05:06:%02d","Id":"%s","Operation":"Set-Mailbox","OrganizationId":"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee","RecordType":1,"ResultStatus":"True","UserKey":"NT AUTHORITY\\SYSTEM (Microsoft.Exchange.ServiceHost)","UserType":3,"Version":1,"Workload":"Exchange","ObjectId":"SRV/Hosted Organizations/contoso.example/DiscoverySearchMailbox","UserId":"NT AUTHORITY\\SYSTEM (Microsoft.Exchange.ServiceHost)","AppId":"","ClientAppId":"","ExternalAccess":true,"OrganizationName":"contoso.example","OriginatingServer":"SRV0001 (15.20.0000.001)","Parameters":[{"Name":"Identity","Value":"SRV/Hosted Organizations/contoso.example/DiscoverySearchMailbox"},{"Name":"Arbitration","Value":"True"},{"Name":"Force","Value":"True"},{"Name":"IssueWarningQuota","Value":"1 GB"}]}`,
				i%60, id)
		}
	}
	return out
}

func size(records [][]byte) (n int64) {
	for _, r := range records {
		n += int64(len(r))
	}
	return n / int64(len(records))
}

func BenchmarkParse(b *testing.B) {
	records := generated(1000)
	b.SetBytes(size(records))
	b.ReportAllocs()
	for i := range b.N {
		if _, err := format.Parse(records[i%len(records)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	records := generated(1000)
	text := append(bytes.Join(records, []byte("\n")), '\n')
	b.SetBytes(size(records))
	b.ReportAllocs()
	for n := 0; n < b.N; {
		r, err := format.Open("bench", bytes.NewReader(text), format.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
}

func BenchmarkReadTable(b *testing.B) {
	records := generated(1000)
	rows := [][]string{{"Id", "AuditData"}}
	for _, r := range records {
		rows = append(rows, []string{"x", string(r)})
	}
	text := csvOf(rows...)
	b.SetBytes(size(records))
	b.ReportAllocs()
	for n := 0; n < b.N; {
		r, err := format.Open("bench", strings.NewReader(text), format.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
}
