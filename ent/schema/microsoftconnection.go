package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// MicrosoftConnection is a tenant's consent: from it on the tenant is watched.
type MicrosoftConnection struct{ ent.Schema }

// Annotations of the entity.
func (MicrosoftConnection) Annotations() []schema.Annotation {
	return table("microsoft_connections", access.Rows{Read: access.TenantRead, Tenant: "tenant_id"})
}

// Mixin of the entity.
func (MicrosoftConnection) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (MicrosoftConnection) Fields() []ent.Field {
	return []ent.Field{
		identified("microsoftconnection"),
		field.String("directory").MaxLen(36).Immutable().Comment("lower-case GUID: proven by a token that reads its own organization"),
		field.String("display_name").Comment("as the directory calls itself"),
		field.String("consented_by").Immutable().Comment("the user principal name of the administrator who consented"),
		field.Time("consented_at").Immutable(),
		field.Time("response_consented_at").Optional().Nillable().Comment("when the response application was consented to as well"),
		field.Time("disconnected_at").Optional().Nillable(),
		field.Bool("premium").Optional().Nillable().Comment("whether it has Entra ID P1, and so a sign-in log; empty until asked"),
		field.Time("caught_up_at").Optional().Nillable().Comment("when its past had been read"),
	}
}

// Indexes of the entity.
func (MicrosoftConnection) Indexes() []ent.Index {
	return []ent.Index{
		// A directory is watched by one organization: whom it consented to last
		// must be disconnected first.
		index.Fields("directory").Unique().Annotations(entsql.IndexWhere("disconnected_at IS NULL")),
		index.Fields("tenant_id"),
	}
}
