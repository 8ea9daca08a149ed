package connectwise

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
