// Package mail sends mail to people: by SMTP, or into an outbox that shows it
// on a page, for the demo.
//
// What may not live here: what a mail says, and to whom.
package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Message is one mail. Its texts are plain.
type Message struct {
	// ID tells mails apart: one that is sent twice has it twice, which mailboxes
	// show once. Letters, digits and _; empty for one of chance.
	ID      string
	To      string // an address alone
	Subject string
	Text    string
}

// ErrNotConfigured is returned where Cairn was not told of a mail server.
var ErrNotConfigured = errors.New("no mail server is configured: start Cairn with --smtp-url and --mail-from")

// Address returns an address as it is stored and compared: lower case, without
// a name. The error is for people.
func Address(s string) (string, error) {
	const longest = 254 // RFC 5321, section 4.5.3.1.3
	s = strings.TrimSpace(s)
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || len(s) > longest || strings.ContainsAny(s, "\r\n\x00") {
		return "", fmt.Errorf("%q is no mail address like person@example.net", clip(s))
	}
	if _, domain, _ := strings.Cut(s, "@"); !strings.Contains(domain, ".") {
		return "", fmt.Errorf("%q is no mail address like person@example.net", clip(s))
	}
	return strings.ToLower(s), nil
}

func clip(s string) string {
	const shown = 80
	if r := []rune(s); len(r) > shown {
		return string(r[:shown]) + "…"
	}
	return s
}

// Nowhere refuses every mail with ErrNotConfigured.
type Nowhere struct{}

// Send of Nowhere.
func (Nowhere) Send(context.Context, Message) error { return ErrNotConfigured }

// SMTP sends through a mail server.
type SMTP struct {
	host    string
	from    string
	domain  string // of the sender
	options []gomail.Option
}

const sendTimeout = 20 * time.Second

// NewSMTP returns a sender for a URL like smtp://user:password@mail.example.net:587
// (STARTTLS wanted wherever the server offers it, and demanded where there is a
// password) or smtps://… (TLS from the start). from is the sender's address.
func NewSMTP(u *url.URL, from string) (*SMTP, error) {
	if u.Host == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("the SMTP URL must look like smtp://user:password@mail.example.net:587 or smtps://mail.example.net")
	}
	sender, err := mail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("the sender %q is no mail address", clip(from))
	}
	_, domain, _ := strings.Cut(sender.Address, "@")
	s := &SMTP{host: u.Hostname(), from: from, domain: domain, options: []gomail.Option{gomail.WithTimeout(sendTimeout)}}
	password, hasPassword := u.User.Password()
	switch {
	case u.Scheme == "smtps":
		s.options = append(s.options, gomail.WithSSLPort(false))
	case hasPassword:
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	}
	if hasPassword {
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	if p := u.Port(); p != "" {
		port, err := strconv.Atoi(p)
		if err != nil {
			return nil, fmt.Errorf("the SMTP URL's port: %w", err)
		}
		s.options = append(s.options, gomail.WithPort(port))
	}
	return s, nil
}

// RefusesRecipient says of an error of Send that the server wants no mail for the
// recipient, now or later: it is not the server that is at fault.
func RefusesRecipient(err error) bool {
	refused, ok := errors.AsType[*gomail.SendError](err)
	return ok && refused.Reason == gomail.ErrSMTPRcptTo && !refused.IsTemp()
}

// Send hands a mail to the server, and fails where the server does not take it.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	msg := gomail.NewMsg()
	if err := msg.From(s.from); err != nil {
		return fmt.Errorf("mail: sender: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return fmt.Errorf("mail: recipient: %w", err)
	}
	msg.Subject(m.Subject)
	if m.ID == "" {
		msg.SetMessageID()
	} else {
		msg.SetMessageIDWithValue(m.ID + "@" + s.domain)
	}
	msg.SetDate()
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	client, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		if _, unreachable := errors.AsType[*net.OpError](err); unreachable {
			return fmt.Errorf("the mail server %s can't be reached: %w", s.host, err)
		}
		return fmt.Errorf("the mail server %s did not take the mail: %w", s.host, err)
	}
	return nil
}
