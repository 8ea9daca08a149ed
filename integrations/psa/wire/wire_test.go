package wire_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

const secret = "s3cr&t/of+the=MSP"

func caller(explain func(*psa.Error, http.Header, []byte)) *wire.Caller {
	now := func() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }
	return wire.New(&http.Client{}, now, func() []string { return []string{secret, ""} }, explain)
}

func TestSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	for _, written := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
		got := caller(nil).Excerpt("before " + written + " after")
		require.Equal(t, "before [secret] after", got)
	}
	long := caller(nil).Excerpt(strings.Repeat("x", 10_000))
	require.Less(t, len(long), 600)
}

func send(t *testing.T, status int, header http.Header, body string) *psa.Error {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	require.NoError(t, err)
	c := caller(func(e *psa.Error, _ http.Header, body []byte) { e.Message = wire.Begins(body) })
	err = c.Send(t.Context(), wire.Call{Doing: "try", Method: http.MethodPost, Address: address, Body: map[string]int{"a": 1}})
	var e *psa.Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, "Fri, 01 May 2026 12:00:30 GMT": 30 * time.Second, "Fri, 01 May 2026 11:00:00 GMT": 0, "soon": 0, "999999": time.Hour,
	} {
		e := send(t, http.StatusTooManyRequests, http.Header{"Retry-After": {value}}, "")
		require.Equal(t, want, e.After, value)
		require.False(t, e.MaybeDone)
	}
}

func TestAPageOfTheEdge(t *testing.T) {
	t.Parallel()
	e := send(t, http.StatusBadGateway, nil, "<html><title>502</title><body>Bad gateway "+secret+"</body></html>")
	require.Equal(t, "502 Bad gateway [secret]", e.Message)
	require.True(t, e.Retryable)
	require.True(t, e.MaybeDone)
}

func TestNoSuchHost(t *testing.T) {
	t.Parallel()
	address, err := url.Parse("https://no-such-host.invalid/")
	require.NoError(t, err)
	err = caller(nil).Send(t.Context(), wire.Call{Doing: "try", Method: http.MethodPost, Address: address})
	var e *psa.Error
	require.ErrorAs(t, err, &e)
	require.False(t, e.MaybeDone, "nobody was reached")
	require.True(t, e.Retryable)
}

func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	require.NoError(t, err)
	err = caller(nil).Send(t.Context(), wire.Call{Doing: "try", Method: http.MethodPost, Address: address})
	var e *psa.Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Message, "no secure connection")
	require.False(t, e.MaybeDone, "nothing was sent")
}

func TestFieldValue(t *testing.T) {
	t.Parallel()
	for kind, c := range map[psa.SettingKind]struct {
		text string
		want any
	}{
		psa.KindText: {"7", "7"}, psa.KindNumber: {"7", int64(7)}, psa.KindYesNo: {"true", true}, psa.KindChoice: {"Head office", "Head office"},
	} {
		got, err := wire.FieldValue("try", psa.SettingDescription{Kind: kind}, c.text)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, kind := range []psa.SettingKind{psa.KindNumber, psa.KindYesNo} {
		_, err := wire.FieldValue("try", psa.SettingDescription{Kind: kind, Label: "Site"}, "nonsense")
		require.True(t, psa.Is(err, psa.ReasonInvalid))
	}
}

// Whatever is entered, credentials go over TLS, or to this machine.
func FuzzSite(f *testing.F) {
	for _, seed := range []string{"na.myconnectwise.net", "http://127.0.0.1:80", "http://127.0.0.1.example", "https://a@b", "http://[::1]:8/x", "http:\\\\x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entered string) {
		site, problem := wire.Site(entered)
		if problem != "" {
			return
		}
		require.Nil(t, site.User)
		require.Empty(t, site.Path)
		if site.Scheme != "https" {
			addr, err := netip.ParseAddr(site.Hostname())
			require.True(t, site.Hostname() == "localhost" || err == nil && addr.IsLoopback(), entered)
		}
	})
}

func FuzzBegins(f *testing.F) {
	f.Add([]byte("<html><title>502</title>"))
	f.Add([]byte("\xff<a"))
	f.Fuzz(func(t *testing.T, body []byte) {
		text := wire.Begins(body)
		require.True(t, utf8.ValidString(text))
		require.LessOrEqual(t, utf8.RuneCountInString(text), 200)
		require.NotContains(t, text, "<")
	})
}
