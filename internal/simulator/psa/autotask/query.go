package autotask

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

const maxPage = 500

// filter is a condition; of several all must hold.
type filter struct {
	Op    string   `json:"op"`
	Field string   `json:"field"`
	Value any      `json:"value"`
	UDF   bool     `json:"udf"`
	Items []filter `json:"items"`
}

type query struct {
	MaxRecords    int      `json:"MaxRecords"`
	IncludeFields []string `json:"IncludeFields"`
	Filter        []filter `json:"filter"` // names know no case
}

// query answers /query, /query/count and the pages that follow. The next page of
// a POST is asked for with POST.
func (s *Server) query(r *request, e *entity, notAllowed psa.Answer) psa.Answer {
	raw := r.body
	paging := r.URL.Query().Get("paging")
	switch {
	case r.Method == http.MethodGet && paging == "":
		raw = []byte(r.URL.Query().Get("search"))
	case r.Method != http.MethodPost:
		return notAllowed
	}
	var q query
	if err := json.Unmarshal(raw, &q); err != nil {
		return failed(http.StatusInternalServerError, "The query could not be read.")
	}
	if len(q.Filter) == 0 {
		return failed(http.StatusInternalServerError, "A filter is required.")
	}
	var kept []psa.Record
	for _, row := range e.rows {
		ok, err := matchAll(e, row, q.Filter)
		if err != nil {
			return failed(http.StatusInternalServerError, err.Error())
		}
		if ok && !s.denied(e.name) && (e.name != "Resources" || !s.behaviour.APIUserHidden || idOf(row) != apiUser) {
			kept = append(kept, row)
		}
	}
	if strings.EqualFold(r.path[len(r.path)-1], "count") {
		return psa.Answer{Status: http.StatusOK, Body: map[string]int{"queryCount": len(kept)}}
	}
	if behind, err := strconv.Atoi(paging); err == nil {
		kept = slices.DeleteFunc(kept, func(row psa.Record) bool { return idOf(row) <= behind })
	}
	size := maxPage
	if q.MaxRecords > 0 {
		size = min(q.MaxRecords, maxPage)
	}
	var next any
	if len(kept) > size {
		kept = kept[:size]
		if len(q.IncludeFields) == 0 || slices.Contains(q.IncludeFields, "id") {
			next = s.nextPage(r, e, idOf(kept[size-1]))
		}
	}
	return psa.Answer{Status: http.StatusOK, Body: map[string]any{
		"items":       project(kept, q.IncludeFields),
		"pageDetails": map[string]any{"count": len(kept), "requestCount": size, "prevPageUrl": nil, "nextPageUrl": next},
	}}
}

func (s *Server) nextPage(r *request, e *entity, behind int) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	next := url.URL{Scheme: scheme, Host: r.Host, Path: "/ATServicesRest/V1.0/" + e.name + "/query/next", RawQuery: "paging=" + strconv.Itoa(behind)}
	return next.String()
}

func project(rows []psa.Record, names []string) []psa.Record {
	out := make([]psa.Record, 0, len(rows))
	for _, row := range rows {
		if len(names) == 0 {
			out = append(out, row)
			continue
		}
		kept := psa.Record{"id": row["id"]}
		for _, name := range names {
			if v, ok := row[name]; ok {
				kept[name] = v
			}
		}
		out = append(out, kept)
	}
	return out
}

func matchAll(e *entity, row psa.Record, all []filter) (bool, error) {
	for _, f := range all {
		ok, err := match(e, row, f)
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func match(e *entity, row psa.Record, f filter) (bool, error) {
	switch f.Op {
	case "and":
		return matchAll(e, row, f.Items)
	case "or":
		if len(f.Items) > maxPage {
			return false, fmt.Errorf("More than %d OR conditions.", maxPage) //nolint:staticcheck,revive // the vendor's words are so
		}
		for _, item := range f.Items {
			if ok, err := match(e, row, item); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	if f.UDF {
		return compare(f, udf(row, f.Field))
	}
	column := e.field(f.Field)
	if column == nil {
		return false, fmt.Errorf("Unable to find %s in the %s Entity.", f.Field, e.name) //nolint:staticcheck,revive // the same
	}
	if !column.Queryable {
		return false, fmt.Errorf("The field %s is not queryable.", f.Field) //nolint:staticcheck,revive // the same
	}
	return compare(f, row[column.Name])
}

func udf(row psa.Record, name string) any {
	all, _ := row["userDefinedFields"].([]any)
	for _, x := range all {
		if m, ok := x.(map[string]any); ok && m["name"] == name {
			return m["value"]
		}
	}
	return nil
}

func compare(f filter, value any) (bool, error) {
	among := func() bool {
		all, _ := f.Value.([]any)
		return slices.ContainsFunc(all, func(v any) bool { return order(value, v) == 0 })
	}
	words := func(test func(s, part string) bool) bool {
		return test(strings.ToLower(fmt.Sprint(value)), strings.ToLower(fmt.Sprint(f.Value)))
	}
	switch f.Op {
	case "eq":
		return order(value, f.Value) == 0, nil
	case "noteq":
		return order(value, f.Value) != 0, nil
	case "gt":
		return value != nil && order(value, f.Value) > 0, nil
	case "gte":
		return value != nil && order(value, f.Value) >= 0, nil
	case "lt":
		return value != nil && order(value, f.Value) < 0, nil
	case "lte":
		return value != nil && order(value, f.Value) <= 0, nil
	case "beginsWith":
		return words(strings.HasPrefix), nil
	case "endsWith":
		return words(strings.HasSuffix), nil
	case "contains":
		return words(strings.Contains), nil
	case "exist":
		return value != nil, nil
	case "notExist":
		return value == nil, nil
	case "in":
		return among(), nil
	case "notIn":
		return !among(), nil
	}
	return false, fmt.Errorf("The operator %s is not valid.", f.Op) //nolint:staticcheck,revive // the vendor's words are so
}

// order compares as the column's kind wants: numbers, times, texts without case.
func order(value, want any) int {
	switch v := value.(type) {
	case float64:
		w, ok := want.(float64)
		if !ok {
			n, err := strconv.ParseFloat(fmt.Sprint(want), 64)
			if err != nil {
				return -1
			}
			w = n
		}
		switch {
		case v < w:
			return -1
		case v > w:
			return 1
		}
		return 0
	case bool:
		if v == want {
			return 0
		}
		return 1
	case string:
		x, errX := time.Parse(time.RFC3339Nano, v)
		y, errY := time.Parse(time.RFC3339Nano, fmt.Sprint(want))
		if errX == nil && errY == nil {
			return x.Compare(y)
		}
		return strings.Compare(strings.ToLower(v), strings.ToLower(fmt.Sprint(want)))
	}
	if value == nil && want == nil {
		return 0
	}
	return -1
}
