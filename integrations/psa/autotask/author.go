package autotask

import (
	"context"
	"strconv"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// learn keeps our resource's number, which stands on what we wrote.
func (a *Adapter) learn(resource int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if resource > 0 {
		a.me, a.meIsSure = resource, true
	}
}

// ourselves is our resource's number, 0 where it is not known: API users are not
// always among the resources that are shown.
func (a *Adapter) ourselves(ctx context.Context) (int, error) {
	a.mu.Lock()
	known, sure, asked := a.me, a.meIsSure, a.meAsked
	a.mu.Unlock()
	if sure || !asked.IsZero() && a.now().Sub(asked) < fresh {
		return known, nil
	}
	type resource struct {
		ID       int    `json:"id"`
		UserName string `json:"userName"`
	}
	rows, err := queried[resource](ctx, a, "ask who we are", "Resources", query{
		Fields: []string{"id", "userName"}, Filter: []filter{eq("userName", a.user)},
	})
	if err != nil && !psa.Is(err, psa.ReasonPermission) {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.meAsked = a.now()
	for _, r := range rows {
		if r.UserName == a.user {
			a.me = r.ID
		}
	}
	return a.me, nil
}

// authorOf tells who a resource or contact is.
func authorOf(resource, contact, me int) psa.Author {
	switch {
	case contact > 0:
		return psa.Author{Kind: psa.AuthorContact, Name: strconv.Itoa(contact)}
	case resource <= 0:
		return psa.Author{}
	case resource == me:
		return psa.Author{Kind: psa.AuthorOurs, Name: strconv.Itoa(resource)}
	}
	return psa.Author{Kind: psa.AuthorStaff, Name: strconv.Itoa(resource)}
}
