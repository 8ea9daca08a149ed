package connectwise

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cairn-itdr/cairn/internal/simulator/psa"
)

// record is a record as conditions see it: its JSON.
type record = psa.Record

const (
	standardPage = 25
	maxPage      = 1000
)

// list answers a list: conditions, orderBy, fields, paging.
func (s *Server) list(r *request, all []record, q url.Values) (int, any, http.Header) {
	kept, err := s.filter(all, q.Get("conditions"))
	if err != nil {
		return badRequest(err)
	}
	if err := order(kept, q.Get("orderBy")); err != nil {
		return badRequest(err)
	}
	page, size := 1, standardPage
	if v := q.Get("pageSize"); v != "" {
		if size, err = strconv.Atoi(v); err != nil || size < 1 || size > maxPage {
			return badRequest(fmt.Errorf("pageSize must be from 1 to %d", maxPage))
		}
		if s.behaviour.SmallPages && size > 100 {
			return invalid("Page", detail{Code: "OutOfRange", Message: "The pageSize must be from 1 to 100.", Field: "pageSize"})
		}
	}
	header := http.Header{}
	forward := r.Header.Get("Pagination-Type") == "forward-only"
	if forward {
		behind, _ := strconv.Atoi(q.Get("pageId"))
		slices.SortFunc(kept, func(a, b record) int { return idOf(a) - idOf(b) })
		kept = slices.DeleteFunc(kept, func(x record) bool { return idOf(x) <= behind })
		if len(kept) > size {
			kept = kept[:size]
			header.Set("Link", s.link(r, "pageId", idOf(kept[size-1])))
		}
		return http.StatusOK, project(kept, q.Get("fields")), header
	}
	if v := q.Get("page"); v != "" {
		if page, err = strconv.Atoi(v); err != nil || page < 1 {
			return badRequest(errors.New("page must be 1 or more"))
		}
	}
	from := min((page-1)*size, len(kept))
	to := min(from+size, len(kept))
	if to < len(kept) {
		header.Set("Link", s.link(r, "page", page+1))
	}
	return http.StatusOK, project(kept[from:to], q.Get("fields")), header
}

func idOf(r record) int {
	id, _ := r["id"].(float64)
	return int(id)
}

func (s *Server) link(r *request, name string, value int) string {
	next := *r.URL
	q := next.Query()
	q.Set(name, strconv.Itoa(value))
	next.RawQuery = q.Encode()
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return fmt.Sprintf(`<%s://%s%s>; rel="next"`, scheme, r.Host, next.RequestURI())
}

func project(all []record, fields string) []record {
	out := make([]record, 0, len(all))
	if fields == "" {
		return append(out, all...)
	}
	for _, x := range all {
		kept := record{}
		for f := range strings.SplitSeq(fields, ",") {
			f = strings.TrimSpace(f)
			top, _, _ := strings.Cut(f, "/")
			if v, ok := x[top]; ok {
				kept[top] = v
			}
		}
		out = append(out, kept)
	}
	return out
}

func order(all []record, by string) error {
	if by == "" {
		return nil
	}
	path, direction, _ := strings.Cut(strings.TrimSpace(by), " ")
	down := strings.EqualFold(strings.TrimSpace(direction), "desc")
	if !down && direction != "" && !strings.EqualFold(strings.TrimSpace(direction), "asc") {
		return fmt.Errorf("orderBy: %q is neither asc nor desc", direction)
	}
	slices.SortStableFunc(all, func(a, b record) int {
		x, y := at(a, path), at(b, path)
		c := 0
		switch v := x.(type) {
		case float64:
			w, _ := y.(float64)
			c = int(v - w)
		case string:
			w, _ := y.(string)
			c = strings.Compare(strings.ToLower(v), strings.ToLower(w))
		}
		if down {
			return -c
		}
		return c
	})
	return nil
}

// at is the value at a path with slashes. lastUpdated and its like stand in
// _info and are asked for without it.
func at(r record, path string) any {
	var v any = r
	for part := range strings.SplitSeq(path, "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		next, ok := m[part]
		if info, has := m["_info"].(map[string]any); !ok && has {
			next = info[part]
		}
		v = next
	}
	return v
}

func badRequest(err error) (int, any, http.Header) {
	return http.StatusBadRequest, problem{Code: "InvalidRequest", Message: err.Error()}, nil
}

func (s *Server) filter(all []record, conditions string) ([]record, error) {
	if strings.TrimSpace(conditions) == "" {
		return all, nil
	}
	p := &parser{tokens: lex(conditions), zoneless: s.behaviour.ZonelessDates}
	match, err := p.or()
	if err == nil && p.peek().kind != end {
		err = fmt.Errorf("unexpected %q", p.peek().text)
	}
	if err != nil {
		return nil, fmt.Errorf("Conditions are invalid: %w", err) //nolint:staticcheck // the vendor's words begin so
	}
	var out []record
	for _, x := range all {
		if match(x) {
			out = append(out, x)
		}
	}
	return out, nil
}
