package notification

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/notificationmail"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/literal"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/work"
)

// send sends one mail, and says how it went.
func (s *Service) send(ctx context.Context, c *work.Claim) work.Outcome {
	row, err := s.DB.Client().NotificationMail.Query().Where(notificationmail.ID(c.ID)).WithMember().
		WithIncident(func(q *ent.IncidentQuery) { q.WithTenant().WithAccount() }).Only(ctx)
	if err != nil {
		return work.Outcome{Err: fmt.Errorf("read mail %s: %w", c.ID, err)}
	}
	if row.State == notificationmail.StateSent || row.State == notificationmail.StateCancelled {
		return work.Outcome{} // killed after it was written
	}
	needless, err := s.needless(ctx, row)
	if err != nil {
		return work.Outcome{Err: err}
	}
	if needless != "" {
		return s.ends(row, func(u *ent.NotificationMailUpdateOne) {
			u.SetState(notificationmail.StateCancelled)
			if row.LastError == "" { // else that is why
				u.SetLastError(needless).SetLastErrorAt(s.Now())
			}
		})
	}
	s.at("mail begun")
	sending, cancel := context.WithTimeout(ctx, s.Pace.Send)
	err = s.Mailer.Send(sending, s.message(row))
	cancel()
	s.at("mail sent")
	if err != nil {
		return s.failed(ctx, row, err)
	}
	return s.ends(row, func(u *ent.NotificationMailUpdateOne) {
		u.SetState(notificationmail.StateSent).SetSentAt(s.Now()).SetLastError("").ClearLastErrorAt()
	})
}

// needless says why a mail is not to be sent any more, "" where it is.
func (s *Service) needless(ctx context.Context, row *ent.NotificationMail) (string, error) {
	m, i := row.Edges.Member, row.Edges.Incident
	switch {
	case s.Now().Sub(row.CreatedAt) > s.Pace.Stale:
		return fmt.Sprintf("It could not be sent for %s: it is too late now.", s.Pace.Stale), nil
	case !worth(i):
		return "The incident was dealt with before the mail was sent.", nil
	case !s.Members.IsActive(m):
		return "The member's access has ended.", nil
	}
	wants, err := s.wants(ctx, m, i.ID)
	if err != nil || wants {
		return "", err
	}
	return "The member does not see the incident any more, or wants no mails for incidents.", nil
}

// ends writes how a mail ended, with the end of its claim.
func (s *Service) ends(row *ent.NotificationMail, set func(*ent.NotificationMailUpdateOne)) work.Outcome {
	return work.Outcome{Record: func(ctx context.Context, tx *database.Tx, _ work.Settled) error {
		u := tx.Client.NotificationMail.UpdateOneID(row.ID)
		set(u)
		s.changed(tx, row.OrganizationID, row.TenantID, row.ID)
		return u.Exec(ctx)
	}}
}

// failed says what a failure to send means. A recipient that the server refuses
// is the row's own; everything else is the server's, and rests the organization.
func (s *Service) failed(ctx context.Context, row *ent.NotificationMail, cause error) work.Outcome {
	final := mail.RefusesRecipient(cause)
	out := work.Outcome{Err: cause, Final: final}
	if !final {
		out.Blame, out.Reason, out.Plain = mailLimit, "MAIL_SERVER", errors.Is(cause, mail.ErrNotConfigured)
		out.Again = row.CreatedAt.Add(s.Pace.Stale + time.Second) // then it is over
	}
	s.Logger.WarnContext(ctx, "a mail about an incident was not taken", "mail", row.ID, "member", row.MemberID, "incident", row.IncidentID, "final", final, "error", cause)
	out.Record = func(ctx context.Context, tx *database.Tx, settled work.Settled) error {
		state := notificationmail.StateRetrying
		if settled.Next == nil {
			state = notificationmail.StateFailed
		}
		s.changed(tx, row.OrganizationID, row.TenantID, row.ID)
		return tx.Client.NotificationMail.UpdateOneID(row.ID).SetState(state).
			SetLastError(cut(literal.Text(cause.Error()), maxError)).SetLastErrorAt(s.Now()).Exec(ctx)
	}
	return out
}

// maxError is how much of an error is kept, maxExplanation how much of an
// incident's explanation a mail repeats, and maxTitle of its title, in characters.
const (
	maxError       = 1000
	maxExplanation = 4000
	maxTitle       = 150
)

// message is the mail. It holds what attackers wrote: that stands literally and
// can be clicked nowhere; the one link leads to Cairn.
func (s *Service) message(row *ent.NotificationMail) mail.Message {
	i := row.Edges.Incident
	title := strings.ReplaceAll(literal.Text(i.Title), "\n", " ")
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "%s\n\n", title)
	line("Severity", string(i.Severity))
	line("Tenant", literal.Text(i.Edges.Tenant.Name))
	if i.Edges.Account != nil {
		line("Account", literal.Text(i.Edges.Account.Principal))
	}
	line("First act of the attacker", stamp(i.OccurredAt))
	line("Last act seen", stamp(i.LastActivityAt))
	line("Detected", stamp(i.DetectedAt))
	fmt.Fprintf(&b, "\n%s\n\n", cut(literal.Text(i.Explanation), maxExplanation))
	fmt.Fprintf(&b, "In Cairn: %s\nIncident id: %s\n\n", s.Link(pagePath), i.ID)
	b.WriteString("You get this mail because you want to hear of new live incidents. You can change that in Cairn.\n")
	contained := ""
	if i.Status == incident.StatusContained {
		contained = "contained "
	}
	return mail.Message{
		ID: row.ID, To: row.Edges.Member.Email, Text: b.String(),
		Subject: cut(fmt.Sprintf("[%s] Live %sincident #%d: %s", i.Severity, contained, i.Number, title), maxTitle),
	}
}

// pagePath is the page where an incident can be looked up by its id.
const pagePath = "/explorer/"

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// cut shortens a text to so many characters.
func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
