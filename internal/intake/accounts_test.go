package intake_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
)

// guestRecords are of one account; the user type of one says that it is a guest.
func guestRecords(t testing.TB) (all [][]byte) {
	t.Helper()
	for i, userType := range []int{0, 10, 0} {
		all = append(all, fmt.Appendf(nil, `{"Id":"5e0c1f6a-0000-4000-8000-00000000000%d","CreationTime":"2026-06-19T0%d:00:00",`+
			`"Operation":"FileAccessed","RecordType":6,"UserType":%d,"UserId":"bo@partner.example","UserKey":"bo","Workload":"SharePoint",`+
			`"OrganizationId":"0f3c6a4e-1b2d-4c5e-8f90-123456789abc","ResultStatus":"Succeeded","ObjectId":"x"}`, i, i, userType))
	}
	return all
}

// Ensure an account is a guest where one of its records says so, in whatever
// order they come, at once or one by one, remembered or not.
func TestGuestsInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1, 2}, {1, 0, 2}, {0, 2, 1}} {
		for size := 1; size <= len(order); size++ {
			t.Run(fmt.Sprint(order, " by ", size), func(t *testing.T) {
				t.Parallel()
				databasetest.Each(t, func(t *testing.T, db *database.DB) {
					p := newPlace(t, db)
					in := p.process(clock)
					raw := guestRecords(t)
					for part := range slices.Chunk(order, size) {
						var batch []*activity.Activity
						for _, i := range part {
							a, err := format.Parse(raw[i])
							require.NoError(t, err)
							in.Prepare(p.tenant, &a)
							batch = append(batch, &a)
						}
						p.take(in, batch)
					}
					a, err := db.Client().Account.Query().Only(p.ctx)
					require.NoError(t, err)
					require.Equal(t, account.KindGuest, a.Kind)
				})
			})
		}
	}
}
