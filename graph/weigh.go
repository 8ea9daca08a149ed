package graph

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// maxRepeats is how often one selection may name the same field in the same
// way: validation compares every two of them.
const maxRepeats = 20

// weigh refuses, by counting alone, what would be dear to validate: far too
// many fields, or one field over and over. What does not parse is left to the
// engine, which says why. It also looks into the query's own texts: once
// parsed, no escape hides a NUL in them.
func weigh(query string) *gqlerror.Error {
	document, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, maxTokens)
	if err != nil {
		return nil //nolint:nilerr // the engine parses it again and answers
	}
	w := weight{}
	for _, o := range document.Operations {
		w.selections(o.SelectionSet, map[string]int{})
		for _, v := range o.VariableDefinitions {
			w.value(v.DefaultValue)
		}
	}
	for _, f := range document.Fragments {
		w.selections(f.SelectionSet, map[string]int{})
	}
	switch {
	case w.nul:
		return failure(codeBadUserInput, "%s", errNUL)
	case w.fields > maxFields:
		return failure(codeTooComplex, "the operation has more than the %d fields allowed: ask in several requests", maxFields)
	case w.repeated > maxRepeats:
		return failure(codeTooComplex, "the operation names one field more than %d times in one selection: once is enough", maxRepeats)
	case w.spreads > maxSpreads:
		return failure(codeTooComplex, "the operation has more than the %d fragments allowed: ask in several requests", maxSpreads)
	}
	return nil
}

// maxSpreads is how many fragments an operation may have and use.
const maxSpreads = 100

const errNUL = "a text holds a NUL character, which no text may"

// weight is what a document has, as it is written.
type weight struct {
	fields, spreads, repeated int
	nul                       bool
}

// selections counts what stands in a selection; seen says how often each
// answer's name was met in it, inline fragments included.
func (w *weight) selections(set ast.SelectionSet, seen map[string]int) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			w.fields++
			seen[s.Alias]++
			w.repeated = max(w.repeated, seen[s.Alias])
			w.arguments(s.Arguments)
			w.directives(s.Directives)
			w.selections(s.SelectionSet, map[string]int{})
		case *ast.InlineFragment:
			w.spreads++
			w.directives(s.Directives)
			w.selections(s.SelectionSet, seen)
		case *ast.FragmentSpread:
			w.spreads++
			w.directives(s.Directives)
		}
	}
}

func (w *weight) directives(list ast.DirectiveList) {
	for _, d := range list {
		w.arguments(d.Arguments)
	}
}

func (w *weight) arguments(list ast.ArgumentList) {
	for _, a := range list {
		w.value(a.Value)
	}
}

func (w *weight) value(v *ast.Value) {
	if v == nil {
		return
	}
	w.nul = w.nul || strings.Contains(v.Raw, "\x00")
	for _, child := range v.Children {
		w.nul = w.nul || strings.Contains(child.Name, "\x00")
		w.value(child.Value)
	}
}
