// Package outbound makes calls to addresses that somebody entered: hosts of PSAs,
// webhooks, identity providers, logos. Such an address must not lead into the
// network Cairn stands in: what a name resolves to is looked at after it was
// resolved, at the moment of connecting, and again at each redirect. What an
// operator has on his premises he allows.
//
// What may not live here: what is called, and with which credentials.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Policy says what may be called beyond the public Internet.
type Policy struct {
	networks []netip.Prefix
	hosts    map[string]bool
}

// hostPattern is a host's name, with a port or without.
var hostPattern = regexp.MustCompile(`^[\pL\pN_-]+(\.[\pL\pN_-]+)*\.?(:[0-9]{1,5})?$`)

// Allow reads an operator's list: networks (10.1.0.0/16), addresses (10.1.2.3)
// and hosts (psa.example.net, or psa.example.net:8443 for that port alone). The
// zero Policy allows nothing.
func Allow(list ...string) (Policy, error) {
	p := Policy{hosts: map[string]bool{}}
	for _, entry := range list {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "" {
			continue
		}
		if prefix, err := netip.ParsePrefix(entry); err == nil {
			p.networks = append(p.networks, unmapped(prefix))
			continue
		}
		if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
			addr = addr.Unmap().WithZone("")
			p.networks = append(p.networks, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		if !hostPattern.MatchString(entry) {
			return Policy{}, fmt.Errorf("%q is no network, address or host", entry)
		}
		host, port, _ := strings.Cut(entry, ":")
		if host = strings.TrimSuffix(host, "."); port != "" {
			host = net.JoinHostPort(host, port)
		}
		p.hosts[host] = true
	}
	return p, nil
}

// unmapped is a network of IPv4 addresses that was written as IPv6.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}

// AddressError is the error of a call that was not made.
type AddressError struct {
	Host string
	Addr netip.Addr // not valid where the host itself is refused
	Why  string
}

func (e *AddressError) Error() string {
	if !e.Addr.IsValid() || e.Addr.String() == e.Host {
		return fmt.Sprintf("%s is not called: %s", e.Host, e.Why)
	}
	return fmt.Sprintf("%s is not called: its address %s is %s", e.Host, e.Addr, e.Why)
}

// RefusedAddress tells this error apart for packages that don't know this one.
func (e *AddressError) RefusedAddress() bool { return true }

// check says whether an address of a host may be called.
func (p Policy) check(host, port string, addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if p.hosts[name] || p.hosts[net.JoinHostPort(name, port)] {
		return nil
	}
	for _, n := range p.networks {
		if n.Contains(addr) {
			return nil
		}
	}
	if why := refused(addr); why != "" {
		return &AddressError{Host: host, Addr: addr, Why: why}
	}
	return nil
}

const (
	connectTime  = 10 * time.Second
	maxRedirects = 5
)

// resolver finds the addresses of a name.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// dialer connects to addresses that were looked at.
type dialer struct {
	policy   Policy
	resolver resolver
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// DialContext resolves a name, refuses it where any of its addresses may not be
// called, and connects to one of those it has looked at: a second look-up could
// give another.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	addrs := []netip.Addr{}
	if addr, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, addr)
	} else if addrs, err = d.resolver.LookupNetIP(ctx, "ip", host); err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if err := d.policy.check(host, port, addr); err != nil {
			return nil, err
		}
	}
	var failures []error
	for _, addr := range addrs {
		conn, err := d.dial(ctx, network, net.JoinHostPort(addr.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	if len(failures) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return nil, errors.Join(failures...)
}

// NewClient returns a client for addresses that somebody entered. It knows no
// proxy: one would connect in its place, to what nobody has looked at.
func NewClient(p Policy) *http.Client {
	return newClient(&dialer{policy: p, resolver: net.DefaultResolver, dial: (&net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second}).DialContext})
}

func newClient(d *dialer) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: d.DialContext, ForceAttemptHTTP2: true,
			MaxIdleConns: 100, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: connectTime, ExpectContinueTimeout: time.Second, MaxResponseHeaderBytes: 1 << 20,
		},
		CheckRedirect: checkRedirect,
	}
}

// checkRedirect follows few redirects, none from TLS to plain text, and none to
// another host with what was meant for the first. Where it leads, the dialer
// looks at again.
func checkRedirect(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return &AddressError{Host: r.URL.Host, Why: "it redirects without end"}
	case r.URL.Scheme != "https" && r.URL.Scheme != "http", r.URL.Scheme == "http" && first.Scheme == "https":
		return &AddressError{Host: r.URL.Host, Why: fmt.Sprintf("%s redirects to it without TLS", first.Host)}
	case !strings.EqualFold(r.URL.Host, first.Host):
		for name := range r.Header {
			if !carried[name] {
				r.Header.Del(name)
			}
		}
	}
	return nil
}

// carried are the headers that may go to another host: no vendor's key is among
// them, however its header is called.
var carried = map[string]bool{"Accept": true, "Accept-Language": true, "Content-Type": true, "User-Agent": true}
