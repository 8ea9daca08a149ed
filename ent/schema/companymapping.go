package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// CompanyMapping says which company of a PSA a tenant is.
type CompanyMapping struct{ ent.Schema }

// Annotations of the entity.
func (CompanyMapping) Annotations() []schema.Annotation {
	return table("company_mappings", access.Rows{Read: access.PSARead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (CompanyMapping) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (CompanyMapping) Fields() []ent.Field {
	return []ent.Field{
		identified("mapping"),
		field.String("connection_id").MaxLen(64).Immutable(),
		field.String("company_id").NotEmpty(),
		field.String("company_name"),
		field.Time("updated_at"),
	}
}

// Edges of the entity.
func (CompanyMapping) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("connection", PSAConnection.Type).Ref("mappings").Field("connection_id").Unique().Required().Immutable(),
	}
}

// Indexes of the entity.
func (CompanyMapping) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("connection_id", "tenant_id").Unique(),
		index.Fields("tenant_id"),
	}
}
