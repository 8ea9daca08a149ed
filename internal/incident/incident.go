// Package incident turns findings into incidents and leads incidents through
// their life. An incident is one episode of one account; findings join it,
// bridge two of them into one, or are superseded and may leave it empty.
//
// What may not live here: tickets, remediation, notifications. They import
// this package and learn of changes through rows written in its transactions.
package incident

import (
	"time"

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

// Service keeps the incidents.
type Service struct {
	db  *database.DB
	now func() time.Time
}

// New returns the service.
func New(db *database.DB, now func() time.Time) *Service { return &Service{db: db, now: now} }

// severityRank orders severities.
var severityRank = map[detect.Severity]int{
	detect.SeverityInfo: 0, detect.SeverityLow: 1, detect.SeverityMedium: 2, detect.SeverityHigh: 3, detect.SeverityCritical: 4,
}

// opensIncident says whether a finding by itself asks a person to act. What
// does not still joins an episode that another finding opened.
func opensIncident(severity detect.Severity, confidence detect.Confidence) bool {
	return severityRank[severity] >= severityRank[detect.SeverityMedium] && confidence != detect.ConfidenceLow
}
