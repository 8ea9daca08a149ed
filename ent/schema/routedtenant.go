package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// RoutedTenant is a tenant that the routes of a PSA connection name.
type RoutedTenant struct{ ent.Schema }

// Annotations of the entity.
func (RoutedTenant) Annotations() []schema.Annotation {
	return table("routed_tenants", access.Rows{Read: access.PSARead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (RoutedTenant) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (RoutedTenant) Fields() []ent.Field {
	return []ent.Field{
		identified("route"),
		field.String("connection_id").MaxLen(64).Immutable(),
	}
}

// Edges of the entity.
func (RoutedTenant) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("connection", PSAConnection.Type).Ref("routedTenants").Field("connection_id").Unique().Required().Immutable(),
	}
}

// Indexes of the entity.
func (RoutedTenant) Indexes() []ent.Index {
	return []ent.Index{index.Fields("connection_id", "tenant_id").Unique()}
}
