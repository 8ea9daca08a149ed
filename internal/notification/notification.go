// Package notification tells members of incidents by mail: of a new live one,
// each member who wants it and sees it, once.
//
// Follow writes one row an incident in the transaction that opens it, or makes
// it live, or publishes it. Package work claims that row, and whoever holds the
// claim finds out which members see the incident: each is asked for in his own
// scope, so that there is no second copy of the rules. Each of them gets a row
// of his own, whose id derives from incident and member: a second one can't be.
// Those rows are claimed in turn and sent, no more at once than a mail server
// bears of one organization.
//
// No mail server can be asked whether it took a mail. A mail is sent again where
// the process ended, or the answer was lost, between the server's taking it and
// its row saying so: at least once, then, and each such end costs one mail more
// at the most, with the same Message-ID, which mailboxes show once.
//
// What may not live here: how a mail is sent (package mail), who sees what
// (package access), the life of incidents.
package notification

import (
	"context"
	"log/slog"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/work"
)

// Mailer sends a mail; an error says why it was not taken.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) error
}

// Members are whom there is to tell.
type Members interface {
	// Active returns the members of the organization of ctx who may sign in now.
	Active(ctx context.Context) ([]*ent.Member, error)
	IsActive(m *ent.Member) bool
}

// Config is what notification needs of the rest.
type Config struct {
	DB      *database.DB
	Work    *work.Runner
	Feed    *change.Feed
	Members Members
	Mailer  Mailer
	// Link makes the address of a page of Cairn's from its path.
	Link   func(path string) string
	Pace   Pace
	Now    func() time.Time
	Logger *slog.Logger
}

// Pace is how long things take. Tests go faster.
type Pace struct {
	// Lease is how long what a killed worker held waits for another; Send how
	// long the sending of one mail takes at the most.
	Lease, Send time.Duration
	// Retry is the first wait after a failed attempt, RetryMost the longest.
	Retry, RetryMost time.Duration
	// Stale is how old a mail may become: what is told later helps nobody, and
	// a mail server that comes back is not to be flooded.
	Stale time.Duration
}

// StandardPace is for real mail servers.
var StandardPace = Pace{Lease: time.Minute, Send: 30 * time.Second, Retry: 10 * time.Second, RetryMost: 15 * time.Minute, Stale: 24 * time.Hour}

const (
	// Queue finds out whom to tell of an incident; the duty's name as well.
	Queue = "notification"
	// MailQueue sends the mails.
	MailQueue = "notification mails"

	// mailLimit is what the mails of an organization keep to.
	mailLimit = "mail"

	notifications = "notifications"
	mails         = "notification_mails"

	workers     = 2
	mailWorkers = 4
	mailPlaces  = 2 // of one organization
)

// Service tells members.
type Service struct {
	Config

	// at is called between any two steps, by name; tests end the process there.
	at func(where string)
}

// New returns the service. Register has its work done.
func New(cfg Config) *Service { return &Service{Config: cfg, at: func(string) {}} }

// Register has the work runner tell members.
func (s *Service) Register() {
	woken := []string{string(change.Notification)}
	s.Work.Register(work.Queue{
		Name: Queue, Table: notifications, Newest: "created_at", Workers: workers, WokenBy: woken,
		Limits: []work.Limit{{Name: Queue, Column: "organization_id", Parallel: 1}},
		Lease:  s.Pace.Lease, Retry: s.Pace.Retry, RetryMost: s.Pace.RetryMost, Run: s.spread,
	})
	s.Work.Register(work.Queue{
		Name: MailQueue, Table: mails, Newest: "created_at", Workers: mailWorkers, WokenBy: woken,
		Limits: []work.Limit{{Name: mailLimit, Column: "organization_id", Parallel: mailPlaces}},
		Lease:  s.Pace.Lease, Retry: s.Pace.Retry, RetryMost: s.Pace.RetryMost, Run: s.send,
	})
}

// changed has whoever sends mails, or shows them, look.
func (s *Service) changed(tx *database.Tx, organizationID, tenantID, id string) {
	s.Feed.Note(tx, change.Change{OrganizationID: organizationID, TenantID: tenantID, What: change.Notification, ObjectID: id})
}
