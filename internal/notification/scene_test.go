package notification_test

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	entincident "github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/notificationmail"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/incident"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/notification"
	"github.com/cairn-itdr/cairn/internal/work"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// scene is an MSP with two tenants, an outbox, and a clock that stands until it
// is put forward.
type scene struct {
	testing.TB

	ctx               context.Context
	db                *database.DB
	work              *work.Runner
	service           *notification.Service
	incidents         *incident.Service
	members           *member.Service
	outbox            *mail.Outbox
	mailer            notification.Mailer
	contoso, fabrikam *ent.Tenant

	mu   sync.Mutex
	now  time.Time
	last int
}

func each(t *testing.T, test func(s *scene)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s := &scene{TB: t, db: db, now: t0}
		s.ctx, _ = databasetest.Organization(t, db, "MSP")
		s.contoso, s.fabrikam = databasetest.Tenant(s.ctx, t, db, "contoso"), databasetest.Tenant(s.ctx, t, db, "fabrikam")
		s.outbox = mail.NewOutbox(s.clock)
		s.mailer = s.outbox
		s.members = member.New(db, s.outbox, link, s.clock)
		s.start()
		test(s)
	})
}

func link(path string) string { return "https://cairn.example" + path }

// start builds the service anew, as a process that starts does.
func (s *scene) start() {
	feed := change.New(s.db, s.clock)
	s.work = work.New(work.Config{DB: s.db, Signals: feed, Now: s.clock, Logger: slog.New(slog.DiscardHandler)})
	s.service = notification.New(notification.Config{
		DB: s.db, Work: s.work, Feed: feed, Members: s.members, Mailer: s.mailer, Link: link,
		Pace: notification.StandardPace, Now: s.clock, Logger: slog.New(slog.DiscardHandler),
	})
	s.service.Register()
	s.incidents = incident.New(s.db, s.clock, s.service.Follow)
}

func (s *scene) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// pass puts the clock forward and works off what has become due.
func (s *scene) pass(by time.Duration) {
	s.Helper()
	s.mu.Lock()
	s.now = s.now.Add(by)
	s.mu.Unlock()
	s.drain()
}

func (s *scene) drain() {
	s.Helper()
	require.NoError(s, s.work.Drain(context.Background(), notification.Queue))
	require.NoError(s, s.work.Drain(context.Background(), notification.MailQueue))
}

// join makes a member.
func (s *scene) join(name string, role access.Role, place ...func(*member.Place)) *ent.Member {
	s.Helper()
	p := member.Place{Role: role}
	for _, f := range place {
		f(&p)
	}
	m, _, err := s.members.Create(s.ctx, name+"@msp.example", name, p)
	require.NoError(s, err)
	return m
}

func in(tenants ...*ent.Tenant) func(*member.Place) {
	return func(p *member.Place) {
		for _, t := range tenants {
			p.Tenants = append(p.Tenants, t.ID)
		}
	}
}

func flagged(f access.Flag) func(*member.Place) {
	return func(p *member.Place) { p.Flags = append(p.Flags, f) }
}

// as acts as a member does.
func (s *scene) as(m *ent.Member) context.Context {
	return access.With(context.Background(), member.Scope(m))
}

// open opens an incident in a tenant, as those who write incidents do.
func (s *scene) open(t *ent.Tenant, change ...func(*ent.IncidentCreate)) *ent.Incident {
	s.Helper()
	var out *ent.Incident
	s.last++
	require.NoError(s, s.db.InTx(s.ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		now := s.clock()
		c := tx.Client.Incident.Create().SetOrganizationID(t.OrganizationID).SetTenantID(t.ID).SetNumber(s.last).SetTitle("Account taken over").
			SetKind(entincident.KindAccountCompromise).SetSeverity(detect.SeverityHigh).SetSeverityRank(3).SetExplanation("because.").
			SetIsLive(true).SetOccurredAt(now).SetLastActivityAt(now).SetDetectedAt(now).SetUpdatedAt(now).SetRevision(1)
		for _, f := range change {
			f(c)
		}
		if out, err = c.Save(ctx); err != nil {
			return err
		}
		return s.service.Follow(ctx, tx, []incident.Changed{{IncidentID: out.ID, TenantID: t.ID, Revision: 1}})
	}))
	return out
}

// told are the incidents that a member got mails for, by number, in order; one
// that came twice is there twice.
func (s *scene) told(m *ent.Member) []int {
	s.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	out := []int{}
	for n := 0; ; n++ {
		got, err := s.outbox.Next(now, m.Email, n)
		if err != nil {
			slices.Sort(out)
			return out
		}
		for number := 1; number <= s.last; number++ {
			if numbered.FindStringSubmatch(got.Subject)[1] == strconv.Itoa(number) {
				out = append(out, number)
			}
		}
	}
}

// mail is the mail about an incident to a member, as its row has it.
func (s *scene) mail(i *ent.Incident, m *ent.Member) *ent.NotificationMail {
	s.Helper()
	row, err := s.db.Client().NotificationMail.Query().Where(notificationmail.IncidentID(i.ID), notificationmail.MemberID(m.ID)).Only(s.ctx)
	require.NoError(s, err)
	return row
}
