package graph

import (
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/ent/finding"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/graph/cursor"
	"github.com/cairn-itdr/cairn/graph/model"
)

// The orders lists have; the zero order of the schema's input is the default.

func tenantOrder(by model.TenantOrder) order[*ent.Tenant] {
	if by.Field == model.TenantOrderFieldCreatedAt {
		o := order[*ent.Tenant]{list: "tenants.created", column: tenant.FieldCreatedAt, kind: cursor.Moment}
		o.place = func(t *ent.Tenant) cursor.Place { return cursor.Place{Key: t.CreatedAt, ID: t.ID} }
		return o.directed(by.Direction)
	}
	o := order[*ent.Tenant]{list: "tenants.name", column: tenant.FieldNameKey, kind: cursor.Text}
	o.place = func(t *ent.Tenant) cursor.Place { return cursor.Place{Key: t.NameKey, ID: t.ID} }
	return o.directed(by.Direction)
}

func accountOrder(by model.AccountOrder) order[*ent.Account] {
	if by.Field == model.AccountOrderFieldCreatedAt {
		o := order[*ent.Account]{list: "accounts.created", column: account.FieldCreatedAt, kind: cursor.Moment}
		o.place = func(a *ent.Account) cursor.Place { return cursor.Place{Key: a.CreatedAt, ID: a.ID} }
		return o.directed(by.Direction)
	}
	o := order[*ent.Account]{list: "accounts.principal", column: account.FieldPrincipal, kind: cursor.Text}
	o.place = func(a *ent.Account) cursor.Place { return cursor.Place{Key: a.Principal, ID: a.ID} }
	return o.directed(by.Direction)
}

func incidentOrder(by model.IncidentOrder) order[*ent.Incident] {
	if by.Direction == "" {
		by.Direction = model.OrderDirectionDesc
	}
	var o order[*ent.Incident]
	switch by.Field {
	case model.IncidentOrderFieldOccurredAt:
		o = order[*ent.Incident]{list: "incidents.occurred", column: incident.FieldOccurredAt, kind: cursor.Moment}
		o.place = func(i *ent.Incident) cursor.Place { return cursor.Place{Key: i.OccurredAt, ID: i.ID} }
	case model.IncidentOrderFieldSeverity:
		o = order[*ent.Incident]{list: "incidents.severity", column: incident.FieldSeverityRank, kind: cursor.Number}
		o.place = func(i *ent.Incident) cursor.Place { return cursor.Place{Key: i.SeverityRank, ID: i.ID} }
	case model.IncidentOrderFieldNumber:
		o = order[*ent.Incident]{list: "incidents.number", column: incident.FieldNumber, kind: cursor.Number}
		o.place = func(i *ent.Incident) cursor.Place { return cursor.Place{Key: i.Number, ID: i.ID} }
	default:
		o = order[*ent.Incident]{list: "incidents.detected", column: incident.FieldDetectedAt, kind: cursor.Moment}
		o.place = func(i *ent.Incident) cursor.Place { return cursor.Place{Key: i.DetectedAt, ID: i.ID} }
	}
	return o.directed(by.Direction)
}

var findingOrder = order[*ent.Finding]{
	list: "findings", column: finding.FieldOccurredAt, kind: cursor.Moment,
	place: func(f *ent.Finding) cursor.Place { return cursor.Place{Key: f.OccurredAt, ID: f.ID} },
}

func activityOrder(by model.ActivityOrder) order[*model.Activity] {
	if by.Direction == "" {
		by.Direction = model.OrderDirectionDesc
	}
	return order[*model.Activity]{list: "activities", kind: cursor.Moment, place: placeOfActivity}.directed(by.Direction)
}

var evidenceOrder = order[*model.Activity]{list: "evidence", kind: cursor.Moment, place: placeOfActivity}

func placeOfActivity(a *model.Activity) cursor.Place {
	return cursor.Place{Key: a.OccurredAt, ID: a.ID}
}

// dwellTime is how long the attacker was in, or nil for an incident that was
// closed without being contained. Clocks differ: it is never negative.
func dwellTime(i *ent.Incident, now time.Time) *time.Duration {
	end := now
	switch {
	case i.ContainedAt != nil:
		end = *i.ContainedAt
	case i.Status != incident.StatusOpen:
		return nil
	}
	d := max(end.Sub(i.OccurredAt), 0).Truncate(time.Second)
	return &d
}
