package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// Session is a browser in which a member is signed in. The token in its cookie
// is stored nowhere.
type Session struct{ ent.Schema }

// Annotations of the entity.
func (Session) Annotations() []schema.Annotation {
	return table("sessions", access.Rows{Principal: "member_id"})
}

// Mixin of the entity.
func (Session) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}} }

// Fields of the entity.
func (Session) Fields() []ent.Field {
	return []ent.Field{
		identified("session"),
		field.String("member_id").MaxLen(64).Immutable(),
		field.Bytes("hash").Sensitive().Unique().Immutable().Comment("SHA-256 of the token"),
		field.String("address").Immutable().Comment("where it was signed in from"),
		field.String("user_agent").MaxLen(500).Immutable(),
		field.Time("created_at").Immutable(),
		field.Time("last_seen_at").Comment("to the minute or so"),
		field.Time("expires_at").Immutable(),
		field.Time("ended_at").Optional().Nillable(),
	}
}

// Indexes of the entity.
func (Session) Indexes() []ent.Index {
	return []ent.Index{index.Fields("member_id", "created_at", "id"), index.Fields("expires_at")}
}
