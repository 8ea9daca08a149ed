package outbound

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, public := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "2606:4700:4700::1111": true, "100.63.255.255": true, "100.128.0.0": true, "172.32.0.1": true,
		"64:ff9b::8.8.8.8": true, "2002:808:808::1": true,

		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "169.254.169.254": false, "168.63.129.16": false, "100.64.0.1": false, "100.100.100.200": false, "192.0.0.192": false,
		"198.18.0.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "192.0.2.1": false, "203.0.113.9": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false, "fc00::1": false, "fec0::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false, "::ffff:0:127.0.0.1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::1": false, "2002:7f00:1::1": false, "2002:a9fe:a9fe::": false,
		"2001:db8::1": false, "2001::1": false, "4000::1": false, "100::1": false,
	} {
		require.Equal(t, public, refused(netip.MustParseAddr(address)) == "", address)
	}
}

// However an IPv4 address is written as IPv6, it is not called where it may not be.
func TestWritingsOfIPv4(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		four := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
		b := four.As4()
		if refused(four) == "" {
			t.Skip("public")
		}
		for _, head := range [][]byte{
			{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
			{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
			{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0},
			{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0},
		} {
			require.NotEmpty(t, refused(netip.AddrFrom16([16]byte(append(head, b[:]...)))))
		}
		require.NotEmpty(t, refused(netip.AddrFrom16([16]byte{0x20, 0x02, b[0], b[1], b[2], b[3]})))
	})
}

// names is a resolver that knows these.
type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if found, ok := n[host]; ok {
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// client resolves as it is told, and connects every public address to the
// listener; others it connects where they lead.
func client(t *testing.T, known names, listener string, allowed ...string) *http.Client {
	t.Helper()
	p, err := Allow(allowed...)
	require.NoError(t, err)
	c := newClient(&dialer{policy: p, resolver: known, dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if addr, err := netip.ParseAddrPort(address); err == nil && refused(addr.Addr()) == "" {
			address = listener
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}})
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func get(t *testing.T, c *http.Client, address string, header http.Header) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	r.Header = header
	resp, err := c.Do(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func requireRefused(t *testing.T, err error) {
	t.Helper()
	var e *AddressError
	require.ErrorAs(t, err, &e)
	require.True(t, e.RefusedAddress())
}

func TestLoopbackIsRefusedUntilAllowed(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Host }))
	defer server.Close()
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	known := names{"psa.contoso.example": {netip.MustParseAddr("127.0.0.1")}}

	byName := "http://psa.contoso.example:" + u.Port()
	for _, address := range []string{server.URL, byName, "http://[::ffff:127.0.0.1]:" + u.Port(), "http://[64:ff9b::7f00:1]:" + u.Port()} {
		requireRefused(t, get(t, client(t, known, "", "192.168.0.0/16", "other.example"), address, nil))
	}
	require.Empty(t, asked, "nobody was called")

	for _, allowed := range []string{"127.0.0.0/8", "127.0.0.1", "::ffff:127.0.0.0/104", "psa.contoso.example", "PSA.contoso.example.:" + u.Port()} {
		require.NoError(t, get(t, client(t, known, "", allowed), byName, nil), allowed)
	}
	requireRefused(t, get(t, client(t, known, "", "psa.contoso.example:1"), byName, nil)) // another port
	require.NoError(t, get(t, client(t, known, "", "127.0.0.1"), server.URL, nil))
}

// A name with one private address among public ones is refused: the next
// connection might go there.
func TestOneAddressAmongSeveral(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	known := names{
		"mixed.example":  {netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("10.0.0.1")},
		"public.example": {netip.MustParseAddr("9.9.9.9")},
	}
	c := client(t, known, server.Listener.Addr().String())
	require.NoError(t, get(t, c, "http://public.example/", nil))
	requireRefused(t, get(t, c, "http://mixed.example/", nil))
	require.Error(t, get(t, c, "http://unknown.example/", nil))
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	headers := make(chan http.Header, 10)
	var target string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		if r.URL.Path == "/" {
			http.Redirect(w, r, target, http.StatusFound)
		}
	}))
	defer server.Close()
	known := names{
		"a.example": {netip.MustParseAddr("9.9.9.9")}, "b.example": {netip.MustParseAddr("9.9.9.10")},
		"inside.example": {netip.MustParseAddr("169.254.169.254")},
	}
	c := client(t, known, server.Listener.Addr().String())
	secret := http.Header{"Secret": {"s"}, "Authorization": {"Basic x"}, "Clientid": {"c"}, "Accept": {"*/*"}}

	for _, inside := range []string{"http://inside.example/latest/meta-data", "http://169.254.169.254/", "http://127.0.0.1:1/", "http://[::1]/"} {
		target = inside
		requireRefused(t, get(t, c, "http://a.example/", secret.Clone()))
		<-headers
	}
	target = "http://b.example/elsewhere"
	require.NoError(t, get(t, c, "http://a.example/", secret.Clone()))
	require.Equal(t, "s", (<-headers).Get("Secret"))
	there := <-headers
	require.Equal(t, "*/*", there.Get("Accept"))
	for _, name := range []string{"Secret", "Authorization", "Clientid"} {
		require.Empty(t, there.Get(name), name)
	}
	target = "http://a.example/again"
	require.NoError(t, get(t, c, "http://a.example/", secret.Clone()))
	<-headers
	require.Equal(t, "s", (<-headers).Get("Secret"), "the same host")
	target = "/"
	requireRefused(t, get(t, c, "http://a.example/", nil))
}

func TestRedirectFromTLSToPlainText(t *testing.T) {
	t.Parallel()
	from, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://a.example/", http.NoBody)
	require.NoError(t, err)
	for _, to := range []string{"http://a.example/", "file:///etc/passwd"} {
		next, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, http.NoBody)
		require.NoError(t, err)
		requireRefused(t, checkRedirect(next, []*http.Request{from}))
	}
}

func TestNoProxy(t *testing.T) {
	t.Parallel()
	transport, ok := NewClient(Policy{}).Transport.(*http.Transport)
	require.True(t, ok)
	require.Nil(t, transport.Proxy, "a proxy would connect where nobody has looked")
}

func TestAllowRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{"https://psa.example", "psa.example/x", "*", "10.0.0.0/99", "a b", ":80", "user@host"} {
		_, err := Allow(entry)
		require.Error(t, err, entry)
	}
	_, err := Allow("", " 10.0.0.0/8 ", "[::1]", "fd00::/8", "psa.example", "psa.example:8443")
	require.NoError(t, err)
}

func FuzzAllow(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "psa.example:8443", "[::1]", "::ffff:10.0.0.0/104"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		p, err := Allow(entry)
		if err == nil { // what was allowed opens nothing else
			require.LessOrEqual(t, len(p.networks)+len(p.hosts), 1)
		}
	})
}
