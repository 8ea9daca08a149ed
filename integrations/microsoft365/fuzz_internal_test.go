package microsoft365

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"value":[{"id":"1"},7],"@odata.nextLink":"https://graph.microsoft.com/beta/x?$skiptoken=y"}`))
	f.Add([]byte(`{"value":null,"@odata.deltaLink":""}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		page, err := readPage(raw)
		if err != nil {
			return
		}
		require.True(t, json.Valid(raw))
		for _, record := range page.Records {
			require.True(t, json.Valid(record))
		}
	})
}

func FuzzBlob(f *testing.F) {
	f.Add([]byte(`[{"Id":"1","RecordType":8},{}]`))
	f.Add([]byte(`{"Message":"no"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		records, err := readBlob(raw)
		if err != nil {
			return
		}
		for _, record := range records {
			require.True(t, json.Valid(record))
		}
	})
}

func FuzzAPIError(f *testing.F) {
	f.Add(403, "/v1.0/users/x/mailFolders/inbox/messageRules", []byte(`{"error":{"code":"ErrorAccessDenied","message":"Access is denied."}}`))
	f.Add(400, "/adminapi/beta/x/InvokeCommand", []byte(`{"error":{"details":[{"message":"couldn't be found"}],"innererror":{"internalexception":{"message":"x"}}}}`))
	f.Add(400, "/api/v1.0/x", []byte(`{"error":{"code":"AF20022","message":"the-secret eyJhbGciOiJub25lIn0.e30.x"}}`))
	f.Add(500, "/beta/auditLogs/signIns", []byte("\x1b[31m\x00the-secret"))
	app := &App{credential: &credential{secret: "the-secret"}, now: time.Now}
	f.Fuzz(func(t *testing.T, status int, path string, raw []byte) {
		response := &http.Response{StatusCode: status, Header: http.Header{"Request-Id": {string(raw)}}, Body: io.NopCloser(bytes.NewReader(raw))}
		e := app.apiError(graphFamily(path), response)
		require.NotContains(t, e.Error(), "the-secret")
		require.Contains(t, advice, e.Reason)
		require.True(t, utf8.ValidString(e.Error()))
		require.False(t, strings.ContainsAny(e.Error(), "\x1b\x00\n\r"))
		require.LessOrEqual(t, utf8.RuneCountInString(e.Message), longest+1)
	})
}

func FuzzClaims(f *testing.F) {
	f.Add("e30.eyJyb2xlcyI6WyJ4Il19.x")
	f.Add("..")
	f.Fuzz(func(_ *testing.T, text string) {
		var claims struct {
			Roles []string `json:"roles"`
		}
		_ = readClaims(text, &claims) // it may refuse; it must come back
	})
}

func FuzzCredential(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := readCredential("", text)
		if err == nil {
			require.NotNil(t, c.key)
			require.NotNil(t, c.certificate)
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"id":"r","displayName":".","isEnabled":true,"actions":{"forwardTo":[{"emailAddress":{"address":"a@fabrikam.example"}}]}}`))
	f.Add([]byte(`{"Identity":"a\\1","Enabled":"True","ForwardTo":null,"DeliverToMailboxAndForward":false}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		var graph graphRule
		if json.Unmarshal(raw, &graph) == nil {
			_ = graph.rule()
		}
		for _, into := range []any{&exchangeRule{}, &Mailbox{}, &TransportRule{}, &Delegate{}, &Method{}, &Device{}, &SKU{}, &Organization{}, &Grant{}, &ServicePrincipal{}} {
			_ = json.Unmarshal(raw, into) // it may refuse; it must come back
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("17")
	f.Add("Wed, 11 Mar 2026 12:00:00 GMT")
	f.Add("NaN")
	now := time.Date(2026, 3, 11, 11, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		wait := retryAfter(http.Header{"Retry-After": {text}}, now)
		require.True(t, wait >= 0 && wait <= 24*time.Hour)
	})
}

func TestPermissions(t *testing.T) {
	t.Parallel()

	seen := map[string]bool{}
	for _, p := range Permissions {
		require.True(t, isGUID(p.ID), p.Name)
		require.NotEmpty(t, p.Why, p.Name)
		require.False(t, seen[string(p.Level)+p.Name], p.Name)
		seen[string(p.Level)+p.Name] = true
		if p.Level == LevelDetection {
			require.NotContains(t, p.Name, "Write", "the detection application only reads")
		}
	}
	for _, r := range Roles {
		require.True(t, isGUID(r.ID), r.Name)
	}
	for reason := range advice {
		require.NotEmpty(t, fail(reason, "try", "it").Advice)
	}
}
