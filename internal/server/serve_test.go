package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/server"
)

// pipes is a listener whose connections are made in memory, so that a test's
// time is synctest's.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func newPipes() *pipes { return &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial() net.Conn {
	client, served := net.Pipe()
	p.accepted <- served
	return client
}

// running serves h until it is stopped, and says when and how that ended.
func running(t *testing.T, h http.Handler) (*pipes, context.CancelFunc, <-chan error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	at, done := newPipes(), make(chan error, 1)
	go func() { done <- server.Serve(ctx, at, h, slog.New(slog.DiscardHandler)) }()
	return at, stop, done
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

// Ensure a stop takes no new connection and lets what is under way finish.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, finish := make(chan struct{}), make(chan struct{})
		at, stop, ended := running(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-finish
			_, _ = io.WriteString(w, "finished")
		}))
		c := at.dial()
		send(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
		stop()
		<-at.closed
		synctest.Wait()
		require.Empty(t, ended, "it waits for the request")
		close(finish)
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, "finished", string(body))
		require.NoError(t, c.Close())
		require.NoError(t, <-ended)
	})
}

// Ensure a request that never ends does not keep the server from stopping.
func TestStopIsNotKeptWaitingForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, finish := make(chan struct{}), make(chan struct{})
		at, stop, ended := running(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(begun)
			<-finish
		}))
		c := at.dial()
		send(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
		stop()
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		close(finish)
		require.NoError(t, c.Close())
	})
}

// Ensure no client holds a connection for ever by being slow, and none makes
// the server keep endless headers.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say    string
		within time.Duration
	}{
		"says nothing":               {"", time.Minute},
		"never ends its header":      {"GET / HTTP/1.1\r\nHost: x\r\nX-Slow:", time.Minute},
		"never ends its body":        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", time.Minute},
		"asks once and then nothing": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				at, stop, ended := running(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(w, "thanks")
				}))
				begun := time.Now()
				client := at.dial()
				send(t, client, c.say)
				_, err := io.Copy(io.Discard, client) // until the server hangs up
				require.NoError(t, err)
				require.LessOrEqual(t, time.Since(begun), c.within)
				stop()
				require.NoError(t, <-ended)
			})
		})
	}
}

func TestHugeHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at, stop, ended := running(t, http.NotFoundHandler())
		c := at.dial()
		go func() { // the server hangs up half way
			_, _ = fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("a", 1<<20))
		}()
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
		require.NoError(t, c.Close())
		stop()
		require.NoError(t, <-ended)
	})
}

// Ensure a listener that fails is told, not waited for.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.ErrorIs(t, server.Serve(t.Context(), listener, http.NotFoundHandler(), slog.New(slog.DiscardHandler)), net.ErrClosed)
}
