package graph

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"github.com/cairn-itdr/cairn/ent/account"
	"github.com/cairn-itdr/cairn/ent/incident"
	"github.com/cairn-itdr/cairn/ent/predicate"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/graph/model"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/activitylog"
	tenantservice "github.com/cairn-itdr/cairn/internal/tenant"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// Prefixes of ids that no service of their own names.
const (
	accountPrefix      = "account"
	auditPrefix        = "audit"
	eventPrefix        = "event"
	findingPrefix      = "finding"
	organizationPrefix = "organization"
)

// maxValues is how many values a list in a filter may have.
const maxValues = 1000

// maxSearch is the longest text searched for, in bytes.
const maxSearch = 1000

func checkList[T any](name string, list []T) error {
	if len(list) > maxValues {
		return badInput("filter.%s: %d values are more than the %d a list may have", name, len(list), maxValues)
	}
	return nil
}

func checkText(name string, s *string) error {
	if s != nil && len(*s) > maxSearch {
		return badInput("filter.%s: a text has %d bytes at most", name, maxSearch)
	}
	return nil
}

func checkRange(name string, r *model.DateTimeRange) error {
	if r != nil && r.From != nil && r.To != nil && r.To.Before(*r.From) {
		return badInput("filter.%s: to lies before from", name)
	}
	return nil
}

// tenantIDs turns ids of tenants, Cairn's or Microsoft's, into Cairn's. What
// names no tenant of the scope is left out; nil stays nil, for "not given".
func (r *Resolver) tenantIDs(ctx context.Context, name string, refs []string) ([]string, error) {
	if refs == nil {
		return nil, nil
	}
	if err := checkList(name, refs); err != nil {
		return nil, err
	}
	ids := wellFormed(tenantservice.IDPrefix, refs)
	var guids []string
	for _, ref := range refs {
		if id, err := uuid.Parse(ref); err == nil {
			guids = append(guids, id.String())
		}
	}
	if len(guids) == 0 {
		return ids, nil
	}
	found, err := r.DB.Client().Tenant.Query().Where(tenant.MicrosoftTenantIDIn(guids...)).IDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("find tenants: %w", err)
	}
	return append(ids, found...), nil
}

// wellFormed keeps the ids that can be one of a type: the others match
// nothing. Nil stays nil, for "not given".
func wellFormed(prefix string, ids []string) []string {
	if ids == nil {
		return nil
	}
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if typeid.Check(prefix, id) == nil {
			out = append(out, id)
		}
	}
	return out
}

func tenantFilter(f *model.TenantFilter, ids []string) (ps []predicate.Tenant, err error) {
	if f == nil {
		return nil, nil
	}
	if err := checkText("search", f.Search); err != nil {
		return nil, err
	}
	if f.Ids != nil {
		ps = append(ps, tenant.IDIn(ids...))
	}
	if f.Search != nil {
		ps = append(ps, tenant.NameKeyContains(strings.ToLower(*f.Search)))
	}
	if f.Lifecycles != nil {
		ps = append(ps, tenant.LifecycleIn(f.Lifecycles...))
	}
	if f.Sensitive != nil {
		ps = append(ps, tenant.Sensitive(*f.Sensitive))
	}
	return ps, nil
}

func accountFilter(f *model.AccountFilter, tenantIDs []string) (ps []predicate.Account, err error) {
	if f == nil {
		return nil, nil
	}
	if err := checkText("search", f.Search); err != nil {
		return nil, err
	}
	if f.TenantIds != nil {
		ps = append(ps, account.TenantIDIn(tenantIDs...))
	}
	if f.Kinds != nil {
		ps = append(ps, account.KindIn(f.Kinds...))
	}
	if f.Search != nil {
		ps = append(ps, account.PrincipalContains(activity.Principal(*f.Search)))
	}
	return ps, nil
}

func incidentFilter(f *model.IncidentFilter, tenantIDs []string) (ps []predicate.Incident, err error) {
	if f == nil {
		return nil, nil
	}
	for _, err := range []error{
		checkList("accountIds", f.AccountIds), checkText("search", f.Search),
		checkRange("occurredAt", f.OccurredAt), checkRange("detectedAt", f.DetectedAt),
	} {
		if err != nil {
			return nil, err
		}
	}
	if f.TenantIds != nil {
		ps = append(ps, incident.TenantIDIn(tenantIDs...))
	}
	if f.Kinds != nil {
		ps = append(ps, incident.KindIn(f.Kinds...))
	}
	if f.Statuses != nil {
		ps = append(ps, incident.StatusIn(f.Statuses...))
	}
	if f.Severities != nil {
		ps = append(ps, incident.SeverityIn(f.Severities...))
	}
	if f.AccountIds != nil {
		ps = append(ps, incident.AccountIDIn(wellFormed(accountPrefix, f.AccountIds)...))
	}
	if f.Published != nil {
		ps = append(ps, incident.Published(*f.Published))
	}
	if f.IsLive != nil {
		ps = append(ps, incident.IsLive(*f.IsLive))
	}
	ps = append(ps, within(f.OccurredAt, incident.OccurredAtGTE, incident.OccurredAtLT)...)
	ps = append(ps, within(f.DetectedAt, incident.DetectedAtGTE, incident.DetectedAtLT)...)
	if f.Search != nil {
		ps = append(ps, incidentSearch(*f.Search))
	}
	return ps, nil
}

func incidentSearch(s string) predicate.Incident {
	ps := []predicate.Incident{contains(incident.FieldTitle, s), contains(incident.FieldExplanation, s)}
	if n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(s), "#")); err == nil {
		ps = append(ps, incident.Number(n))
	}
	return incident.Or(ps...)
}

func within[P any](r *model.DateTimeRange, from, before func(time.Time) P) (ps []P) {
	if r != nil && r.From != nil {
		ps = append(ps, from(*r.From))
	}
	if r != nil && r.To != nil {
		ps = append(ps, before(*r.To))
	}
	return ps
}

// contains narrows to texts with part in them. ASCII letter case is ignored
// and no other: that is what SQLite's LIKE does, and both databases must agree.
func contains(column, part string) func(*sql.Selector) {
	pattern := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(part) + "%"
	return func(s *sql.Selector) {
		operator := " LIKE "
		if s.Dialect() == dialect.Postgres {
			operator = ` COLLATE "C" ILIKE `
		}
		s.Where(sql.P(func(b *sql.Builder) {
			b.WriteString(s.C(column) + operator).Arg(pattern).WriteString(` ESCAPE '\'`)
		}))
	}
}

// activityFilter translates a filter for the activity log. The second result
// says that nothing can match: a list was given that holds no possible value.
func activityFilter(f model.ActivityFilter, tenantIDs []string) (out activitylog.Filter, nothing bool, err error) {
	out = activitylog.Filter{
		TenantIDs: tenantIDs, AccountIDs: wellFormed(accountPrefix, f.AccountIds),
		Sources: f.Sources, Operations: f.Operations, Results: f.Results,
		Countries: upper(f.Countries), CountriesNot: upper(f.CountriesNot), NetworkKinds: f.NetworkKinds,
		ApplicationIDs: lower(f.ApplicationIds), SessionIDs: f.SessionIds,
		Subject: value(f.Subject), Sender: value(f.Sender), Text: value(f.Text),
	}
	if f.OccurredAt != nil {
		out.From, out.To = value(f.OccurredAt.From), value(f.OccurredAt.To)
	}
	for _, s := range f.Addresses {
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		if err != nil {
			return out, false, badInput("filter.addresses: %q is no IPv4 or IPv6 address", s)
		}
		out.Addresses = append(out.Addresses, a.WithZone(""))
	}
	for _, err := range []error{
		checkRange("occurredAt", f.OccurredAt),
		checkText("subject", f.Subject), checkText("sender", f.Sender), checkText("text", f.Text),
		checkList("accountIds", f.AccountIds), checkList("sources", f.Sources), checkList("operations", f.Operations),
		checkList("results", f.Results), checkList("networkKinds", f.NetworkKinds), checkList("applicationIds", f.ApplicationIds),
		checkList("addresses", f.Addresses), checkList("sessionIds", f.SessionIds),
		checkCountries("countries", out.Countries), checkCountries("countriesNot", out.CountriesNot),
	} {
		if err != nil {
			return out, false, err
		}
	}
	nothing = none(out.TenantIDs) || none(out.AccountIDs) || none(out.Sources) || none(out.Operations) || none(out.Results) ||
		none(out.Countries) || none(out.NetworkKinds) || none(out.ApplicationIDs) || none(f.Addresses) || none(out.SessionIDs)
	return out, nothing, nil
}

// none says that a list was given and has no values.
func none[T any](list []T) bool { return list != nil && len(list) == 0 }

func checkCountries(name string, list []string) error {
	for _, c := range list {
		if len(c) != 2 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return badInput("filter.%s: %q is no country code of two letters (ISO 3166-1 alpha-2)", name, c)
		}
	}
	return checkList(name, list)
}

func upper(list []string) []string { return mapped(list, strings.ToUpper) }
func lower(list []string) []string { return mapped(list, strings.ToLower) }

// mapped keeps nil, for "not given".
func mapped(list []string, change func(string) string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = change(s)
	}
	return out
}
