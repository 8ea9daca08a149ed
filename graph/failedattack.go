package graph

import (
	"context"
	"fmt"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/failedattack"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/detect"
)

const (
	day           = 24 * time.Hour
	defaultPeriod = 30 * day
)

// failedAttackSummary names what is to be added up. Attempts are stored by
// day, so the period is widened to whole days.
func failedAttackSummary(tenantIDs []string, period model.DateTimeRange, now time.Time) (*model.FailedAttackSummary, error) {
	if err := checkRange("period", &period); err != nil {
		return nil, err
	}
	s := &model.FailedAttackSummary{TenantIDs: tenantIDs, To: now.UTC().Truncate(day).Add(day)}
	if period.To != nil {
		s.To = period.To.UTC().Add(day - 1).Truncate(day)
	}
	s.From = s.To.Add(-defaultPeriod)
	if period.From != nil {
		s.From = period.From.UTC().Truncate(day)
	}
	return s, nil
}

func (r *Resolver) failedAttacks(s *model.FailedAttackSummary) *ent.FailedAttackQuery {
	q := r.DB.Client().FailedAttack.Query().Where(failedattack.DayGTE(s.From), failedattack.DayLT(s.To))
	if s.TenantIDs != nil {
		q.Where(failedattack.TenantIDIn(s.TenantIDs...))
	}
	return q
}

// attempts adds attempts up, under the name attempts.
func attempts() ent.AggregateFunc { return ent.As(ent.Sum(failedattack.FieldAttempts), "attempts") }

// most puts the largest number of attempts first, then orders by the column.
func most(column string) failedattack.OrderOption {
	return func(s *sql.Selector) {
		s.OrderExpr(sql.Expr("SUM("+s.C(failedattack.FieldAttempts)+") DESC"), sql.Expr(s.C(column)))
	}
}

func (r *Resolver) failedAttackTotal(ctx context.Context, s *model.FailedAttackSummary) (int, error) {
	days, err := r.failedAttackDays(ctx, s)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, d := range days {
		total += d.Attempts
	}
	return total, nil
}

func (r *Resolver) failedAttackDays(ctx context.Context, s *model.FailedAttackSummary) ([]*model.FailedAttackDay, error) {
	var rows []*model.FailedAttackDay
	err := r.failedAttacks(s).Order(failedattack.ByDay()).GroupBy(failedattack.FieldDay).Aggregate(attempts()).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("failed attacks by day: %w", err)
	}
	return rows, nil
}

func (r *Resolver) failedAttackCountries(ctx context.Context, s *model.FailedAttackSummary) ([]*model.FailedAttackCountry, error) {
	var rows []*model.FailedAttackCountry
	err := r.failedAttacks(s).Order(most(failedattack.FieldCountry)).
		GroupBy(failedattack.FieldCountry).Aggregate(attempts()).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("failed attacks by country: %w", err)
	}
	for _, row := range rows {
		if value(row.Country) == "" {
			row.Country = nil
		}
	}
	return rows, nil
}

func (r *Resolver) failedAttackTactics(ctx context.Context, s *model.FailedAttackSummary) ([]*model.FailedAttackByTactic, error) {
	var rows []struct {
		Tactic   detect.Tactic
		Attempts int
	}
	err := r.failedAttacks(s).Order(most(failedattack.FieldTactic)).
		GroupBy(failedattack.FieldTactic).Aggregate(attempts()).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("failed attacks by tactic: %w", err)
	}
	out := make([]*model.FailedAttackByTactic, len(rows))
	for i, row := range rows {
		out[i] = &model.FailedAttackByTactic{Tactic: row.Tactic, Attempts: row.Attempts}
	}
	return out, nil
}

func (r *Resolver) failedAttackAccounts(ctx context.Context, s *model.FailedAttackSummary, first int) ([]*model.FailedAttackAccount, error) {
	if first < 1 || first > maxPage {
		return nil, badInput("first: %d is not between 1 and %d", first, maxPage)
	}
	var rows []struct {
		AccountID     string `sql:"account_id"`
		Attempts      int    `sql:"attempts"`
		PasswordKnown int    `sql:"password_known"`
		LastAt        latest `sql:"last_at"`
	}
	known := func(s *sql.Selector) string {
		return sql.As("MAX(CASE WHEN "+s.C(failedattack.FieldPasswordKnown)+" THEN 1 ELSE 0 END)", "password_known")
	}
	err := r.failedAttacks(s).Where(failedattack.AccountIDNEQ("")).Order(most(failedattack.FieldAccountID)).Limit(first).
		GroupBy(failedattack.FieldAccountID).
		Aggregate(attempts(), known, ent.As(ent.Max(failedattack.FieldLastAt), "last_at")).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("failed attacks by account: %w", err)
	}
	out := make([]*model.FailedAttackAccount, len(rows))
	for i, row := range rows {
		loadersOf(ctx).accounts.expect(row.AccountID)
		out[i] = &model.FailedAttackAccount{
			AccountID: row.AccountID, Attempts: row.Attempts, PasswordKnown: row.PasswordKnown > 0, LastAt: time.Time(row.LastAt),
		}
	}
	return out, nil
}

// latest is the result of MAX over times, which SQLite no longer knows to be a
// time: it gives the microseconds it stores.
type latest time.Time

// Scan reads a time or microseconds.
func (l *latest) Scan(v any) error {
	switch v := v.(type) {
	case time.Time:
		*l = latest(v.UTC())
	case int64:
		*l = latest(time.UnixMicro(v).UTC())
	default:
		return fmt.Errorf("latest time: unexpected %T", v)
	}
	return nil
}
