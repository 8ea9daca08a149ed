package collect

import (
	"context"
	"fmt"
	"strings"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/ent/collector"
	entconnection "github.com/cairn-itdr/cairn/ent/microsoftconnection"
	enttenant "github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/integrations/microsoft365"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
)

// readDirectory keeps the tenant's accounts as the directory has them: all at
// first, then what changed. A forgotten place means reading all again.
func (r *reading) readDirectory(ctx context.Context) error {
	if err := r.readPlans(ctx); err != nil {
		return err
	}
	place := r.row.Place
	for page, err := range r.directory.UserChanges(ctx, place) {
		if microsoft365.Is(err, microsoft365.ReasonResync) && place != "" {
			if err := r.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
				return tx.Client.Collector.UpdateOneID(r.row.ID).SetPlace("").Exec(ctx)
			}); err != nil {
				return fmt.Errorf("begin the directory again: %w", err)
			}
			r.row.Place = ""
			return r.readDirectory(ctx)
		}
		if err != nil {
			return err
		}
		err := r.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
			for _, u := range page.Users {
				if err := r.storeUser(ctx, tx, u); err != nil {
					return err
				}
			}
			if page.Delta == "" {
				return nil
			}
			return tx.Client.Collector.UpdateOneID(r.row.ID).SetPlace(page.Delta).SetReadUntil(r.Now()).Exec(ctx)
		})
		if err != nil {
			return fmt.Errorf("store accounts: %w", err)
		}
	}
	return nil
}

// readPlans notes whether the tenant has a sign-in log; its sign-in collectors
// begin again once it has.
func (r *reading) readPlans(ctx context.Context) error {
	plans, err := r.directory.Plans(ctx)
	if err != nil {
		return err
	}
	connection, err := r.connection(ctx, r.tenant.ID)
	if err != nil || connection == nil || connection.Premium != nil && *connection.Premium == plans.P1 {
		return err
	}
	err = r.claim.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		if err := tx.Client.MicrosoftConnection.UpdateOneID(connection.ID).SetPremium(plans.P1).Exec(ctx); err != nil {
			return err
		}
		if !plans.P1 {
			return nil
		}
		ids, err := tx.Client.Collector.Query().Where(collector.TenantID(r.tenant.ID),
			collector.SourceIn(collector.SourceSignIns, collector.SourceNonInteractiveSignIns)).IDs(ctx)
		if err != nil {
			return err
		}
		return r.Work.Restart(ctx, tx, collectors, ids...)
	})
	if err != nil {
		return fmt.Errorf("note what the tenant has licensed: %w", err)
	}
	return nil
}

// withoutPremium notes that Microsoft refused the sign-in log for want of P1.
func (r *reading) withoutPremium(ctx context.Context, tx *database.Tx) error {
	_, err := tx.Client.MicrosoftConnection.Update().
		Where(entconnection.TenantID(r.tenant.ID), entconnection.DisconnectedAtIsNil()).SetPremium(false).Save(ctx)
	if err != nil {
		return fmt.Errorf("note that the tenant has no sign-in log: %w", err)
	}
	return r.advance(ctx, tx)
}

// storeUser makes an account what the directory says of it. Logs may have named
// it before, by its user principal name or its object id.
func (r *reading) storeUser(ctx context.Context, tx *database.Tx, u microsoft365.User) error {
	objectID := strings.ToLower(u.ObjectID)
	of := tx.Client.Account.Query().Where(account.TenantID(r.tenant.ID))
	row, err := of.Clone().Where(account.ObjectID(objectID)).First(ctx)
	principal := activity.Principal(u.UserPrincipalName)
	if ent.IsNotFound(err) && principal != "" {
		row, err = of.Where(account.Principal(principal)).First(ctx)
	}
	now := r.Now()
	switch {
	case ent.IsNotFound(err) && (u.Removed || principal == ""):
		return nil // it came and went between two readings
	case ent.IsNotFound(err):
		row, err = tx.Client.Account.Create().SetOrganizationID(r.tenant.OrganizationID).SetTenantID(r.tenant.ID).
			SetPrincipal(principal).SetKind(account.KindMember).SetCreatedAt(now).Save(ctx)
	}
	if err != nil {
		return fmt.Errorf("account %s: %w", objectID, err)
	}
	update := tx.Client.Account.UpdateOne(row).SetObjectID(objectID).SetDirectoryReadAt(now)
	if u.Removed {
		if row.DeletedAt == nil {
			update.SetDeletedAt(now)
		}
		return update.Exec(ctx)
	}
	update.ClearDeletedAt()
	if u.Has("displayName") {
		update.SetDisplayName(u.DisplayName)
	}
	if u.Has("accountEnabled") {
		update.SetEnabled(u.Enabled)
	}
	if u.Has("onPremisesSyncEnabled") {
		update.SetSynced(u.Synced)
	}
	if u.Has("assignedLicenses") {
		update.SetLicences(u.SKUs)
	}
	if u.Has("lastPasswordChangeDateTime") && !u.PasswordChangedAt.IsZero() {
		update.SetPasswordChangedAt(u.PasswordChangedAt)
	}
	if u.Has("userType") && row.Kind != account.KindSharedMailbox && row.Kind != account.KindRoom && row.Kind != account.KindEquipment {
		if strings.EqualFold(u.UserType, "Guest") {
			update.SetKind(account.KindGuest)
		} else if row.Kind == account.KindGuest {
			update.SetKind(account.KindMember)
		}
	}
	if err := update.Exec(ctx); err != nil {
		return fmt.Errorf("account %s: %w", objectID, err)
	}
	return nil
}

// advance moves the tenant along its life: once all that can be read of its past
// has been, it is learned from for a while, and then watched. Where the past
// reaches far enough it has taught that already.
func (r *reading) advance(ctx context.Context, tx *database.Tx) error {
	t, err := tx.Client.Tenant.Get(ctx, r.tenant.ID)
	if err != nil {
		return fmt.Errorf("read the tenant: %w", err)
	}
	if t.Lifecycle != enttenant.LifecycleOnboarding && t.Lifecycle != enttenant.LifecycleBaselining {
		return nil
	}
	rows, err := tx.Client.Collector.Query().Where(collector.TenantID(t.ID)).All(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant's collectors: %w", err)
	}
	for _, c := range rows {
		if c.CaughtUpAt == nil && c.ID != r.row.ID && c.FailingSince == nil { // what fails is shown, and holds nothing up
			return nil
		}
	}
	connection, err := tx.Client.MicrosoftConnection.Query().Where(entconnection.TenantID(t.ID), entconnection.DisconnectedAtIsNil()).Only(ctx)
	if err != nil {
		return fmt.Errorf("read the tenant's connection: %w", err)
	}
	now := r.Now()
	next := enttenant.LifecycleBaselining
	learned := r.row.LastRecordAt != nil && connection.Premium != nil && *connection.Premium // 30 days of sign-ins
	if learned || !now.Before(connection.ConsentedAt.Add(r.Pace.Baseline)) {
		next = enttenant.LifecycleMonitoring
	}
	if next == t.Lifecycle {
		return nil
	}
	if err := tx.Client.Tenant.UpdateOne(t).SetLifecycle(next).Exec(ctx); err != nil {
		return fmt.Errorf("move the tenant to %s: %w", next, err)
	}
	if connection.CaughtUpAt == nil {
		if err := tx.Client.MicrosoftConnection.UpdateOne(connection).SetCaughtUpAt(now).Exec(ctx); err != nil {
			return fmt.Errorf("note that the past was read: %w", err)
		}
	}
	r.Feed.Note(tx, change.Change{OrganizationID: t.OrganizationID, TenantID: t.ID, What: change.Tenant, ObjectID: t.ID})
	return audit.Write(ctx, tx, now, audit.Entry{
		Action: "tenantLifecycle", TenantID: t.ID, ObjectID: t.ID, Result: audit.OK, Detail: string(t.Lifecycle) + " to " + string(next),
	})
}
