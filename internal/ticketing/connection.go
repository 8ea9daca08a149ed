package ticketing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/ent/psaconnection"
	"github.com/cairn-itdr/cairn/ent/ticket"
	"github.com/cairn-itdr/cairn/integrations/psa"
	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/naming"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// ConnectionPrefix is the type prefix of the ids of PSA connections.
const ConnectionPrefix = "psaconnection"

const (
	// standardCalls is the budget where nobody says another: ConnectWise names
	// no limit, and its edge is known to answer 429.
	standardCalls = 300
	maxCalls      = 60_000
)

// Connect is what a PSA is connected with.
type Connect struct {
	Kind           string
	Name           string
	Fields         map[string]string // by Vendor.Fields, secrets among them
	Settings       map[Setting]string
	DefaultCompany string // id; empty for none
	CallsPerMinute int    // 0 for the standard
}

// Connect connects a PSA once it has answered with these credentials. Refusals:
// a field or setting that can't be right, credentials the PSA does not take, a
// PSA that can't be reached (INVALID, with what it said).
func (s *Service) Connect(ctx context.Context, in Connect) (*ent.PSAConnection, error) {
	scope, err := access.From(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect a PSA: %w", err)
	}
	name, err := naming.Check("name", in.Name)
	if err != nil {
		return nil, err
	}
	calls, err := checkCalls(in.CallsPerMinute)
	if err != nil {
		return nil, err
	}
	c := &ent.PSAConnection{ID: typeid.New(ConnectionPrefix), OrganizationID: scope.OrganizationID, Kind: in.Kind, Name: name, CallsPerMinute: calls}
	if err := s.fill(ctx, c, in.Fields, in.Settings, &in.DefaultCompany); err != nil {
		return nil, err
	}
	sealed, err := s.seal(c, in.Fields)
	if err != nil {
		return nil, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := s.Now()
		c, err = tx.Client.PSAConnection.Create().SetID(c.ID).SetOrganizationID(scope.OrganizationID).SetKind(c.Kind).SetName(c.Name).
			SetFields(c.Fields).SetCredentials(sealed).SetSettings(c.Settings).SetDefaultCompanyID(c.DefaultCompanyID).
			SetDefaultCompanyName(c.DefaultCompanyName).SetCallsPerMinute(calls).SetCreatedAt(now).SetUpdatedAt(now).SetLastSuccessAt(now).Save(ctx)
		if err != nil {
			return fmt.Errorf("store the PSA connection: %w", err)
		}
		return audit.Write(ctx, tx, now, audit.Entry{Action: "connectPsa", ObjectID: c.ID, Result: "OK", Detail: c.Kind + " " + c.Name})
	})
	return c, err
}

// Update is what is to change of a connection; nil stays as it is.
type Update struct {
	Name           *string
	Fields         map[string]string // what is named; the others stay
	Settings       map[Setting]string
	DefaultCompany *string
	CallsPerMinute *int
}

// Update changes a connection once its PSA has answered with what is new, and
// has its waiting and failed tickets tried again.
func (s *Service) Update(ctx context.Context, id string, in Update) (*ent.PSAConnection, error) {
	c, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if in.Name != nil {
		if c.Name, err = naming.Check("name", *in.Name); err != nil {
			return nil, err
		}
	}
	if in.CallsPerMinute != nil {
		if c.CallsPerMinute, err = checkCalls(*in.CallsPerMinute); err != nil {
			return nil, err
		}
	}
	fields, err := s.fieldsOf(c)
	if err != nil {
		return nil, err
	}
	maps.Copy(fields, in.Fields)
	if in.Fields != nil || in.Settings != nil || in.DefaultCompany != nil {
		if err := s.fill(ctx, c, fields, in.Settings, in.DefaultCompany); err != nil {
			return nil, err
		}
	}
	sealed, err := s.seal(c, fields)
	if err != nil {
		return nil, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		now := s.Now()
		if err := s.retryAll(ctx, tx, c); err != nil {
			return err
		}
		c, err = tx.Client.PSAConnection.UpdateOneID(c.ID).SetName(c.Name).SetFields(c.Fields).SetCredentials(sealed).SetSettings(c.Settings).
			SetDefaultCompanyID(c.DefaultCompanyID).SetDefaultCompanyName(c.DefaultCompanyName).SetCallsPerMinute(c.CallsPerMinute).
			SetUpdatedAt(now).SetFailures(0).ClearPausedUntil().ClearBudgetAt().ClearNextPollAt().ClearCallbacksAt().Save(ctx)
		if err != nil {
			return fmt.Errorf("store PSA connection %s: %w", id, err)
		}
		return audit.Write(ctx, tx, now, audit.Entry{Action: "updatePsaConnection", ObjectID: id, Result: "OK", Detail: c.Name})
	})
	return c, err
}

// retryAll has the tickets that wait for a person tried again.
func (s *Service) retryAll(ctx context.Context, tx *database.Tx, c *ent.PSAConnection) error {
	return s.dueIn(ctx, tx, c, func(u *ent.TicketUpdate) { u.SetState(ticket.StatePending).SetAttempts(0) },
		ticket.ConnectionID(c.ID), ticket.StateIn(ticket.StateWaiting, ticket.StateFailed, ticket.StateRetrying))
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
		if err := tx.Client.Ticket.Update().Where(ticket.ConnectionID(id)).ClearNextAttemptAt().Exec(ctx); err != nil {
			return fmt.Errorf("end the work on tickets: %w", err)
		}
		c, err = tx.Client.PSAConnection.UpdateOneID(id).SetDisconnectedAt(now).SetUpdatedAt(now).SetCredentials([]byte{}).Save(ctx)
		if err != nil {
			return fmt.Errorf("disconnect PSA connection %s: %w", id, err)
		}
		return audit.Write(ctx, tx, now, audit.Entry{Action: "disconnectPsa", ObjectID: id, Result: "OK", Detail: c.Name})
	})
	return c, err
}

func (s *Service) removeCallbacks(ctx context.Context, c *ent.PSAConnection) {
	if s.PublicURL == nil || c.CallbacksAt == nil {
		return
	}
	_, adapter, err := s.adapter(c)
	if err == nil {
		if receiver, ok := adapter.(psa.CallbackReceiver); ok {
			err = receiver.RemoveCallbacks(ctx, s.callbackURL(c.ID).String())
		}
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "the PSA's callbacks could not be removed; they will be refused", "connection", c.ID, "error", err)
	}
}

// Verify asks the PSA for every right Cairn needs.
func (s *Service) Verify(ctx context.Context, id string) (*ent.PSAConnection, []psa.Right, error) {
	c, err := s.find(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	_, adapter, err := s.adapter(c)
	if err != nil {
		return nil, nil, err
	}
	rights, err := adapter.Verify(ctx)
	if err != nil {
		return nil, nil, refuse([]string{"id"}, c, err)
	}
	return c, rights, s.answered(ctx, c.ID)
}

// Adapter returns the adapter of a connection, for reading what can be chosen.
func (s *Service) Adapter(c *ent.PSAConnection) (psa.Adapter, error) {
	_, adapter, err := s.adapter(c)
	return adapter, err
}

func (s *Service) find(ctx context.Context, id string) (*ent.PSAConnection, error) {
	c, err := s.DB.Client().PSAConnection.Query().Where(psaconnection.ID(id), psaconnection.DisconnectedAtIsNil()).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, refusal.New(refusal.NotFound, []string{"id"}, "no PSA connection has this id")
	}
	if err != nil {
		return nil, fmt.Errorf("read PSA connection %s: %w", id, err)
	}
	return c, nil
}

// fieldsOf returns what a connection was made with, secrets among it.
func (s *Service) fieldsOf(c *ent.PSAConnection) (map[string]string, error) {
	keeper, err := s.Secrets()
	if err != nil {
		return nil, err
	}
	plain, err := keeper.Open(c.OrganizationID, c.ID, c.Credentials)
	if err != nil {
		return nil, fmt.Errorf("open the credentials of PSA connection %q: %w", c.Name, err)
	}
	fields := map[string]string{}
	if err := json.Unmarshal(plain, &fields); err != nil {
		return nil, fmt.Errorf("read the credentials of PSA connection %q: %w", c.Name, err)
	}
	maps.Copy(fields, c.Fields)
	return fields, nil
}

// seal seals what of the fields must not be shown.
func (s *Service) seal(c *ent.PSAConnection, fields map[string]string) ([]byte, error) {
	keeper, err := s.Secrets()
	if err != nil {
		return nil, err
	}
	secrets := map[string]string{}
	for _, f := range s.Vendors[c.Kind].Fields {
		if f.Secret {
			secrets[f.Name] = fields[f.Name]
		}
	}
	plain, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("seal credentials: %w", err)
	}
	return keeper.Seal(c.OrganizationID, c.ID, plain)
}

// fill checks fields, settings and default company with the PSA itself, and
// puts what may be shown into the connection.
func (s *Service) fill(ctx context.Context, c *ent.PSAConnection, fields map[string]string, settings map[Setting]string, company *string) error {
	vendor, ok := s.Vendors[c.Kind]
	if !ok {
		return refusal.New(refusal.Invalid, []string{"kind"}, "there is no adapter for PSAs of kind %s", c.Kind)
	}
	adapter, err := vendor.New(fields, s.Client, s.Now)
	if err != nil {
		return refuse([]string{"credentials"}, c, err)
	}
	if _, err := adapter.Verify(ctx); err != nil {
		return refuse([]string{"credentials"}, c, err)
	}
	c.Fields = map[string]string{}
	for _, f := range vendor.Fields {
		if !f.Secret {
			c.Fields[f.Name] = fields[f.Name]
		}
	}
	if err := choose(ctx, c, adapter, settings); err != nil {
		return err
	}
	if company == nil {
		return nil
	}
	if *company == "" {
		c.DefaultCompanyID, c.DefaultCompanyName = "", ""
		return nil
	}
	there, err := usable(ctx, c, adapter, *company, "defaultCompanyId")
	if err != nil {
		return err
	}
	c.DefaultCompanyID, c.DefaultCompanyName = there.ID, there.Name
	return nil
}

// choose takes settings over, each checked against what the PSA offers. Where a
// board is chosen without statuses it takes the board's own: the first that
// closes, and the default for opening again.
func choose(ctx context.Context, c *ent.PSAConnection, adapter psa.Adapter, settings map[Setting]string) error {
	next := map[string]string{}
	maps.Copy(next, c.Settings)
	if board, ok := settings[Board]; ok && board != next[string(Board)] {
		for _, s := range []Setting{Type, StatusNew, StatusClosed, StatusReopened} { // a board has its own
			delete(next, string(s))
		}
	}
	for s, id := range settings {
		if id == "" {
			delete(next, string(s))
		} else {
			next[string(s)] = id
		}
	}
	c.Settings = next
	if len(settings) == 0 {
		return nil
	}
	offered := map[psa.Setting][]psa.Choice{}
	for _, s := range orderedSettings() {
		id := next[string(s)]
		kind := settingKinds[s]
		needsStatus := kind == psa.SettingStatus && s != StatusNew && next[string(Board)] != ""
		if id == "" && !needsStatus {
			continue
		}
		if _, asked := offered[kind]; !asked {
			all, err := adapter.Choices(ctx, kind, within(adapter, kind, next[string(Board)]))
			if err != nil {
				return refuse([]string{"settings"}, c, err)
			}
			offered[kind] = all
		}
		if id == "" {
			id = proposed(s, offered[kind])
			if id != "" {
				next[string(s)] = id
			}
			continue
		}
		if err := check(c, s, id, offered[kind]); err != nil {
			return err
		}
	}
	return nil
}

// orderedSettings has the board first: the others depend on it.
func orderedSettings() []Setting {
	return []Setting{
		Board, Type, Source, StatusNew, StatusClosed, StatusReopened,
		PriorityCritical, PriorityHigh, PriorityMedium, PriorityLow,
	}
}

// within is the choice a setting's choices depend on.
func within(adapter psa.Adapter, kind psa.Setting, board string) string {
	for _, d := range adapter.Describe().Settings {
		if d.Setting == kind && d.Within == psa.SettingBoard {
			return board
		}
	}
	return ""
}

func proposed(s Setting, offered []psa.Choice) string {
	for _, c := range offered {
		if !c.Inactive && (s == StatusClosed && c.Closed || s == StatusReopened && c.Default && !c.Closed) {
			return c.ID
		}
	}
	if s == StatusReopened {
		for _, c := range offered {
			if !c.Inactive && !c.Closed {
				return c.ID
			}
		}
	}
	return ""
}

func check(c *ent.PSAConnection, s Setting, id string, offered []psa.Choice) error {
	field := []string{"settings", string(s)}
	i := slices.IndexFunc(offered, func(x psa.Choice) bool { return x.ID == id })
	if i < 0 {
		return refusal.New(refusal.Invalid, field, "%s offers no choice %q for %s here; it offers: %s", c.Name, id, s, names(offered))
	}
	switch x := offered[i]; {
	case x.Inactive:
		return refusal.New(refusal.Invalid, field, "%q is inactive in %s", x.Name, c.Name)
	case s == StatusClosed && !x.Closed:
		return refusal.New(refusal.Invalid, field, "tickets with status %q are not closed in %s", x.Name, c.Name)
	case (s == StatusNew || s == StatusReopened) && x.Closed:
		return refusal.New(refusal.Invalid, field, "tickets with status %q are closed in %s", x.Name, c.Name)
	}
	return nil
}

// shownNames is how many choices an error repeats.
const shownNames = 20

func names(offered []psa.Choice) string {
	var out []string
	for _, x := range offered {
		if !x.Inactive {
			out = append(out, fmt.Sprintf("%s (%s)", x.Name, x.ID))
		}
	}
	if more := len(out) - shownNames; more > 0 {
		out = append(out[:shownNames], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

func checkCalls(n int) (int, error) {
	if n == 0 {
		return standardCalls, nil
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
	return refusal.New(refusal.Invalid, field, "%s", explain(c, nil, "", err))
}
