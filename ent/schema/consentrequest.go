package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// ConsentRequest is a link by which an administrator may consent, once.
type ConsentRequest struct{ ent.Schema }

// Annotations of the entity.
func (ConsentRequest) Annotations() []schema.Annotation {
	return table("consent_requests", access.Rows{Internal: true})
}

// Mixin of the entity.
func (ConsentRequest) Mixin() []ent.Mixin { return []ent.Mixin{tenantOwned{}} }

// Fields of the entity.
func (ConsentRequest) Fields() []ent.Field {
	return []ent.Field{
		identified("consentrequest"),
		field.Bytes("hash").Sensitive().Unique().Immutable().Comment("SHA-256 of the state that the link carries"),
		field.String("nonce").Sensitive().Immutable().Comment("binds the sign-in that follows to this request"),
		field.String("level").Immutable().Comment("DETECTION or RESPONSE"),
		field.String("principal_id").Immutable().Comment("who asked for it"),
		field.String("principal_name").Immutable(),
		field.Time("created_at").Immutable(),
		field.Time("expires_at").Immutable(),
		field.Time("answered_at").Optional().Nillable().Comment("when Entra sent the administrator back: the sign-in comes next"),
		field.Time("used_at").Optional().Nillable(),
	}
}

// Indexes of the entity.
func (ConsentRequest) Indexes() []ent.Index { return []ent.Index{index.Fields("expires_at")} }
