package format_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
)

const (
	contoso  = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	fabrikam = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
	alva     = "alva@contoso.example"
	fourth   = "2025-03-04T05:06:07Z"
)

type members map[string]any

// with returns the record with other members; nil takes one out.
func (m members) with(other members) members {
	out := maps.Clone(m)
	for name, value := range other {
		if out[name] = value; value == nil {
			delete(out, name)
		}
	}
	return out
}

func (m members) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func asText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// respelled writes all names, those of inner objects too, in another way.
func respelled(v any, spell func(string) string) any {
	switch v := v.(type) {
	case members:
		out := members{}
		for name, value := range v {
			out[spell(name)] = respelled(value, spell)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = respelled(v[i], spell)
		}
		return out
	}
	return v
}

func pascal(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func rule() members {
	return members{
		"CreationTime": "2025-03-04T05:06:07", "Id": "00000001-1111-4222-8333-444455556666", "Operation": "New-InboxRule",
		"OrganizationId": contoso, "RecordType": 1, "ResultStatus": "True", "UserKey": "k", "UserType": 0, "Workload": "Exchange",
		"ClientIP": "203.0.113.7", "UserId": alva, "ObjectId": "alva",
		"Parameters": []any{members{"Name": "MoveToFolder", "Value": "RSS Feeds"}, members{"Name": "DeleteMessage", "Value": "True"}},
	}
}

func signIn() members {
	return members{
		"id": "00000002-1111-4222-8333-444455556666", "createdDateTime": fourth, "userPrincipalName": alva,
		"userId": "99999999-8888-4777-8666-555555555555", "appId": "4765445b-32c6-49b0-83e6-1d93765276ca", "appDisplayName": "Portal",
		"ipAddress": "203.0.113.7", "clientAppUsed": "Browser", "isInteractive": true, "homeTenantId": contoso, "resourceTenantId": contoso,
		"userType": "member", "sessionId": "0000004d-1111-4222-8333-444455556666", "signInEventTypes": []any{"interactiveUser"},
		"status": members{"errorCode": 50126}, "deviceDetail": members{"operatingSystem": "Linux", "isManaged": true},
	}
}

func roleGiven() members {
	return members{
		"id": "Directory_00000003_X", "category": "RoleManagement", "result": "success",
		"activityDisplayName": "Add member to role", "activityDateTime": fourth,
		"initiatedBy":     members{"user": members{"id": "99999999-8888-4777-8666-555555555555", "userPrincipalName": alva, "ipAddress": "203.0.113.7"}},
		"targetResources": []any{members{"type": "User", "userPrincipalName": "mary@contoso.example", "modifiedProperties": []any{members{"displayName": "Role.DisplayName", "newValue": `"Global Administrator"`}}}},
	}
}

// says is what must come out of each of the three, however they are exported.
func says(t *testing.T, a activity.Activity) {
	t.Helper()
	require.Equal(t, alva, a.Actor.Principal)
	require.Equal(t, "203.0.113.7", a.Address.String())
	require.Equal(t, fourth, a.OccurredAt.Format("2006-01-02T15:04:05Z"))
	switch a.Source {
	case activity.SourceSignIn:
		require.Equal(t, 50126, a.ErrorCode)
		require.Equal(t, activity.ResultFailure, a.Result)
		require.Equal(t, "0000004d-1111-4222-8333-444455556666", a.SessionID)
		require.Equal(t, "Linux", a.Device.OS)
		require.True(t, a.Device.Managed)
		require.True(t, a.Interactive)
		require.Equal(t, contoso, a.MicrosoftTenantID)
	case activity.SourceUnifiedAudit:
		require.Equal(t, "New-InboxRule", a.Operation)
		folder, _ := a.Parameter("MoveToFolder")
		require.Equal(t, "RSS Feeds", folder)
		deleted, _ := a.Parameter("DeleteMessage")
		require.Equal(t, "True", deleted)
	case activity.SourceDirectoryAudit:
		require.Equal(t, "Add member to role", a.Operation)
		require.Equal(t, "mary@contoso.example", a.Target)
		require.Equal(t, []activity.Modification{{Name: "Role.DisplayName", New: `"Global Administrator"`}}, a.Modified)
	}
	again, err := format.ShapeByName(a.Shape).Parse(a.Raw)
	require.NoError(t, err, "the stored raw record must parse again")
	require.Equal(t, a, again)
}

// exported are the records above as tools hand them on.
func exported() map[string]string {
	r, s, d := rule(), signIn(), roleGiven()
	row := func(m members) members { // of a workspace: everything is text
		out := members{}
		for name, value := range m {
			if text, ok := value.(string); ok {
				out[pascal(name)] = text
			} else {
				out[pascal(name)] = asText(value)
			}
		}
		return out.with(members{"TimeGenerated": fourth, "TenantId": fabrikam, "AADTenantId": contoso})
	}
	diagnostic := func(category string, m members) members {
		return members{"time": "2025-03-04T05:09:00Z", "category": category, "tenantId": contoso, "operationName": "x", "properties": m}
	}
	all := func(f func(members) string) string { return f(r) + "\n" + f(s) + "\n" + f(d) }
	table := members{"tables": []any{members{"columns": []any{}, "rows": []any{}}}}
	{
		var columns, cells []any
		for name, value := range row(s) {
			columns, cells = append(columns, members{"name": name, "type": "string"}), append(cells, value)
		}
		table["tables"] = []any{members{"name": "PrimaryResult", "columns": columns, "rows": []any{cells}}}
	}
	office := members{
		"TimeGenerated": "3/4/2025, 5:06:07.000 AM", "OfficeId": "x1", "Operation": "New-InboxRule", "OfficeWorkload": "Exchange", "UserId": alva,
		"ClientIP": "", "ClientIP_": "203.0.113.7:443", "Parameters": asText(r["Parameters"]),
	}
	names, cells := []string{}, []string{}
	for name, value := range office {
		if name == "TimeGenerated" {
			name += " [UTC]"
		}
		names, cells = append(names, name), append(cells, fmt.Sprint(value))
	}
	escapedOnce, escapedTwice := asText(r.String()), asText(asText(r.String()))
	return map[string]string{
		"lower case":               all(func(m members) string { return asText(respelled(m, strings.ToLower)) }),
		"first letters upper case": all(func(m members) string { return asText(respelled(m, pascal)) }),
		"other case beside": all(func(m members) string {
			return strings.Replace(m.String(), "{", `{"USERID":7,"Useridentity":{},"Status":7,"STATUS":[1],`, 1)
		}),
		"rows of a workspace":          row(s).String() + row(d).String(),
		"diagnostic settings":          diagnostic("SignInLogs", s).String() + "\n" + diagnostic("AuditLogs", d).String(),
		"event hub":                    asText(members{"records": []any{diagnostic("SignInLogs", s), diagnostic("AuditLogs", d)}}),
		"event hub, several":           asText([]any{members{"records": []any{diagnostic("SignInLogs", s)}}, members{"records": []any{diagnostic("AuditLogs", d)}}}),
		"event hub, no own time":       asText(members{"records": []any{diagnostic("SignInLogs", s.with(members{"createdDateTime": nil})).with(members{"time": fourth})}}),
		"log query":                    table.String(),
		"hunting row":                  members{"Timestamp": fourth, "ActionType": "x", "ReportId": "1", "RawEventData": r}.String(),
		"hunting row, text":            members{"TimeGenerated": fourth, "ActionType": "x", "RawEventData": r.String()}.String(),
		"hunting answer":               members{"schema": []any{members{"name": "x"}}, "results": []any{members{"Timestamp": fourth, "ActionType": "x", "RawEventData": r.String()}}}.String(),
		"defender stream":              asText(members{"records": []any{members{"time": fourth, "category": "AdvancedHunting-CloudAppEvents", "properties": members{"Timestamp": fourth, "ActionType": "x", "RawEventData": r}}}}),
		"search of the SDK":            members{"AuditLogRecordType": "exchangeAdmin", "Operation": "x", "Id": "1", "AuditData": members{"AdditionalProperties": r}}.String(),
		"search of Graph":              members{"value": []any{members{"auditLogRecordType": "exchangeAdmin", "operation": "x", "id": "1", "auditData": respelled(r, strings.ToLower)}}}.String(),
		"wazuh":                        members{"timestamp": "x", "rule": members{"id": "1"}, "data": members{"office365": r}}.String(),
		"wazuh, found":                 members{"hits": members{"total": members{"value": 1}, "hits": []any{members{"_source": members{"data": members{"office365": r}}}}}}.String(),
		"splunk":                       members{"preview": false, "result": members{"_raw": r.String()}}.String(),
		"splunk, all":                  members{"results": []any{members{"_raw": r.String()}, members{"_raw": s.String()}}}.String(),
		"splunk, table":                csvOf([]string{"_raw", "_time"}, []string{r.String(), "x"}, []string{s.String(), "x"}),
		"elastic":                      members{"_index": "x", "_source": members{"event": members{"original": r.String()}, "o365": members{"audit": r}}}.String(),
		"collector":                    members{"time": 1, "host": "x", "event": d}.String(),
		"message":                      members{"@timestamp": "x", "message": s.String()}.String(),
		"log events":                   members{"logGroup": "x", "logEvents": []any{members{"id": "1", "message": r.String()}, members{"id": "2", "message": s.String()}}}.String(),
		"batch":                        members{"responses": []any{members{"id": "1", "status": 200, "body": members{"value": []any{s}}}, members{"id": "2", "body": members{"value": []any{d}}}}}.String(),
		"one under value":              members{"value": s}.String(),
		"upper-case value":             members{"Value": []any{s, d}, "Count": 2}.String(),
		"two lists":                    `{"value":[` + s.String() + `],"@odata.count":1,"records":[` + d.String() + `]}`,
		"table of rows":                csvOf(names, cells),
		"escaped twice":                `[{"AuditData":` + escapedTwice + `}]`,
		"escaped three times":          `[{"AuditData":` + asText(escapedTwice) + `}]`,
		"table, backslashes":           "Id,AuditData\n1,\"" + escapedOnce[1:len(escapedOnce)-1] + "\"\n",
		"table, backslashes, doubled":  csvOf([]string{"Id", "AuditData"}, []string{"1", escapedOnce[1 : len(escapedOnce)-1]}),
		"table, in quotes":             csvOf([]string{"Id", "AuditData"}, []string{"1", escapedOnce}),
		"table, doubled twice":         csvOf([]string{"Id", "AuditData"}, []string{"1", strings.ReplaceAll(r.String(), `"`, `""`)}),
		"table, bars":                  "CreationDate|AuditData\nx|\"" + strings.ReplaceAll(r.String(), `"`, `""`) + "\"\n",
		"table, separator named":       "sep=;\nCreationDate;AuditData\nx;\"" + strings.ReplaceAll(r.String(), `"`, `""`) + "\"\n",
		"table, lines before":          "Export of today, 5 rows\n\nUser: alva\n" + csvOf([]string{"Id", "AuditData"}, []string{"1", r.String()}),
		"table, header again":          csvOf([]string{"Id", "AuditData"}, []string{"1", r.String()}) + "\ufeff#TYPE x\r\n" + csvOf([]string{"AuditData"}, []string{s.String()}),
		"marks within":                 "\ufeff\ufeff" + r.String() + "\n\ufeff[" + s.String() + ",\ufeff" + d.String() + "]\ufeff",
		"separators of records":        "\x1e" + r.String() + "\n\x1e" + s.String(),
		"blanks that are none to JSON": "\u00a0" + r.String() + "\u200b\n\u3000" + s.String() + "\n\u2028" + strings.Replace(d.String(), ",", ",\u00a0", 1),
		"commas between":               "," + r.String() + ",\n,\n" + s.String() + ",," + d.String() + ",",
		"commas too many":              "[" + strings.TrimSuffix(r.String(), "}") + ",}," + strings.TrimSuffix(s.String(), "}") + `,,"x":[1,],},]`,
		"words that are no JSON": all(func(m members) string {
			return strings.Replace(m.String(), "{", `{"a":NaN,"b":-Infinity,"c":[None,True],`, 1)
		}),
		"backslashes and controls": all(func(m members) string {
			return strings.Replace(m.String(), "{", `{"x":"C:\Users\x","y":"a`+"\t\x01"+`b",`, 1)
		}),
		"nothing as text": r.with(members{"Actor": "null", "ModifiedProperties": "null", "Item": "null", "UserType": "null"}).String() +
			s.with(members{"signInEventTypes": "null", "userType": "null", "riskState": "null"}).String() +
			d.with(members{"initiatedBy": members{"app": "null", "user": d["initiatedBy"].(members)["user"]}, "additionalDetails": "null"}).String(),
		"other types": r.with(members{"RecordType": "1.0", "UserType": 0.0, "ResultStatus": true, "ObjectId": 5, "UserId": []any{alva}, "ClientIP": []any{"203.0.113.7"}, "SessionId": members{}, "Actor": 7, "Item": []any{}}).String() +
			s.with(members{"isInteractive": "True", "status": `{"errorCode":"50126.0"}`, "deviceDetail": []any{s["deviceDetail"]}, "userType": 1, "appId": false}).String() +
			d.with(members{"result": true, "additionalDetails": 5, "category": []any{}}).String(),
		"one in place of a list": d.with(members{"targetResources": d["targetResources"].([]any)[0]}).String() +
			r.with(members{"ExtendedProperties": members{"Name": "a", "Value": "b"}, "Actor": members{"ID": "x", "Type": 5}}).String() +
			s.with(members{"signInEventTypes": "interactiveUser", "isInteractive": nil}).String(),
		"a table of names": r.with(members{"Parameters": members{"MoveToFolder": "RSS Feeds", "DeleteMessage": true}}).String(),
		"cut by depth": r.with(members{"Parameters": []any{"@{Name=MoveToFolder; Value=RSS Feeds}", "@{Name=DeleteMessage; Value=True}"}, "ExtendedProperties": "System.Object[]"}).String() +
			r.with(members{"Parameters": "@{Name=MoveToFolder; Value=RSS Feeds} @{Name=DeleteMessage; Value=True}"}).String() +
			s.with(members{"status": "@{errorCode=50126; failureReason=Wrong; or not}", "deviceDetail": "class Device {\n  OperatingSystem: Linux\n  IsManaged: True\n}\n"}).String(),
		"no public address": r.with(members{"ClientIP": "10.0.0.5", "ClientIPAddress": "203.0.113.7"}).String(),
		"server of Microsoft": r.with(members{"ClientIP": "52.97.10.5:1234", "ClientIPAddress": "203.0.113.7"}).String() +
			r.with(members{"ClientIPAddress": "[2603:10b6:10:20::5]:99"}).String(),
	}
}

// TestExports reads the same three records out of what tools make of them: all
// must say the same, and nothing may be rejected.
func TestExports(t *testing.T) {
	t.Parallel()
	for name, text := range exported() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), strings.NewReader(wide(text, binary.LittleEndian, true))} {
				out := readAll(t, "log", r, format.Limits{})
				require.NoError(t, out.failed)
				require.Empty(t, out.rejected)
				require.Empty(t, out.skipped)
				require.NotEmpty(t, out.activities)
				ids := map[string]bool{}
				for _, a := range out.activities {
					says(t, a)
					ids[a.VendorID] = true
				}
				want := 0
				for _, id := range []string{"00000001-1111", "00000002-1111", "Directory_00000003_X", "directory_00000003_x", `"x1"`, "x1,"} {
					if strings.Contains(text, id) {
						want++
					}
				}
				require.LessOrEqual(t, len(ids), 3)
				require.Len(t, ids, max(1, want))
			}
		})
	}
}
