// Package microsoft is a simulated Microsoft cloud: one HTTPS server that
// answers for Entra's sign-in pages and tokens, the parts of Microsoft Graph and
// of the Office 365 Management Activity API that Cairn calls, and Exchange
// Online's administration endpoint. It behaves as the real one down to its
// warts: late and repeated records, tokens that die, lists that forget where one
// stood, limits. Its tenants live by internal/simulator's world.
//
// Paths are as at Microsoft's hosts, which all are this one server. Like the
// world it is a stranger to Cairn and imports none of it.
package microsoft

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// Options describe a cloud.
type Options struct {
	// World gives its tenants their life; it may have no tenants.
	World *simulator.World
	// Clock is the cloud's time.
	Clock *psa.Clock
	// Page is the most records of a page whatever is asked for; 0: Microsoft's own.
	Page int
	// Limits has the cloud refuse calls beyond Microsoft's budgets, by its clock.
	Limits bool
	// PlaceLife is how long a place in a list (a skip token) is remembered; 0:
	// an hour.
	PlaceLife time.Duration
	// BlobEvery is how often the audit log makes content available, in whole
	// seconds; 0: every minute.
	BlobEvery time.Duration
	// Late is the least and the most that records take to appear; zero: as at
	// Microsoft, minutes.
	Late *Lateness
}

// Lateness is how long records take to appear.
type Lateness struct{ Least, Most time.Duration }

// Cloud is a running server.
type Cloud struct {
	// Login meets calls of the token endpoint.
	Login *psa.Faults

	options Options
	clock   *psa.Clock
	key     []byte // signs tokens
	ca      *x509.CertPool
	address string
	server  *http.Server
	done    chan error

	mu       sync.Mutex
	tenants  map[string]*Tenant
	order    []*Tenant
	apps     map[string]App
	codes    map[string]code
	visitor  Visitor
	dead     time.Time // tokens issued before are dead
	requests map[string]int
}

// Start makes a cloud listen on an address of this machine ("127.0.0.1:0").
func Start(ctx context.Context, address string, options Options) (*Cloud, error) {
	if options.PlaceLife == 0 {
		options.PlaceLife = time.Hour
	}
	options.BlobEvery = max(options.BlobEvery.Truncate(time.Second), 0)
	if options.BlobEvery == 0 {
		options.BlobEvery = time.Minute
	}
	c := &Cloud{
		Login: psa.NewFaults(1), options: options, clock: options.Clock, key: make([]byte, 32), done: make(chan error, 1),
		tenants: map[string]*Tenant{}, apps: map[string]App{}, codes: map[string]code{}, requests: map[string]int{},
	}
	if _, err := rand.Read(c.key); err != nil {
		return nil, fmt.Errorf("make the key of tokens: %w", err)
	}
	certificate, pool, err := newCertificate(c.clock.Now)
	if err != nil {
		return nil, err
	}
	c.ca = pool
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen as Microsoft: %w", err)
	}
	c.address = "https://" + listener.Addr().String()
	c.server = &http.Server{
		Handler: http.HandlerFunc(c.serve), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	if options.World != nil {
		for _, t := range options.World.Tenants {
			c.Add(t)
		}
	}
	go func() {
		err := c.server.ServeTLS(listener, "", "")
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		c.done <- err
	}()
	return c, nil
}

// Close ends the server.
func (c *Cloud) Close() error {
	if err := c.server.Close(); err != nil {
		return fmt.Errorf("end the simulated cloud: %w", err)
	}
	return <-c.done
}

// Address is where all of Microsoft's hosts are, without a slash at the end.
func (c *Cloud) Address() string { return c.address }

// CA is who signed the server's certificate.
func (c *Cloud) CA() *x509.CertPool { return c.ca }

// Client makes calls that trust the server.
func (c *Cloud) Client() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's own
	transport.TLSClientConfig = &tls.Config{RootCAs: c.ca, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport}
}

// Clock is the cloud's time.
func (c *Cloud) Clock() *psa.Clock { return c.clock }

// Add makes a tenant of the world one of the cloud, and returns it.
func (c *Cloud) Add(of *simulator.Tenant) *Tenant {
	t := newTenant(c, of)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tenants[t.ID] = t
	c.order = append(c.order, t)
	return t
}

// Tenants are the cloud's, in the order they were added.
func (c *Cloud) Tenants() []*Tenant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Tenant(nil), c.order...)
}

// Tenant finds one by id or domain; nil where there is none.
func (c *Cloud) Tenant(name string) *Tenant {
	c.mu.Lock()
	defer c.mu.Unlock()
	name = strings.ToLower(name)
	if t := c.tenants[name]; t != nil {
		return t
	}
	for _, t := range c.order {
		if t.world.Domain == name || t.world.OnMicrosoftName == name {
			return t
		}
	}
	return nil
}

// KillTokens makes every access token issued so far refused.
func (c *Cloud) KillTokens() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = c.clock.Now()
}

// Requests counts the calls so far by their paths, ids replaced by "*".
func (c *Cloud) Requests() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.requests)
}

// serve finds who answers: the first part of a path tells the host it would be at.
func (c *Cloud) serve(w http.ResponseWriter, r *http.Request) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch first {
	case "v1.0", "beta":
		c.graph(w, r, first, rest)
	case "api":
		c.management(w, r, strings.TrimPrefix(rest, "v1.0/"))
	case "adminapi":
		c.exchange(w, r, rest)
	default:
		c.login(w, r, first, rest)
	}
}

// count notes a call.
func (c *Cloud) count(method, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[method+" "+path]++
}

// World is where the cloud's tenants live.
func (c *Cloud) World() *simulator.World { return c.options.World }
