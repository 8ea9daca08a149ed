package graph

import (
	"context"
	"slices"
	"sync"
)

// loader reads values by key, many in one go. Whoever reads a list tells the
// loaders which keys its items lead to (expect); the first of them to be
// loaded brings all of them. So a level of a query costs one statement however
// many items it has, and no timer decides which keys go together.
type loader[V any] struct {
	// fetch reads the values of distinct keys; keys without one are left out.
	fetch func(ctx context.Context, keys []string) (map[string]V, error)

	fetching sync.Mutex // one fetch at a time

	mu       sync.Mutex // guards the rest; never held while fetching
	expected map[string]struct{}
	loaded   map[string]*V // nil for a key without a value
}

// keysPerFetch keeps a statement below SQLite's limit of bound values.
const keysPerFetch = 5000

func newLoader[V any](fetch func(context.Context, []string) (map[string]V, error)) *loader[V] {
	return &loader[V]{fetch: fetch, expected: map[string]struct{}{}, loaded: map[string]*V{}}
}

// expect says that these keys may be loaded soon; "" is none.
func (l *loader[V]) expect(keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		if _, done := l.loaded[k]; !done && k != "" {
			l.expected[k] = struct{}{}
		}
	}
}

// load returns the values of those keys that have one.
func (l *loader[V]) load(ctx context.Context, keys ...string) (map[string]V, error) {
	l.expect(keys...)
	l.fetching.Lock()
	defer l.fetching.Unlock()
	if l.lacks(keys) {
		if err := l.fetchExpected(ctx); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]V, len(keys))
	for _, k := range keys {
		if v := l.loaded[k]; v != nil {
			out[k] = *v
		}
	}
	return out, nil
}

func (l *loader[V]) lacks(keys []string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(keys, func(k string) bool {
		_, waiting := l.expected[k]
		return waiting
	})
}

func (l *loader[V]) fetchExpected(ctx context.Context) error {
	l.mu.Lock()
	keys := make([]string, 0, len(l.expected))
	for k := range l.expected {
		keys = append(keys, k)
	}
	l.mu.Unlock()
	slices.Sort(keys)
	for part := range slices.Chunk(keys, keysPerFetch) {
		values, err := l.fetch(ctx, part)
		if err != nil {
			return err
		}
		l.keep(part, values)
	}
	return nil
}

func (l *loader[V]) keep(keys []string, values map[string]V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		delete(l.expected, k)
		l.loaded[k] = nil
		if v, ok := values[k]; ok {
			l.loaded[k] = &v
		}
	}
}

// one returns the value of a key, or the zero value where there is none.
func (l *loader[V]) one(ctx context.Context, key string) (V, error) {
	var none V
	if key == "" {
		return none, nil
	}
	found, err := l.load(ctx, key)
	if err != nil {
		return none, err
	}
	return found[key], nil
}
