package autotask

import (
	"context"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/integrations/psa/wire"
)

// company is one of the API's, as far as we ask. The MSP's own has the number 0.
type company struct {
	ID     int    `json:"id"`
	Name   string `json:"companyName"`
	Number string `json:"companyNumber"`
	Active bool   `json:"isActive"`
	Web    string `json:"webAddress"`
}

func (c company) as() psa.Company {
	out := psa.Company{ID: strconv.Itoa(c.ID), Name: c.Name, Identifier: c.Number, Active: c.Active}
	if site, problem := wire.Site(strings.Replace(c.Web, "http://", "https://", 1)); c.Web != "" && problem == "" {
		out.Domains = []string{strings.TrimPrefix(site.Hostname(), "www.")}
	}
	return out
}

// companiesAtOnce are those of a page.
const companiesAtOnce = 100

// Companies lists companies whose name holds the text, in the order of their
// numbers: the API knows no other.
func (a *Adapter) Companies(ctx context.Context, text, after string) (page []psa.Company, next string, err error) {
	const doing = "list companies"
	where := []filter{{Op: "gte", Field: "id", Value: 0}}
	if after != "" {
		behind, err := wire.Number(doing, "after", after)
		if err != nil {
			return nil, "", err
		}
		where = []filter{{Op: "gt", Field: "id", Value: behind}}
	}
	if text != "" {
		where = append(where, filter{Op: "contains", Field: "companyName", Value: text})
	}
	rows, err := queried[company](ctx, a, doing, "Companies", query{
		MaxRecords: companiesAtOnce, Fields: []string{"id", "companyName", "companyNumber", "isActive", "webAddress"}, Filter: where,
	})
	if err != nil {
		return nil, "", err
	}
	last := -1
	for _, c := range rows {
		last = max(last, c.ID)
		if strings.Contains(strings.ToLower(c.Name), strings.ToLower(text)) { // a filter that was not heard brings all
			page = append(page, c.as())
		}
	}
	if len(rows) == companiesAtOnce {
		next = strconv.Itoa(last)
	}
	return page, next, nil
}

// Company reads one company.
func (a *Adapter) Company(ctx context.Context, id string) (psa.Company, error) {
	const doing = "read company"
	n, err := wire.Number(doing, "companyID", id)
	if err != nil {
		return psa.Company{}, err
	}
	c, found, err := get[company](ctx, a, doing, "Companies", n)
	if err == nil && !found {
		err = &psa.Error{Reason: psa.ReasonNotFound, Doing: doing, Message: "Autotask shows no such company"}
	}
	return c.as(), err
}
