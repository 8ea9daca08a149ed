package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/cairn-itdr/cairn/internal/access"
)

// PSAConnection is an organization's access to a PSA, and what Cairn knows of
// how it answers. A disconnected one stays for the tickets made through it.
type PSAConnection struct{ ent.Schema }

// Annotations of the entity.
func (PSAConnection) Annotations() []schema.Annotation {
	return table("psa_connections", access.Rows{Read: access.PSARead})
}

// Mixin of the entity.
func (PSAConnection) Mixin() []ent.Mixin { return []ent.Mixin{organizationOwned{}, due{}} }

// Fields of the entity.
func (PSAConnection) Fields() []ent.Field {
	return []ent.Field{
		identified("psaconnection"),
		field.String("kind").NotEmpty().Immutable().Comment("the adapter that speaks to it: CONNECTWISE"),
		field.String("account").NotEmpty().Immutable().Comment("host and account, as the adapter names them: what is connected anew goes on with the tickets it has"),
		field.String("name").NotEmpty().MaxRuneLen(200),
		field.JSON("fields", map[string]string{}).Comment("what the adapter needs to reach it and may be shown"),
		field.Bytes("credentials").Sensitive().Comment("what must not be shown, sealed (package secret)"),
		field.JSON("settings", map[string]string{}).Comment("chosen ids by ticketing.Setting"),
		field.String("default_company_id").Default("").Comment("for tenants without a mapping; empty: they wait"),
		field.String("default_company_name").Default(""),
		field.Int("calls_per_minute").Positive().Comment("the budget of calls"),
		field.Bool("public_notes").Default(false).Comment("notes of published incidents can be read by the company's people"),
		field.Enum("on_close").NamedValues(
			"Nothing", "NOTHING",
			"Ask", "ASK",
			"Remediate", "REMEDIATE",
		).Default("ASK").Comment("what closing a ticket in the PSA does to its incident"),
		field.Enum("routes").NamedValues(
			"All", "ALL",
			"Only", "ONLY",
			"Except", "EXCEPT",
		).Default("ALL").Comment("the tenants whose incidents become tickets here: all, only the routed ones, all but them"),
		field.Strings("routed_tenants").Optional().Comment("the tenants that the routes name: in this row, so that both are read at one moment"),
		field.Time("routed_at").Optional().Nillable().Comment("when the routes changed last: incidents of before keep the tickets they have"),
		field.Time("created_at").Immutable(),
		field.Time("updated_at"),
		field.Time("disconnected_at").Optional().Nillable(),

		// How it answers.
		field.String("last_error").Default(""),
		field.String("last_error_reason").Default("").Comment("psa.Reason"),
		field.Time("last_error_at").Optional().Nillable(),
		field.Time("last_success_at").Optional().Nillable(),

		// How far it has been read.
		field.Time("changes_since").Optional().Nillable().Comment("changes of tickets before it have been read, by the PSA's clock"),
		field.Time("next_probe_at").Optional().Nillable().Comment("when to ask next for tickets that no poll shows: deleted, moved"),
		field.Bytes("callback_secret").Optional().Sensitive().Comment("what the PSA proves itself with when it calls, sealed"),
		field.String("callback_error").Default("").Comment("why the PSA does not call, in words for people; polls do without"),
		field.Time("callbacks_at").Optional().Nillable().Comment("when the PSA's callbacks were last seen in order"),
	}
}

// Edges of the entity.
func (PSAConnection) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("mappings", CompanyMapping.Type),
		edge.To("tickets", Ticket.Type),
	}
}

// Indexes of the entity.
func (PSAConnection) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("organization_id", "created_at", "id"),
		index.Fields("organization_id", "kind", "account").Unique(),
	}
}
