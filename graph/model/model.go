// Package model holds the Go side of API types that no other package has:
// scalars, connections, and views that turn "the record does not say" into
// null. Inputs and payloads are generated (inputs_gen.go); everything else of
// the schema is bound to the entities themselves (gqlgen.yml).
//
// What may not live here: reading or changing anything.
package model

import (
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/collector"
	"github.com/cairn-itdr/cairn/internal/detect"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// Node is anything with an id that node(id) finds: an entity or a view.
type Node any

// TimelineEntry is one entry of an incident's timeline.
type TimelineEntry interface {
	// Place is where it stands in the timeline: its time, then its id.
	Place() (occurredAt time.Time, id string)
}

// TimelineEvidence is an activity that findings of the incident cite.
type TimelineEvidence struct {
	IncidentID string
	Activity   *Activity
}

// ID is one that the activity has in this incident's timeline alone: clients
// that cache by id must not take one incident's evidence for another's.
func (e *TimelineEvidence) ID() string {
	return typeid.Derived("evidence", e.IncidentID, e.Activity.ID)
}

// OccurredAt is when it happened.
func (e *TimelineEvidence) OccurredAt() time.Time { return e.Activity.OccurredAt }

// Place of the entry.
func (e *TimelineEvidence) Place() (time.Time, string) { return e.OccurredAt(), e.Activity.ID }

// IncidentEvent is a step in an incident's life.
type IncidentEvent struct{ *ent.IncidentEvent }

// OccurredAt is when it happened.
func (e *IncidentEvent) OccurredAt() time.Time { return e.At }

// Place of the entry.
func (e *IncidentEvent) Place() (time.Time, string) { return e.At, e.ID }

// FailedAttackSummary names the failed attacks to add up.
type FailedAttackSummary struct {
	From, To  time.Time // whole days, UTC: [From, To)
	TenantIDs []string  // Cairn's ids; nil for every tenant
}

// FailedAttackDay is the attempts of a day.
type FailedAttackDay struct {
	Day      time.Time
	Attempts int
}

// FailedAttackCountry is the attempts from a country.
type FailedAttackCountry struct {
	Country  *string
	Attempts int
}

// FailedAttackByTactic is the attempts of a tactic.
type FailedAttackByTactic struct {
	Tactic   detect.Tactic
	Attempts int
}

// FailedAttackAccount is the attempts against an account.
type FailedAttackAccount struct {
	AccountID     string
	Attempts      int
	PasswordKnown bool
	LastAt        time.Time
}

// AuditEntry is an entry of the audit log as the viewer may see it.
type AuditEntry struct {
	*ent.AuditEntry

	PrincipalID, PrincipalName string
	Address                    *string
}

// TenantHealthCheck is something that keeps Cairn from seeing all of a tenant.
type TenantHealthCheck struct {
	Source  collector.Source
	Reason  string
	Message string
	Since   time.Time
}
