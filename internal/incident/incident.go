// Package incident turns findings into incidents and leads incidents through
// their life. An incident is one episode of one account; findings join it,
// bridge two of them into one, or are superseded and may leave it empty.
//
// Every change that a person may ask about is an event, written with it in one
// transaction. Whoever mirrors incidents (a ticket, a channel) follows rows: a
// change of the incident or its findings raises the incident's revision, under
// the incident's lock, and an event's sequence is the revision it made. Keep
// the revision last mirrored beside the mirror: incidents whose revision is
// higher have changed, and the events with a higher sequence say how, in order.
// No clock and no lost wake-up comes into it. A revision without an event moved
// only what the timeline shows anyway: evidence, or the time of the last act.
//
// An incident is live when its latest attacker act lay less than 24 hours
// before the incident's detection, or after it; past otherwise. It follows from
// these two times alone, so it is the same in whatever order records came. The
// detection stays; the latest act is the latest of what still holds. So evidence
// that comes late can make a past incident live (the attacker was still there
// when it was detected), never a live one past, unless it disproves the act
// that made it live; and what parts from an incident keeps its detection.
//
// What may not live here: tickets, remediation, notifications, subscriptions.
// They import this package, and learn of changes through rows that their
// Follower writes in its transactions.
package incident

import (
	"context"
	"fmt"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// IDPrefix is the type prefix of incident ids.
const IDPrefix = "incident"

const (
	// episodeGap is how far apart two pieces of evidence may lie and still be
	// one episode (design, section 2).
	episodeGap = 7 * 24 * time.Hour
	// liveWithin is how fresh the attacker's latest act must be at its
	// detection for the incident to be live (design, section 2).
	liveWithin = 24 * time.Hour
)

// Changed says that an incident's revision rose.
type Changed struct {
	IncidentID string
	TenantID   string
	Revision   int // as it is now; a transaction may raise it by several
}

// Follower learns of incidents that changed, within the transaction that
// changes them: their rows are written and locked by it. It writes down what is
// to be done about them, and does nothing slow: others wait for these locks.
// Its error undoes the change. It is told once by every call of the service
// that raised revisions, of each incident once, in the order of their numbers.
type Follower func(ctx context.Context, tx *database.Tx, changed []Changed) error

// Service keeps the incidents.
type Service struct {
	db        *database.DB
	now       func() time.Time
	followers []Follower
}

// New returns the service. The followers are told one after another.
func New(db *database.DB, now func() time.Time, followers ...Follower) *Service {
	return &Service{db: db, now: now, followers: followers}
}

// tell has the followers know.
func (s *Service) tell(ctx context.Context, tx *database.Tx, changed []Changed) error {
	if len(changed) == 0 {
		return nil
	}
	scope, err := access.From(ctx)
	if err != nil {
		return fmt.Errorf("follow the change of incidents: %w", err)
	}
	if !scope.System() {
		// Whoever changed the incident need not see what hangs on it: a guest
		// changes a ticket's incident, and knows no PSA connection.
		ctx = access.System(ctx, "following incidents", scope.OrganizationID)
	}
	for _, follow := range s.followers {
		if err := follow(ctx, tx, changed); err != nil {
			return fmt.Errorf("follow the change of %d incidents: %w", len(changed), err)
		}
	}
	return nil
}

// severityRank orders severities.
var severityRank = map[detect.Severity]int{
	detect.SeverityInfo: 0, detect.SeverityLow: 1, detect.SeverityMedium: 2, detect.SeverityHigh: 3, detect.SeverityCritical: 4,
}

// confidenceRank orders confidences.
var confidenceRank = map[detect.Confidence]int{detect.ConfidenceLow: 0, detect.ConfidenceMedium: 1, detect.ConfidenceHigh: 2}

// live says whether the attacker was at it when it was detected.
func live(lastAct, detected time.Time) bool { return lastAct.After(detected.Add(-liveWithin)) }

// opensIncident says whether a finding by itself asks a person to act. What
// does not still joins an episode that another finding opened.
func opensIncident(severity detect.Severity, confidence detect.Confidence) bool {
	return severityRank[severity] >= severityRank[detect.SeverityMedium] && confidence != detect.ConfidenceLow
}
