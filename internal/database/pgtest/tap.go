package pgtest

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Wire is a way to a PostgreSQL server on which every statement is seen.
type Wire struct {
	URL string // the database, by way of the wire

	answered atomic.Int64

	mu         sync.Mutex
	statements []string
}

// Tap returns a wire to the database at rawURL that lasts as long as the test.
// The URL must allow connections without TLS.
func Tap(t testing.TB, rawURL string) *Wire {
	t.Helper()
	u, err := url.Parse(rawURL)
	require.NoError(t, err)
	server := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	u.Host = listener.Addr().String()
	query := u.Query()
	query.Set("sslmode", "disable")
	u.RawQuery = query.Encode()
	w := &Wire{URL: u.String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				return
			}
			go func() { defer client.Close(); _, _ = io.Copy(client, io.TeeReader(upstream, counter{&w.answered})) }()
			go func() { defer upstream.Close(); w.pass(upstream, client) }()
		}
	}()
	return w
}

// Answered returns how many bytes the server has answered with so far.
func (w *Wire) Answered() int64 { return w.answered.Load() }

// counter counts the bytes written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// Statements returns the statements carried out so far, in order, as the
// server was sent them, but for what tells a connection whose rows it may see:
// that depends on which connection was free.
func (w *Wire) Statements() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.statements)
}

// pass copies a client's messages (PostgreSQL, "Message Formats"): a start-up
// message without type, then messages of a type, a length and a body. Parse
// ('P') names a statement, Bind ('B') says that it is carried out, Query ('Q')
// does both.
func (w *Wire) pass(to io.Writer, from io.Reader) {
	prepared := map[string]string{}
	for start := true; ; start = false {
		header := make([]byte, 5)
		if start {
			header = header[:4]
		}
		if _, err := io.ReadFull(from, header); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(header[len(header)-4:])-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		switch parts := bytes.SplitN(body, []byte{0}, 3); {
		case start:
		case header[0] == 'P':
			prepared[string(parts[0])] = string(parts[1])
		case header[0] == 'B':
			w.saw(prepared[string(parts[1])])
		case header[0] == 'Q':
			w.saw(string(parts[0]))
		}
		if _, err := to.Write(slices.Concat(header, body)); err != nil {
			return
		}
	}
}

func (w *Wire) saw(statement string) {
	if strings.Contains(statement, "set_config") {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.statements = append(w.statements, statement)
}
