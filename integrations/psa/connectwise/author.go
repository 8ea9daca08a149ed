package connectwise

import (
	"context"
	"strings"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// authors tells who the names are that the API gives.
type authors struct {
	ourselves string
	members   map[string]psa.AuthorKind // by lower-case identifier; nil where they may not be read
}

// of tells who a name is. A member whom the list does not have is no person of
// the MSP's: workflow rules and services write under names of their own.
func (a authors) of(name string) psa.Author {
	out := psa.Author{Name: name}
	switch {
	case name == "":
	case a.ourselves != "" && strings.EqualFold(name, a.ourselves):
		out.Kind = psa.AuthorOurs
	case a.members != nil:
		out.Kind = psa.AuthorSystem
		if kind, ok := a.members[strings.ToLower(name)]; ok {
			out.Kind = kind
		}
	}
	return out
}

// learn keeps the name the API gives our own member: what we write stands under it.
func (a *Adapter) learn(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if name != "" {
		a.ourselves = name
	}
}

// knownAuthors is what is known without asking.
func (a *Adapter) knownAuthors() authors {
	a.mu.Lock()
	defer a.mu.Unlock()
	return authors{ourselves: a.ourselves, members: a.members}
}

// authorsAsked is what is known of the members, asked for where that is old.
// Without the right to, who somebody is stays unknown.
func (a *Adapter) authorsAsked(ctx context.Context) (authors, error) {
	a.mu.Lock()
	asked := a.membersAt
	a.mu.Unlock()
	if !asked.IsZero() && a.now().Sub(asked) < fresh {
		return a.knownAuthors(), nil
	}
	all, err := pages[struct {
		Identifier string `json:"identifier"`
	}](ctx, a, call{doing: "list members", resource: "system/info/members"}, maxTickets)
	if err != nil && !psa.Is(err, psa.ReasonPermission) && !psa.Is(err, psa.ReasonNotFound) {
		return authors{}, err
	}
	var members map[string]psa.AuthorKind
	if err == nil {
		members = map[string]psa.AuthorKind{}
		for _, m := range all {
			members[strings.ToLower(m.Identifier)] = psa.AuthorStaff
		}
	}
	a.mu.Lock()
	a.members, a.membersAt = members, a.now()
	a.mu.Unlock()
	return a.knownAuthors(), nil
}
