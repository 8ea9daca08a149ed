package connectwise

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// company is one of the API's, as far as we ask.
type company struct {
	ID         int    `json:"id"`
	Identifier string `json:"identifier"`
	Name       string `json:"name"`
	Status     struct {
		ID int `json:"id"`
	} `json:"status"`
	Website     string `json:"website"`
	DeletedFlag bool   `json:"deletedFlag"`
}

const companyFields = "id,identifier,name,status,website,deletedFlag"

func (c company) as(inactive map[int]bool) psa.Company {
	out := psa.Company{
		ID: strconv.Itoa(c.ID), Name: c.Name, Identifier: c.Identifier,
		Active: !c.DeletedFlag && !inactive[c.Status.ID],
	}
	if domain := domainOf(c.Website); domain != "" {
		out.Domains = []string{domain}
	}
	return out
}

// domainOf is the domain of a web site as people enter it.
func domainOf(site string) string {
	site = strings.ToLower(strings.TrimSpace(site))
	if site != "" && !strings.Contains(site, "://") {
		site = "https://" + site
	}
	u, err := url.Parse(site)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Hostname(), "www.")
}

// fresh is how long lists are believed that every call would ask for again.
const fresh = 10 * time.Minute

// inactiveStatuses are the company statuses that allow no tickets.
func (a *Adapter) inactiveStatuses(ctx context.Context) (map[int]bool, error) {
	a.mu.Lock()
	known, asked := a.inactive, a.inactiveAt
	a.mu.Unlock()
	if known != nil && a.now().Sub(asked) < fresh {
		return known, nil
	}
	all, err := pages[struct {
		ID                 int  `json:"id"`
		InactiveFlag       bool `json:"inactiveFlag"`
		DisallowSavingFlag bool `json:"disallowSavingFlag"`
	}](ctx, a, call{doing: "read the company statuses", resource: "company/companies/statuses"}, maxPage)
	if err != nil {
		return nil, err
	}
	known = map[int]bool{}
	for _, s := range all {
		known[s.ID] = s.InactiveFlag || s.DisallowSavingFlag
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inactive, a.inactiveAt = known, a.now()
	return known, nil
}

// Companies lists companies by name.
func (a *Adapter) Companies(ctx context.Context, text, after string) (page []psa.Company, next string, err error) {
	const doing, pageSize = "list companies", smallPage
	number := 1
	if after != "" {
		if number, err = strconv.Atoi(after); err != nil || number < 2 {
			return nil, "", wire.Invalid(doing, "after", "that is not where a page ended")
		}
	}
	inactive, err := a.inactiveStatuses(ctx)
	if err != nil {
		return nil, "", err
	}
	conditions := "deletedFlag=false"
	if text != "" {
		conditions += " and name contains " + quoted(text)
	}
	var some []company
	err = a.do(ctx, call{doing: doing, method: http.MethodGet, resource: "company/companies", out: &some, query: url.Values{
		"conditions": {conditions}, "orderBy": {"name asc"}, "fields": {companyFields},
		"pageSize": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(number)},
	}})
	if err != nil {
		return nil, "", err
	}
	for _, c := range some {
		if !c.DeletedFlag { // those in the recycle bin have a twin
			page = append(page, c.as(inactive))
		}
	}
	if len(some) == pageSize {
		next = strconv.Itoa(number + 1)
	}
	return page, next, nil
}

// Company reads one company.
func (a *Adapter) Company(ctx context.Context, id string) (psa.Company, error) {
	const doing = "read company"
	n, err := wire.Number(doing, "companyId", id)
	if err != nil {
		return psa.Company{}, err
	}
	inactive, err := a.inactiveStatuses(ctx)
	if err != nil {
		return psa.Company{}, err
	}
	var c company
	err = a.do(ctx, call{doing: doing, method: http.MethodGet, resource: fmt.Sprintf("company/companies/%d", n), out: &c})
	return c.as(inactive), err
}
