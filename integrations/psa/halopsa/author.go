package halopsa

import (
	"context"
	"net/http"
	"strconv"

	"github.com/cairn-itdr/cairn/integrations/psa"
)

// ourselves is the agent that the application acts as.
func (a *Adapter) ourselves(ctx context.Context) (int, error) {
	a.mu.Lock()
	known := a.me
	a.mu.Unlock()
	if known != 0 {
		return known, nil
	}
	return a.askOurselves(ctx)
}

func (a *Adapter) askOurselves(ctx context.Context) (int, error) {
	var me struct {
		ID int `json:"id"`
	}
	if err := a.do(ctx, call{doing: "ask who we are", method: http.MethodGet, resource: "Agent/me", out: &me}); err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.me = me.ID
	return me.ID, nil
}

// agentOf is the author with an agent's id. Agent 0 is nobody; 1 is Unassigned
// on an instance as it is delivered, and does nothing either.
func agentOf(id, me int) psa.Author {
	switch {
	case id <= 0:
		return psa.Author{}
	case id == me:
		return psa.Author{Kind: psa.AuthorOurs, Name: strconv.Itoa(id)}
	}
	return psa.Author{Kind: psa.AuthorStaff, Name: strconv.Itoa(id)}
}

// authorOf tells who an action is by. What an application did stands under its
// agent too: the application goes first.
func (n action) authorOf(clientID string, me int) psa.Author {
	out := psa.Author{Name: n.Who}
	switch {
	case clientID != "" && n.Application == clientID:
		out.Kind = psa.AuthorOurs
	case n.Application != "":
		out.Kind = psa.AuthorSystem
	case n.Agent > 0:
		out.Kind = agentOf(n.Agent, me).Kind
	case n.User > 0:
		out.Kind = psa.AuthorContact
	}
	return out
}
