package notification_test

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	entmember "github.com/cairn-itdr/cairn/ent/member"
	"github.com/cairn-itdr/cairn/ent/notificationmail"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/notification"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

var numbered = regexp.MustCompile(`#(\d+)`)

func unpublished(c *ent.IncidentCreate) { c.SetPublished(false) }

// Ensure those are told who see an incident and want to hear of it, nobody else,
// and each of them once, however often it changes.
func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		live := entmember.MailIncidentsLive
		admin, full := s.join("admin", access.RoleAdmin), s.join("full", access.RoleFullMember)
		reader := s.join("reader", access.RoleFullMember, flagged(access.FlagReadOnly))
		partial := s.join("partial", access.RolePartialMember, in(s.fabrikam))
		guest, silent := s.join("guest", access.RoleExternalGuest, in(s.contoso)), s.join("silent", access.RoleExternalGuest, in(s.contoso))
		sales := s.join("sales", access.RoleSales)
		_, err := s.members.ChooseMail(s.as(guest), &live)
		require.NoError(s, err)
		_, err = s.members.ChooseMail(s.as(sales), &live)
		require.NotNil(s, refusal.From(err))
		none := entmember.MailIncidentsNone
		_, err = s.members.ChooseMail(s.as(full), &none)
		require.NoError(s, err)

		hidden := s.open(s.contoso, unpublished)                                                     // 1
		s.open(s.fabrikam)                                                                           // 2
		s.open(s.contoso, func(c *ent.IncidentCreate) { c.SetIsLive(false) })                        // 3: past
		s.open(s.contoso, func(c *ent.IncidentCreate) { c.SetStatus(entincident.StatusSuperseded) }) // 4: none
		s.drain()
		want := func(m *ent.Member, numbers ...int) {
			s.Helper()
			require.Equal(s, append([]int{}, numbers...), s.told(m), m.Name)
		}
		want(admin, 1, 2)
		want(full)
		want(reader, 2)
		want(partial, 2)
		want(guest)
		want(silent)
		want(sales)

		_, err = s.incidents.Publish(s.ctx, hidden.ID)
		require.NoError(s, err)
		_, err = s.incidents.SetStatus(s.ctx, hidden.ID, entincident.StatusContained, "sessions revoked")
		require.NoError(s, err)
		s.pass(time.Hour)
		want(admin, 1, 2)
		want(reader, 1, 2)
		want(guest, 1)
		want(silent)

		// Whoever comes later is told of what comes later.
		late := s.join("late", access.RoleAdmin)
		_, err = s.incidents.SetStatus(s.ctx, hidden.ID, entincident.StatusOpen, "he is back")
		require.NoError(s, err)
		s.drain()
		want(late)
		_, err = s.members.ChooseMail(s.as(full), nil)
		require.NoError(s, err)
		s.open(s.contoso) // 5
		s.drain()
		want(late, 5)
		want(full, 5)
	})
}

// Ensure what has changed between an incident and its mail counts: who left or
// does not see it any more is not told, nor anybody of what is dealt with.
func TestNotToldAnyMore(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		gone, partial, stays := s.join("gone", access.RoleAdmin), s.join("partial", access.RolePartialMember, in(s.contoso)), s.join("stays", access.RoleAdmin)
		i, solved := s.open(s.contoso), s.open(s.contoso)
		require.NoError(s, s.work.Drain(context.Background(), notification.Queue))
		_, err := s.members.Remove(s.ctx, gone.ID)
		require.NoError(s, err)
		_, err = s.members.Update(s.ctx, partial.ID, member.Place{Role: access.RolePartialMember, Tenants: []string{s.fabrikam.ID}})
		require.NoError(s, err)
		_, err = s.incidents.SetStatus(s.ctx, solved.ID, entincident.StatusFalsePositive, "a test of ours")
		require.NoError(s, err)
		s.drain()
		require.Empty(s, s.told(gone))
		require.Empty(s, s.told(partial))
		require.Equal(s, []int{i.Number}, s.told(stays))
		for m, why := range map[*ent.Member]string{gone: "access has ended", partial: "does not see"} {
			row := s.mail(i, m)
			require.Equal(s, notificationmail.StateCancelled, row.State)
			require.Contains(s, row.LastError, why)
		}
		require.Contains(s, s.mail(solved, stays).LastError, "dealt with")
	})
}

// broken is a mail server that fails as long as it is told to.
type broken struct {
	notification.Mailer

	err   error
	calls int
}

func (b *broken) Send(ctx context.Context, m mail.Message) error {
	b.calls++
	if b.err != nil {
		return b.err
	}
	return b.Mailer.Send(ctx, m)
}

// Ensure a mail server that fails is tried again, less and less often, that it
// shows why, and that it floods nobody when it comes back.
func TestMailServerFails(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		server := &broken{Mailer: s.outbox, err: errors.New("the mail server mail.example can't be reached: https://evil.example")}
		s.mailer = server
		s.start()
		admin := s.join("admin", access.RoleAdmin)
		old := s.open(s.contoso)
		s.drain()
		row := s.mail(old, admin)
		require.Equal(s, notificationmail.StateRetrying, row.State)
		require.Contains(s, row.LastError, "can't be reached")
		require.NotContains(s, row.LastError, "https://evil")
		require.Equal(s, 1, row.Attempts)
		for range 60 {
			s.pass(time.Minute)
		}
		require.Less(s, server.calls, 30, "it backs off")
		fresh := s.open(s.contoso)
		server.err = nil
		for range 20 {
			s.pass(time.Minute)
		}
		require.Equal(s, []int{old.Number, fresh.Number}, s.told(admin))
		row = s.mail(old, admin)
		require.Equal(s, notificationmail.StateSent, row.State)
		require.Empty(s, row.LastError)
		require.NotNil(s, row.SentAt)
		require.Nil(s, row.NextAttemptAt)

		server.err = mail.ErrNotConfigured
		late := s.open(s.contoso)
		s.drain()
		require.Contains(s, s.mail(late, admin).LastError, "--smtp-url")
		for range 25 {
			s.pass(time.Hour)
		}
		server.err = nil
		s.pass(time.Hour)
		require.Equal(s, []int{old.Number, fresh.Number}, s.told(admin), "a day later nobody is helped by it")
		row = s.mail(late, admin)
		require.Equal(s, notificationmail.StateCancelled, row.State)
		require.Contains(s, row.LastError, "--smtp-url", "that is why")
	})
}

// Ensure a process that ends between any two steps costs no mail, and one more
// with the same id at the most, where it ended before it was written that the
// mail was sent.
func TestKilled(t *testing.T) {
	t.Parallel()
	for where, sent := range map[string]int{"members found": 1, "mails wanted": 1, "mail begun": 1, "mail sent": 2} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			each(t, func(s *scene) {
				admin := s.join("admin", access.RoleAdmin)
				i := s.open(s.contoso)
				s.service.At(func(at string) {
					if at == where {
						runtime.Goexit()
					}
				})
				s.drain()
				s.start()
				s.pass(2 * notification.StandardPace.Lease)
				require.Len(s, s.told(admin), sent)
				require.Equal(s, notificationmail.StateSent, s.mail(i, admin).State)
				s.pass(time.Hour)
				require.Len(s, s.told(admin), sent)
				ids := map[string]bool{}
				for n := range sent {
					m, err := s.outbox.Next(context.Background(), admin.Email, n)
					require.NoError(s, err)
					ids[m.ID] = true
				}
				require.Equal(s, map[string]bool{s.mail(i, admin).ID: true}, ids)
			})
		})
	}
}

// Ensure what attackers wrote stands literally, and the one link is Cairn's.
func TestText(t *testing.T) {
	t.Parallel()
	each(t, func(s *scene) {
		admin := s.join("admin", access.RoleAdmin)
		i := s.open(s.contoso, func(c *ent.IncidentCreate) {
			c.SetTitle("see https://evil.example\r\nBcc: all@msp.example").
				SetExplanation("\x1b[31m\u202e[click](http://evil.example) www.evil.example " + strings.Repeat("🧨", 100_000))
		})
		s.drain()
		m, err := s.outbox.Next(context.Background(), admin.Email, 0)
		require.NoError(s, err)
		require.Equal(s, "[HIGH] Live incident #1: see hxxps[://]evil[.]example  Bcc: all@msp.example", m.Subject)
		require.NotContains(s, m.Text, "evil.example")
		require.NotContains(s, m.Text, "\x1b")
		require.NotContains(s, m.Text, "\u202e")
		require.Less(s, len([]rune(m.Text)), 6000)
		require.Contains(s, m.Text, "https://cairn.example/explorer/")
		require.Contains(s, m.Text, i.ID)
		require.Contains(s, m.Text, "Tenant: contoso")
		require.Equal(s, 1, strings.Count(m.Text, "://")-strings.Count(m.Text, "[://]"))
	})
}
