package ticketing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/companymapping"
	"github.com/cairn-itdr/cairn/ent/tenant"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// MapTenantToCompany says which company of the PSA a tenant is, and has its waiting
// tickets made. Tickets that are there stay where they are. An empty company
// takes the mapping away. Refusals: no such connection or tenant (NOT_FOUND), a
// company that is not there or takes no tickets (INVALID).
func (s *Service) MapTenantToCompany(ctx context.Context, connectionID, tenantID, companyID string) (*ent.PSAConnection, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("map a tenant: %w", err)
	}
	c, err := s.find(ctx, connectionID)
	if err != nil {
		return nil, err
	}
	t, err := s.DB.Client().Tenant.Query().Where(tenant.ID(tenantID)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, refusal.New(refusal.NotFound, []string{"tenantId"}, "no tenant has this id")
	}
	if err != nil {
		return nil, fmt.Errorf("read tenant %s: %w", tenantID, err)
	}
	var company psa.Company
	if companyID != "" {
		adapter, err := s.Adapter(c)
		if err != nil {
			return nil, err
		}
		if company, err = usable(ctx, c, adapter, companyID, "companyId"); err != nil {
			return nil, err
		}
	}
	return c, s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := s.Now()
		if _, err := tx.Client.CompanyMapping.Delete().Where(companymapping.ConnectionID(c.ID), companymapping.TenantID(t.ID)).Exec(ctx); err != nil {
			return fmt.Errorf("map tenant %s: %w", t.ID, err)
		}
		detail := fmt.Sprintf("%s: tenant %s is no company", c.Name, t.Name)
		if companyID != "" {
			detail = fmt.Sprintf("%s: tenant %s is company %s (%s)", c.Name, t.Name, company.Name, company.ID)
			err := tx.Client.CompanyMapping.Create().SetOrganizationID(scope.OrganizationID).SetTenantID(t.ID).SetConnectionID(c.ID).
				SetCompanyID(company.ID).SetCompanyName(company.Name).SetUpdatedAt(now).Exec(ctx)
			if err != nil {
				return fmt.Errorf("map tenant %s: %w", t.ID, err)
			}
		}
		// Also those that somebody works on: whoever does may have read before this.
		err := s.restart(ctx, tx, ticket.ConnectionID(c.ID), ticket.TenantID(t.ID),
			ticket.StateNotIn(ticket.StateSynced, ticket.StateDeleted, ticket.StateCancelled))
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, audit.Entry{Action: "mapTenantToCompany", TenantID: t.ID, ObjectID: c.ID, Result: "OK", Detail: detail})
	})
}

// usable returns a company that tickets can be made for.
func usable(ctx context.Context, c *ent.PSAConnection, adapter psa.Adapter, id, field string) (psa.Company, error) {
	company, err := adapter.Company(ctx, id)
	if psa.Is(err, psa.ReasonNotFound) {
		return psa.Company{}, refusal.New(refusal.Invalid, []string{field}, "%s has no company with the id %q", c.Name, id)
	}
	if err != nil {
		return psa.Company{}, refuse([]string{field}, c, err)
	}
	if !company.Active {
		return psa.Company{}, refusal.New(refusal.Invalid, []string{field}, "company %q is inactive in %s: no ticket can be made for it", company.Name, c.Name)
	}
	return company, nil
}

// Suggestion is a company that a tenant may be.
type Suggestion struct {
	Tenant  *ent.Tenant
	Company psa.Company
	Why     string
}

// maxCompanies is how many companies suggestions are looked for among.
const maxCompanies = 5000

// Suggest returns companies for the tenants that have none: those the PSA knows
// by the tenant's Microsoft id, else those of the same name or of a domain of
// that name. A person decides.
func (s *Service) Suggest(ctx context.Context, c *ent.PSAConnection) ([]Suggestion, error) {
	adapter, err := s.Adapter(c)
	if err != nil {
		return nil, err
	}
	tenants, err := s.DB.Client().Tenant.Query().
		Where(tenant.Not(tenant.HasCompanyMappingsWith(companymapping.ConnectionID(c.ID)))).Order(tenant.ByNameKey()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tenants without a company: %w", err)
	}
	var companies []psa.Company
	for after := ""; len(companies) < maxCompanies; {
		page, next, err := adapter.Companies(ctx, "", after)
		if err != nil {
			return nil, refuse([]string{"id"}, c, err)
		}
		companies = append(companies, page...)
		if after = next; next == "" {
			break
		}
	}
	var out []Suggestion
	for _, t := range tenants {
		if company, why, ok := match(t, companies); ok {
			out = append(out, Suggestion{Tenant: t, Company: company, Why: why})
		}
	}
	return out, nil
}

// match finds the one active company a tenant can be.
func match(t *ent.Tenant, companies []psa.Company) (found psa.Company, why string, ok bool) {
	name := t.Name
	for _, rule := range []struct {
		why string
		fit func(psa.Company) bool
	}{
		{"the same Microsoft tenant", func(c psa.Company) bool {
			return t.MicrosoftTenantID != nil &&
				slices.ContainsFunc(c.MicrosoftTenants, func(id string) bool { return strings.EqualFold(id, *t.MicrosoftTenantID) })
		}},
		{"the same name", func(c psa.Company) bool { return strings.EqualFold(strings.TrimSpace(c.Name), strings.TrimSpace(name)) }},
		{"the same name but for its legal form", func(c psa.Company) bool { return plain(c.Name) == plain(name) }},
		{"the same short name", func(c psa.Company) bool { return c.Identifier != "" && plain(c.Identifier) == plain(name) }},
		{"a domain of that name", func(c psa.Company) bool {
			for _, d := range c.Domains {
				label, _, _ := strings.Cut(d, ".")
				if label != "" && label == strings.ReplaceAll(plain(name), " ", "") {
					return true
				}
			}
			return false
		}},
	} {
		n := 0
		for _, c := range companies {
			if c.Active && rule.fit(c) {
				found = c
				n++
			}
		}
		if n == 1 {
			return found, rule.why, true
		}
		if n > 1 { // which of them is for a person to say
			return psa.Company{}, "", false
		}
	}
	return psa.Company{}, "", false
}

// legalForms end names of companies and tell nothing apart.
var legalForms = map[string]bool{
	"inc": true, "llc": true, "ltd": true, "limited": true, "gmbh": true, "ag": true, "bv": true, "nv": true, "sa": true, "sarl": true,
	"plc": true, "co": true, "corp": true, "corporation": true, "company": true, "pty": true, "kg": true, "oy": true, "ab": true, "as": true,
}

// plain is a name without case, punctuation and legal form.
func plain(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r <= 127
	})
	for len(words) > 1 && legalForms[words[len(words)-1]] {
		words = words[:len(words)-1]
	}
	return strings.Join(words, " ")
}
