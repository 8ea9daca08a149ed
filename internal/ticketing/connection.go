package ticketing

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"time"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/change"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/typeid"
	"github.com/cairn-itdr/cairn/internal/work"
)

// ConnectionPrefix is the type prefix of the ids of PSA connections.
const ConnectionPrefix = "psaconnection"

const maxCalls = 60_000 // a minute

// Connect is what a PSA is connected with.
type Connect struct {
	Kind           string
	Name           string
	Fields         map[string]string // by psa.Vendor.Fields, secrets among them
	Settings       map[Setting]string
	DefaultCompany string // id; empty for none
	CallsPerMinute int    // 0 for the vendor's own
	PublicNotes    bool
	OnClose        psaconnection.OnClose // "" for ASK
	Routes         Routes
}

// Connect connects a PSA once it has answered with these credentials, and has
// tickets made for incidents that are live. An account that was connected before
// goes on where it was left, with its tickets. Refusals: a field or setting that
// can't be right, credentials the PSA does not take, a PSA that can't be reached
// (INVALID, with what it said); an account that is connected (TAKEN); no master
// key (CONFLICT).
func (s *Service) Connect(ctx context.Context, in Connect) (*ent.PSAConnection, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect a PSA: %w", err)
	}
	name, err := checkName(in.Name)
	if err != nil {
		return nil, err
	}
	if in.OnClose == "" {
		in.OnClose = psaconnection.DefaultOnClose
	}
	c := &ent.PSAConnection{
		ID: typeid.New(ConnectionPrefix), OrganizationID: scope.OrganizationID, Kind: in.Kind, Name: name, PublicNotes: in.PublicNotes, OnClose: in.OnClose,
	}
	if err := s.route(ctx, c, in.Routes); err != nil {
		return nil, err
	}
	// Before the PSA is asked anything: nobody's secret is sent for nothing.
	if _, err := s.Secrets.Seal(row(c, credentialColumn), nil); err != nil {
		return nil, err
	}
	adapter, err := s.fill(ctx, c, in.Fields, in.Settings, &in.DefaultCompany)
	if err != nil {
		return nil, err
	}
	if c.CallsPerMinute, err = callsOf(in.CallsPerMinute, adapter); err != nil {
		return nil, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		before, err := tx.Client.PSAConnection.Query().Where(psaconnection.Kind(c.Kind), psaconnection.Account(c.Account)).Only(ctx)
		switch {
		case err == nil && before.DisconnectedAt == nil:
			return refusal.New(refusal.Taken, []string{"credentials"}, "this account is connected as %q: change that connection", before.Name)
		case err == nil:
			c.ID = before.ID
		case !ent.IsNotFound(err):
			return fmt.Errorf("look for the account: %w", err)
		}
		if before != nil {
			if err := s.resume(ctx, tx, c); err != nil {
				return err
			}
		}
		if err := s.store(ctx, tx, c, in.Fields, before); err != nil {
			return err
		}
		if err := s.limit(ctx, tx, c, adapter); err != nil {
			return err
		}
		s.connectionChanged(tx, c)
		return audit.Write(ctx, tx, s.Now(), audit.Entry{Action: "connectPsa", ObjectID: c.ID, Result: "OK", Detail: c.Kind + " " + c.Name})
	})
	if err != nil {
		return nil, err
	}
	return s.find(ctx, c.ID)
}

// store writes a connection that is new, or connected again.
func (s *Service) store(ctx context.Context, tx *database.Tx, c *ent.PSAConnection, fields map[string]string, before *ent.PSAConnection) error {
	sealed, err := s.sealFields(c, fields)
	if err != nil {
		return err
	}
	own, err := s.seal(c, callbackColumn, []byte(rand.Text()))
	if err != nil {
		return err
	}
	now := s.Now()
	if before == nil {
		err = tx.Client.PSAConnection.Create().SetID(c.ID).SetOrganizationID(c.OrganizationID).SetKind(c.Kind).SetAccount(c.Account).SetName(c.Name).
			SetFields(c.Fields).SetCredentials(sealed).SetCallbackSecret(own).SetSettings(c.Settings).SetDefaultCompanyID(c.DefaultCompanyID).
			SetDefaultCompanyName(c.DefaultCompanyName).SetCallsPerMinute(c.CallsPerMinute).SetPublicNotes(c.PublicNotes).SetOnClose(c.OnClose).
			SetRoutes(c.Routes).SetRoutedTenants(c.RoutedTenants).SetCreatedAt(now).SetUpdatedAt(now).SetLastSuccessAt(now).
			SetUrgency(1). // a pass is short and rare: tickets never keep it waiting
			SetNextAttemptAt(now).Exec(ctx)
	} else {
		err = tx.Client.PSAConnection.UpdateOneID(c.ID).SetName(c.Name).SetFields(c.Fields).SetCredentials(sealed).SetCallbackSecret(own).
			SetSettings(c.Settings).SetDefaultCompanyID(c.DefaultCompanyID).SetDefaultCompanyName(c.DefaultCompanyName).
			SetCallsPerMinute(c.CallsPerMinute).SetPublicNotes(c.PublicNotes).SetOnClose(c.OnClose).SetUpdatedAt(now).SetLastSuccessAt(now).
			SetRoutes(c.Routes).SetRoutedTenants(c.RoutedTenants).ClearRoutedAt().
			SetLastError("").SetLastErrorReason("").ClearLastErrorAt().ClearDisconnectedAt().ClearNextProbeAt().ClearCallbacksAt().
			SetAttempts(0).AddWakes(1).SetNextAttemptAt(now).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("store the PSA connection: %w", err)
	}
	return nil
}

// limit tells the work runner what the PSA bears.
func (s *Service) limit(ctx context.Context, tx *database.Tx, c *ent.PSAConnection, adapter psa.Adapter) error {
	limits := adapter.Describe().Limits
	perMinute := c.CallsPerMinute
	if limits.PerHour > 0 {
		perMinute = max(1, min(perMinute, limits.PerHour/60))
	}
	return s.Work.SetLimit(ctx, tx, connectionLimit, c.ID, c.OrganizationID, limits.Parallel, perMinute)
}

// resume has the tickets of a connection that was ended go on: those that were
// not in step, and those whose incident changed meanwhile.
func (s *Service) resume(ctx context.Context, tx *database.Tx, c *ent.PSAConnection) error {
	return s.restart(ctx, tx, ticket.ConnectionID(c.ID), ticket.StateNotIn(ticket.StateDeleted, ticket.StateCancelled),
		ticket.Or(ticket.StateNEQ(ticket.StateSynced), behindIncident))
}

func (s *Service) connectionChanged(tx *database.Tx, c *ent.PSAConnection) {
	s.Feed.Note(tx, change.Change{OrganizationID: c.OrganizationID, What: change.PSAConnection, ObjectID: c.ID})
}

// Update is what is to change of a connection; nil stays as it is.
type Update struct {
	Name           *string
	Fields         map[string]string // what is named; the others stay
	Settings       map[Setting]string
	DefaultCompany *string
	CallsPerMinute *int
	PublicNotes    *bool
	OnClose        *psaconnection.OnClose
	Routes         *Routes
}

// UpdateConnection changes a connection once its PSA has answered with what is
// new, and has its waiting and failed tickets tried again. Refusals: as
// Connect's; credentials of another account (CONFLICT).
func (s *Service) UpdateConnection(ctx context.Context, id string, in Update) (*ent.PSAConnection, error) {
	c, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.takeOver(ctx, c, in); err != nil {
		return nil, err
	}
	fields, err := s.fieldsOf(c)
	if err != nil {
		return nil, err
	}
	maps.Copy(fields, in.Fields)
	adapter, err := s.Adapter(c)
	if err != nil {
		return nil, err
	}
	if in.Fields != nil || in.Settings != nil || in.DefaultCompany != nil {
		if adapter, err = s.fill(ctx, c, fields, in.Settings, in.DefaultCompany); err != nil {
			return nil, err
		}
	}
	if in.CallsPerMinute != nil {
		if c.CallsPerMinute, err = callsOf(*in.CallsPerMinute, adapter); err != nil {
			return nil, err
		}
	}
	sealed, err := s.sealFields(c, fields)
	if err != nil {
		return nil, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := s.Now()
		err := s.restart(ctx, tx, ticket.ConnectionID(id), ticket.StateNotIn(ticket.StateDeleted, ticket.StateCancelled, ticket.StateSynced))
		if err != nil {
			return err
		}
		if in.Routes != nil {
			if err := s.reroute(ctx, tx, c); err != nil {
				return err
			}
		}
		u := tx.Client.PSAConnection.Update().Where(psaconnection.ID(id), psaconnection.DisconnectedAtIsNil()).
			SetName(c.Name).SetFields(c.Fields).SetCredentials(sealed).SetSettings(c.Settings).
			SetDefaultCompanyID(c.DefaultCompanyID).SetDefaultCompanyName(c.DefaultCompanyName).SetCallsPerMinute(c.CallsPerMinute).
			SetPublicNotes(c.PublicNotes).SetOnClose(c.OnClose).SetUpdatedAt(now).ClearCallbacksAt().
			SetAttempts(0).AddWakes(1).SetNextAttemptAt(now)
		if in.Routes != nil { // and look for live incidents that it leads here now
			u.SetRoutes(c.Routes).SetRoutedTenants(c.RoutedTenants).SetRoutedAt(now).ClearNextProbeAt()
		}
		n, err := u.Save(ctx)
		if err != nil {
			return fmt.Errorf("store PSA connection %s: %w", id, err)
		}
		if n == 0 {
			return errNoConnection()
		}
		if err := s.limit(ctx, tx, c, adapter); err != nil {
			return err
		}
		s.connectionChanged(tx, c)
		return audit.Write(ctx, tx, now, audit.Entry{Action: "updatePsaConnection", ObjectID: id, Result: "OK", Detail: c.Name})
	})
	if err != nil {
		return nil, err
	}
	return s.find(ctx, id)
}

// Disconnect ends a connection. Its tickets stay as they are, in the PSA and
// here; its credentials are forgotten, its callbacks removed where the PSA lets us.
func (s *Service) Disconnect(ctx context.Context, id string) (*ent.PSAConnection, error) {
	c, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	s.removeCallbacks(ctx, c)
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := s.Now()
		err := tx.Client.Ticket.Update().Where(ticket.ConnectionID(id), ticket.NextAttemptAtNotNil()).ClearNextAttemptAt().Exec(ctx)
		if err != nil {
			return fmt.Errorf("end the work on tickets: %w", err)
		}
		c, err = tx.Client.PSAConnection.UpdateOneID(id).SetDisconnectedAt(now).SetUpdatedAt(now).SetCredentials([]byte{}).ClearCallbackSecret().
			ClearNextAttemptAt().Save(ctx)
		if err != nil {
			return fmt.Errorf("disconnect PSA connection %s: %w", id, err)
		}
		s.connectionChanged(tx, c)
		return audit.Write(ctx, tx, now, audit.Entry{Action: "disconnectPsa", ObjectID: id, Result: "OK", Detail: c.Name})
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	delete(s.adapters, id)
	s.mu.Unlock()
	return c, nil
}

// takeOver puts what no PSA is asked about into the connection.
func (s *Service) takeOver(ctx context.Context, c *ent.PSAConnection, in Update) (err error) {
	if in.Name != nil {
		if c.Name, err = checkName(*in.Name); err != nil {
			return err
		}
	}
	if in.PublicNotes != nil {
		c.PublicNotes = *in.PublicNotes
	}
	if in.OnClose != nil {
		c.OnClose = *in.OnClose
	}
	if in.Routes != nil {
		return s.route(ctx, c, *in.Routes)
	}
	return nil
}

// removeWithin is how long disconnecting waits for the PSA.
const removeWithin = 10 * time.Second

func (s *Service) removeCallbacks(ctx context.Context, c *ent.PSAConnection) {
	if s.PublicURL == nil || c.CallbacksAt == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, removeWithin)
	defer cancel()
	adapter, err := s.Adapter(c)
	if err == nil {
		if receiver, ok := adapter.(psa.CallbackReceiver); ok {
			err = receiver.RemoveCallbacks(ctx, s.callbackURL(c.ID).String())
		}
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "the PSA's callbacks could not be removed; they will be refused", "connection", c.ID, "error", err)
	}
}

// Verify asks the PSA for every right Cairn needs. Where none is missing, tickets
// that failed are tried again.
func (s *Service) Verify(ctx context.Context, id string) (*ent.PSAConnection, []psa.Right, error) {
	c, err := s.find(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	adapter, err := s.Adapter(c)
	if err != nil {
		return nil, nil, err
	}
	rights, err := adapter.Verify(ctx)
	if err != nil {
		return nil, nil, refuse([]string{"id"}, c, err)
	}
	for _, r := range rights {
		if r.State == psa.RightMissing && !r.Optional {
			return c, rights, nil
		}
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		return s.restart(ctx, tx, ticket.ConnectionID(id), ticket.StateIn(ticket.StateFailed, ticket.StateRetrying))
	})
	if err != nil {
		return nil, nil, err
	}
	return c, rights, s.answered(ctx, c)
}

// Health is how a connection answers, and what of its budget is used.
func (s *Service) Health(ctx context.Context, c *ent.PSAConnection) (work.LimitState, error) {
	return s.Work.LimitState(ctx, connectionLimit, c.ID)
}

func (s *Service) find(ctx context.Context, id string) (*ent.PSAConnection, error) {
	c, err := s.DB.Client().PSAConnection.Query().Where(psaconnection.ID(id), psaconnection.DisconnectedAtIsNil()).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, errNoConnection()
	}
	if err != nil {
		return nil, fmt.Errorf("read PSA connection %s: %w", id, err)
	}
	return c, nil
}

func errNoConnection() error {
	return refusal.New(refusal.NotFound, []string{"id"}, "no PSA connection has this id")
}
