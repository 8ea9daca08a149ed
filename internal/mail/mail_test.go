package mail_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/mail"
)

// server is a mail server that takes mails for everybody but those whose
// address says what it answers: 550@…, 451@….
func server(t *testing.T) (address *url.URL, taken <-chan string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	out := make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go talk(c, out)
		}
	}()
	return &url.URL{Scheme: "smtp", Host: l.Addr().String()}, out
}

func talk(c net.Conn, taken chan<- string) {
	defer c.Close()
	in := bufio.NewReader(c)
	say := func(s string) { _, _ = fmt.Fprint(c, s+"\r\n") }
	say("220 mail.example")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		word, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		_, to, _ := strings.Cut(line, "<")
		switch {
		case word == "RCPT" && strings.HasPrefix(to, "550@"):
			say("550 no such mailbox")
		case word == "RCPT" && strings.HasPrefix(to, "451@"):
			say("451 try later")
		case word == "DATA":
			say("354 go on")
			var text strings.Builder
			for line != ".\r\n" && err == nil {
				line, err = in.ReadString('\n')
				text.WriteString(line)
			}
			taken <- text.String()
			say("250 taken")
		case word == "QUIT":
			say("221 bye")
			return
		default:
			say("250 well")
		}
	}
}

// Ensure a mail that is sent twice has one id, and that a refused recipient is
// told apart from a server in trouble.
func TestSMTP(t *testing.T) {
	t.Parallel()
	address, taken := server(t)
	s, err := mail.NewSMTP(address, "Cairn <cairn@msp.example>")
	require.NoError(t, err)
	send := func(to, id string) error {
		return s.Send(context.Background(), mail.Message{ID: id, To: to, Subject: "Live incident\r\nBcc: all@msp.example", Text: "text"})
	}
	for range 2 {
		require.NoError(t, send("ann@msp.example", "mail_1"))
		m := <-taken
		require.Contains(t, m, "Message-ID: <mail_1@msp.example>\r\n")
		require.NotContains(t, m, "\nBcc:", "a subject is one line")
	}
	require.NoError(t, send("ann@msp.example", ""))
	require.Contains(t, <-taken, "Message-ID: <")
	err = send("550@msp.example", "")
	require.ErrorContains(t, err, "550")
	require.True(t, mail.RefusesRecipient(err))
	err = send("451@msp.example", "")
	require.ErrorContains(t, err, "451")
	require.False(t, mail.RefusesRecipient(err))

	gone, err := mail.NewSMTP(&url.URL{Scheme: "smtp", Host: "127.0.0.1:1"}, "cairn@msp.example")
	require.NoError(t, err)
	err = gone.Send(context.Background(), mail.Message{To: "ann@msp.example", Subject: "s", Text: "t"})
	require.ErrorContains(t, err, "can't be reached")
	require.False(t, mail.RefusesRecipient(err))
}
