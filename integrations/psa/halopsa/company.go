package halopsa

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// client is one of the API's, as far as we ask.
type client struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Inactive bool   `json:"inactive"`
	Stopped  int    `json:"stopped"` // the account is on stop
	Website  string `json:"website"`
	Domain   string `json:"domain"`
	Tenants  []struct {
		ID     string `json:"azure_tenant_id"`
		Domain string `json:"azure_tenant_domain"`
	} `json:"azure_tenants"`
}

func (c client) as() psa.Company {
	out := psa.Company{ID: strconv.Itoa(c.ID), Name: c.Name, Active: !c.Inactive && c.Stopped == 0}
	add := func(domain string) {
		if domain = strings.ToLower(strings.TrimSpace(domain)); domain != "" {
			out.Domains = append(out.Domains, strings.TrimPrefix(domain, "www."))
		}
	}
	if site, problem := wire.Site(c.Website); problem == "" {
		add(site.Hostname())
	}
	for d := range strings.SplitSeq(c.Domain, ",") {
		add(d)
	}
	for _, t := range c.Tenants {
		if t.ID != "" {
			out.MicrosoftTenants = append(out.MicrosoftTenants, strings.ToLower(t.ID))
		}
		add(t.Domain)
	}
	return out
}

// Companies lists clients by name.
func (a *Adapter) Companies(ctx context.Context, text, after string) (found []psa.Company, next string, err error) {
	const doing = "list clients"
	number := 1
	if after != "" {
		if number, err = strconv.Atoi(after); err != nil || number < 2 {
			return nil, "", wire.Invalid(doing, "after", "that is not where a page ended")
		}
	}
	query := url.Values{"order": {"name"}, "includeinactive": {"false"}, "includeazuretenants": {"true"}}
	if text != "" {
		query.Set("search", text)
	}
	rows, count, err := page[client](ctx, a, call{doing: doing, resource: "Client", query: query}, number)
	if err != nil {
		return nil, "", err
	}
	for _, c := range rows {
		// A filter that was not heard brings everything.
		if strings.Contains(strings.ToLower(c.Name), strings.ToLower(text)) {
			found = append(found, c.as())
		}
	}
	if len(rows) == pageSize && number*pageSize < count {
		next = strconv.Itoa(number + 1)
	}
	return found, next, nil
}

// Company reads one client.
func (a *Adapter) Company(ctx context.Context, id string) (psa.Company, error) {
	const doing = "read client"
	n, err := wire.Number(doing, "client_id", id)
	if err != nil {
		return psa.Company{}, err
	}
	var c client
	err = a.do(ctx, call{doing: doing, method: http.MethodGet, resource: fmt.Sprintf("Client/%d", n), query: url.Values{"includedetails": {"true"}}, out: &c})
	if err == nil && c.ID != n {
		err = &psa.Error{Reason: psa.ReasonNotFound, Doing: doing, Message: "HaloPSA shows no such client"}
	}
	return c.as(), err
}
