// Package schema describes the entities. Ids are Cairn's own (typeid), times
// are UTC and set by the code that writes, never by the database.
//
// What may not live here: behaviour. Row scoping is applied to every entity by
// package database, by the presence of the columns these mixins add.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"entgo.io/ent/schema/mixin"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// identified gives an entity its id.
func identified(prefix string) ent.Field {
	return field.String("id").
		MaxLen(64).
		Immutable().
		DefaultFunc(func() string { return typeid.New(prefix) })
}

// table fixes an entity's table name, so that hand-written SQL can rely on it,
// and says how its rows hang on organization, tenant and incident. Generating
// fails for an entity without.
func table(name string, rows access.Rows) []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: name}, rows}
}

// organizationOwned marks rows that belong to one organization.
type organizationOwned struct{ mixin.Schema }

// Fields of the mixin.
func (organizationOwned) Fields() []ent.Field {
	return []ent.Field{field.String("organization_id").MaxLen(64).NotEmpty().Immutable()}
}

// granted are what a member, an invitation and a key may be given.
type granted struct{ mixin.Schema }

// Fields of the mixin.
func (granted) Fields() []ent.Field {
	return []ent.Field{
		field.String("role").GoType(access.Role("")),
		field.Bool("is_read_only").Default(false),
		field.Bool("can_manage_tenants").Default(false),
		field.Bool("can_view_sensitive_tenants").Default(false),
	}
}

// tenantOwned marks rows that belong to one tenant of an organization.
type tenantOwned struct{ mixin.Schema }

// Fields of the mixin.
func (tenantOwned) Fields() []ent.Field {
	return []ent.Field{
		field.String("organization_id").MaxLen(64).NotEmpty().Immutable(),
		field.String("tenant_id").MaxLen(64).NotEmpty().Immutable(),
	}
}

// Edges of the mixin: the foreign key that keeps a row from naming a tenant that is not there.
func (tenantOwned) Edges() []ent.Edge {
	return []ent.Edge{edge.To("tenant", Tenant.Type).Field("tenant_id").Unique().Required().Immutable()}
}

// due marks rows that something is to be done about: package work claims them,
// and it alone writes fence and claimed_until.
type due struct{ mixin.Schema }

// Fields of the mixin.
func (due) Fields() []ent.Field {
	return []ent.Field{
		field.Time("next_attempt_at").Optional().Nillable().Comment("when there is something to do; empty where there is nothing, or a person has to do it"),
		field.Int("urgency").Default(0).Comment("above 0 it goes before all others and has places of its own"),
		field.Int("attempts").Default(0).Comment("failed ones in a row"),
		field.Int("wakes").Default(0).Comment("rises with whatever calls for another look; one that comes during a run leads to another run"),
		field.Int("fence").Default(0).Comment("fencing token: rises with each claim"),
		field.Time("claimed_until").Optional().Nillable().Comment("the lease of who works on it"),
	}
}

// Indexes of the mixin.
func (due) Indexes() []ent.Index {
	return []ent.Index{index.Fields("claimed_until").Annotations(entsql.IndexWhere("claimed_until IS NOT NULL"))}
}
