package graph_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

// BenchmarkAccess asks for a page of incidents among 5,000 tenants and as many
// assignments of 10,000 members, as an Admin, as a Full Member who sees no
// sensitive tenant, and as a guest of three tenants. The difference to the Admin
// is what access costs a request.
func BenchmarkAccess(b *testing.B) {
	const tenants, members, incidents = 5000, 10_000, 5000
	for _, kind := range []struct {
		name string
		open func(testing.TB) *database.DB
	}{{"SQLite", databasetest.SQLite}, {"PostgreSQL", databasetest.Postgres}} {
		b.Run(kind.name, func(b *testing.B) {
			db := kind.open(b)
			ctx, o := databasetest.Organization(b, db, "MSP")
			require.NoError(b, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
				var made []*ent.TenantCreate
				for i := range tenants {
					name := fmt.Sprint("tenant ", i)
					made = append(made, tx.Client.Tenant.Create().SetOrganizationID(o.ID).SetName(name).SetNameKey(name).SetSensitive(i%100 == 0).SetCreatedAt(now))
				}
				var all []*ent.Tenant
				for len(made) > 0 {
					part, err := tx.Client.Tenant.CreateBulk(made[:500]...).Save(ctx)
					if err != nil {
						return err
					}
					all, made = append(all, part...), made[500:]
				}
				var assigned []*ent.AssignmentCreate
				for i := range members {
					assigned = append(assigned, tx.Client.Assignment.Create().SetOrganizationID(o.ID).SetTenantID(all[i%tenants].ID).
						SetHolderID(fmt.Sprint("member_", i/3)))
				}
				for len(assigned) > 0 {
					if err := tx.Client.Assignment.CreateBulk(assigned[:500]...).Exec(ctx); err != nil {
						return err
					}
					assigned = assigned[500:]
				}
				var found []*ent.IncidentCreate
				for i := range incidents {
					at := now.Add(-time.Duration(i) * time.Minute)
					found = append(found, tx.Client.Incident.Create().SetOrganizationID(o.ID).SetTenantID(all[i].ID).SetNumber(i+1).SetTitle("t").
						SetKind("ACCOUNT_COMPROMISE").SetSeverity("HIGH").SetSeverityRank(3).SetExplanation("e").SetIsLive(true).
						SetOccurredAt(at).SetLastActivityAt(at).SetDetectedAt(at).SetRevision(1).SetUpdatedAt(at))
				}
				for len(found) > 0 {
					if err := tx.Client.Incident.CreateBulk(found[:500]...).Exec(ctx); err != nil {
						return err
					}
					found = found[500:]
				}
				return nil
			}))
			require.NoError(b, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
				_, err := tx.SQL.ExecContext(ctx, "ANALYZE") // as the database does by itself in time
				return err
			}))
			for _, p := range []access.Principal{
				{Kind: access.PrincipalMember, ID: "member_1", Role: access.RoleAdmin},
				{Kind: access.PrincipalMember, ID: "member_1", Role: access.RoleFullMember},
				{Kind: access.PrincipalMember, ID: "member_1", Role: access.RoleExternalGuest},
			} {
				as := access.With(context.Background(), access.Scope{OrganizationID: o.ID, Principal: p})
				b.Run(string(p.Role), func(b *testing.B) {
					for b.Loop() {
						list, err := db.Client().Incident.Query().Order(ent.Desc("detected_at", "id")).Limit(50).All(as)
						require.NoError(b, err)
						require.NotEmpty(b, list)
					}
				})
			}
		})
	}
}
