package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// Tenant is one client's Microsoft 365 directory.
type Tenant struct{ ent.Schema }

// Annotations of the entity.
func (Tenant) Annotations() []schema.Annotation { return table("tenants") }

// Mixin of the entity.
func (Tenant) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}} }

// Fields of the entity.
func (Tenant) Fields() []ent.Field {
	return []ent.Field{
		identified("tenant"),
		field.String("name").NotEmpty().MaxRuneLen(200),
		field.String("name_key").NotEmpty().MaxRuneLen(200).Comment("the name as it is compared: lower case"),
		field.String("microsoft_tenant_id").Optional().Nillable().MaxLen(36).Comment("lower-case GUID of the directory"),
		field.Enum("lifecycle").
			NamedValues(
				"NotProtected", "NOT_PROTECTED",
				"Onboarding", "ONBOARDING",
				"Baselining", "BASELINING",
				"Monitoring", "MONITORING",
				"Paused", "PAUSED",
				"Removed", "REMOVED",
			).Default("NOT_PROTECTED"),
		field.Bool("sensitive").Default(false),
		field.Time("created_at").Immutable(),
	}
}

// Edges of the entity.
func (Tenant) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("accounts", Account.Type),
		edge.To("incidents", Incident.Type),
		edge.To("companyMappings", CompanyMapping.Type),
	}
}

// Indexes of the entity.
func (Tenant) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "name_key").Unique(),
		// One directory belongs to one tenant of one organization.
		index.Fields("microsoft_tenant_id").Unique(),
	}
}
