package ticketing

import (
	"context"
	"errors"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/naming"
	"github.com/cairn-itdr/cairn/internal/refusal"
)

// fill checks fields, settings and default company with the PSA itself, and
// puts what may be shown into the connection.
func (s *Service) fill(
	ctx context.Context, c *ent.PSAConnection, fields map[string]string, settings map[Setting]string, company *string,
) (psa.Adapter, error) {
	vendor, ok := s.vendor(c.Kind)
	if !ok {
		return nil, refusal.New(refusal.Invalid, []string{"kind"}, "there is no adapter for PSAs of kind %s", c.Kind)
	}
	adapter, err := vendor.New(fields, s.Client, s.Now)
	if err != nil {
		return nil, refuse([]string{"credentials"}, c, err)
	}
	instance, err := adapter.Identify(ctx)
	if err != nil {
		return nil, refuse([]string{"credentials"}, c, err)
	}
	account := instance.Host + "/" + instance.Account
	if c.Account != "" && c.Account != account {
		return nil, refusal.New(refusal.Conflict, []string{"credentials"},
			"these are the credentials of %s, and the connection's tickets are in %s: connect the other one beside it", account, c.Account)
	}
	c.Account = account
	if _, err := adapter.Verify(ctx); err != nil {
		return nil, refuse([]string{"credentials"}, c, err)
	}
	c.Fields = map[string]string{}
	for _, f := range vendor.Fields {
		if !f.Secret {
			c.Fields[f.Name] = fields[f.Name]
		}
	}
	if c.Settings == nil {
		c.Settings = map[string]string{}
	}
	if err := choose(ctx, c, adapter, settings); err != nil {
		return nil, err
	}
	switch {
	case company == nil:
	case *company == "":
		c.DefaultCompanyID, c.DefaultCompanyName = "", ""
	default:
		there, err := usable(ctx, c, adapter, *company, "defaultCompanyId")
		if err != nil {
			return nil, err
		}
		c.DefaultCompanyID, c.DefaultCompanyName = there.ID, there.Name
	}
	return adapter, nil
}

func checkName(name string) (string, error) {
	name, err := naming.Check("a PSA connection", name)
	if err == nil && name == "" {
		return "", refusal.New(refusal.Invalid, []string{"name"}, "a PSA connection has a name")
	}
	return name, err
}

func callsOf(n int, adapter psa.Adapter) (int, error) {
	if n == 0 {
		n = adapter.Describe().Limits.PerMinute
	}
	if n < 1 || n > maxCalls {
		return 0, refusal.New(refusal.Invalid, []string{"callsPerMinute"}, "a budget is from 1 to %d calls a minute", maxCalls)
	}
	return n, nil
}

// refuse makes a refusal of what a PSA says to what a person entered.
func refuse(field []string, c *ent.PSAConnection, err error) error {
	e, ok := errors.AsType[*psa.Error](err)
	if !ok {
		return err
	}
	if e.Field != "" {
		field = append(field, e.Field)
	}
	return refusal.New(refusal.Invalid, field, "%s", explain(c, "", err))
}
