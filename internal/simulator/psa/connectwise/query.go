package connectwise

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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

// Conditions: comparisons joined by and, or, and brackets. Strings stand in
// double quotes, datetimes in square brackets, numbers and booleans bare.

type kind int

const (
	end kind = iota
	word
	text
	date
	sign
	bad
)

type token struct {
	kind kind
	text string
}

func lex(s string) []token {
	var out []token
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t':
			i++
		case c == '"' || c == '[':
			closing, k := byte('"'), text
			if c == '[' {
				closing, k = ']', date
			}
			n := strings.IndexByte(s[i+1:], closing)
			if n < 0 {
				return append(out, token{bad, s[i:]})
			}
			out = append(out, token{k, s[i+1 : i+1+n]})
			i += n + 2
		case strings.IndexByte("(),", c) >= 0:
			out = append(out, token{sign, s[i : i+1]})
			i++
		case strings.IndexByte("=!<>", c) >= 0:
			n := 1
			if i+1 < len(s) && s[i+1] == '=' {
				n = 2
			}
			out = append(out, token{sign, s[i : i+n]})
			i += n
		default:
			n := strings.IndexAny(s[i:], " \t\"[(),=!<>")
			if n < 0 {
				n = len(s) - i
			}
			if n == 0 {
				return append(out, token{bad, s[i:]})
			}
			out = append(out, token{word, s[i : i+n]})
			i += n
		}
	}
	return out
}

type parser struct {
	tokens   []token
	zoneless bool
}

type matcher func(record) bool

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

func (p *parser) next() token {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) keyword(w string) bool {
	if t := p.peek(); t.kind == word && strings.EqualFold(t.text, w) {
		p.next()
		return true
	}
	return false
}

func (p *parser) or() (matcher, error) {
	left, err := p.and()
	for err == nil && p.keyword("or") {
		var right matcher
		if right, err = p.and(); err == nil {
			l := left
			left = func(r record) bool { return l(r) || right(r) }
		}
	}
	return left, err
}

func (p *parser) and() (matcher, error) {
	left, err := p.comparison()
	for err == nil && p.keyword("and") {
		var right matcher
		if right, err = p.comparison(); err == nil {
			l := left
			left = func(r record) bool { return l(r) && right(r) }
		}
	}
	return left, err
}

func (p *parser) comparison() (matcher, error) {
	if p.peek() == (token{sign, "("}) {
		p.next()
		m, err := p.or()
		if err == nil && p.next() != (token{sign, ")"}) {
			err = errors.New("a bracket is not closed")
		}
		return m, err
	}
	field := p.next()
	if field.kind != word {
		return nil, fmt.Errorf("a field is expected, not %q", field.text)
	}
	negated := p.keyword("not")
	operator := p.next()
	name := strings.ToLower(operator.text)
	if operator.kind == word && name == "in" {
		values, err := p.values()
		return func(r record) bool {
			return negated != slices.ContainsFunc(values, func(v any) bool { return equal(at(r, field.text), v) })
		}, err
	}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	test, err := operation(operator, name, value)
	if err != nil {
		return nil, err
	}
	return func(r record) bool { return negated != test(at(r, field.text)) }, nil
}

func operation(operator token, name string, value any) (func(any) bool, error) {
	switch {
	case operator.kind == sign && name == "=":
		return func(v any) bool { return equal(v, value) }, nil
	case operator.kind == sign && name == "!=":
		return func(v any) bool { return !equal(v, value) }, nil
	case operator.kind == sign && strings.ContainsAny(name, "<>"):
		return func(v any) bool {
			c, ok := compare(v, value)
			return ok && (c < 0 && name[0] == '<' || c > 0 && name[0] == '>' || c == 0 && len(name) == 2)
		}, nil
	case operator.kind == word && (name == "contains" || name == "like"):
		part, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("%s wants a string", name)
		}
		part = strings.ToLower(strings.Trim(part, "%*"))
		return func(v any) bool {
			s, _ := v.(string)
			return strings.Contains(strings.ToLower(s), part)
		}, nil
	}
	return nil, fmt.Errorf("%q is no operator", operator.text)
}

func (p *parser) values() ([]any, error) {
	if p.next() != (token{sign, "("}) {
		return nil, errors.New("in wants a list in brackets")
	}
	var out []any
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		switch p.next() {
		case token{sign, ","}:
		case token{sign, ")"}:
			return out, nil
		default:
			return nil, errors.New("a list is not closed")
		}
	}
}

func (p *parser) value() (any, error) {
	t := p.next()
	switch t.kind {
	case text:
		return t.text, nil
	case date:
		layout := time.RFC3339
		if p.zoneless {
			layout = "2006-01-02T15:04:05"
		}
		v, err := time.Parse(layout, t.text)
		if err != nil {
			return nil, fmt.Errorf("[%s] is no datetime", t.text)
		}
		return v, nil
	case word:
		switch strings.ToLower(t.text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		case "null":
			return nil, nil //nolint:nilnil // the value is null
		}
		v, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no value: strings stand in double quotes", t.text)
		}
		return v, nil
	case end, sign, bad:
	}
	return nil, fmt.Errorf("a value is expected, not %q", t.text)
}

func equal(v, want any) bool {
	if s, ok := v.(string); ok {
		w, is := want.(string)
		if is {
			return strings.EqualFold(s, w)
		}
	}
	c, ok := compare(v, want)
	return ok && c == 0 || v == nil && want == nil
}

func compare(v, want any) (int, bool) {
	switch w := want.(type) {
	case float64:
		x, ok := v.(float64)
		return int(x - w), ok
	case bool:
		x, ok := v.(bool)
		if x == w {
			return 0, ok
		}
		return 1, ok
	case string:
		x, ok := v.(string)
		return strings.Compare(strings.ToLower(x), strings.ToLower(w)), ok
	case time.Time:
		x, ok := v.(string)
		if !ok {
			return 0, false
		}
		at, err := time.Parse(time.RFC3339, x)
		return at.Compare(w), err == nil
	}
	return 0, false
}
