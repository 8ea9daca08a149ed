package microsoft365

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"
)

// Exchange is the administration endpoint behind Exchange Online's PowerShell
// module. Microsoft does not document it; it is the only way without PowerShell
// to hidden inbox rules, forwarding and transport rules, and nothing outside
// this file knows how it is called.

// Command is one cmdlet and where it runs.
type command struct {
	doing  string
	cmdlet string
	with   map[string]any
	// mailbox is whose server answers; "" is the tenant's own.
	mailbox string
}

// The tenant's own mailboxes, by which Exchange finds the server.
const (
	anchorTenant = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"
	anchorAudit  = "SystemMailbox{8cc370d3-822a-4ab8-a926-bb94bd0641a9}"
)

// invoke runs a cmdlet and returns what it wrote, page by page.
func (t *Tenant) invoke(ctx context.Context, c command) iter.Seq2[Page, error] {
	root := t.app.endpoints.Exchange.Address + "/adminapi/beta/" + t.ID + "/InvokeCommand"
	anchor := c.mailbox
	switch {
	case c.cmdlet == "Get-AdminAuditLogConfig":
		anchor = "APP:" + anchorAudit + "@" + t.ID
	case anchor == "":
		anchor = "APP:" + anchorTenant + "@" + t.ID
	case isGUID(anchor):
		anchor = "OID:" + anchor + "@" + t.ID
	}
	if c.with == nil {
		c.with = map[string]any{}
	}
	return func(yield func(Page, error) bool) {
		seen := map[string]bool{}
		for address := root; ; {
			seen[address] = true
			raw, _, err := t.do(ctx, request{
				doing: c.doing, method: http.MethodPost, address: address,
				header: map[string]string{"X-AnchorMailbox": anchor, "Prefer": "odata.maxpagesize=1000", "X-CmdletName": c.cmdlet},
				body:   map[string]any{"CmdletInput": map[string]any{"CmdletName": c.cmdlet, "Parameters": c.with}},
			})
			if err != nil {
				yield(Page{}, err)
				return
			}
			page := Page{}
			if len(raw) > 0 { // writes answer with nothing
				if page, err = readPage(raw); err != nil {
					yield(Page{}, fail(ReasonProtocol, c.doing, "the answer is not the JSON it should be"))
					return
				}
			}
			if page.Next != "" && (seen[page.Next] || !ownAddress(page.Next, root)) {
				yield(Page{}, fail(ReasonRefused, c.doing, "the list leads elsewhere"))
				return
			}
			if !yield(page, nil) || page.Next == "" {
				return
			}
			address = page.Next
		}
	}
}

// run runs a cmdlet for its effect. What is gone already is done.
func (t *Tenant) run(ctx context.Context, c command) error {
	for _, err := range t.invoke(ctx, c) {
		if Is(err, ReasonNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// AuditLogOn says whether the tenant's unified audit log takes records in.
func (t *Tenant) AuditLogOn(ctx context.Context) (bool, error) {
	const doing = "read whether auditing is on"
	type config struct {
		On flag `json:"UnifiedAuditLogIngestionEnabled"`
	}
	all, err := records(t.invoke(ctx, command{doing: doing, cmdlet: "Get-AdminAuditLogConfig"}), doing, func(*config, json.RawMessage) {})
	if err != nil {
		return false, err
	}
	if len(all) == 0 {
		return false, fail(ReasonProtocol, doing, "Exchange told of no configuration")
	}
	return bool(all[0].On), nil
}

// Mailbox is a mailbox's kind and where it sends mail on to.
type Mailbox struct {
	ObjectID          string `json:"ExternalDirectoryObjectId"` // the account's
	GUID              string `json:"ExchangeGuid"`
	UserPrincipalName string `json:"UserPrincipalName"`
	// Kind is UserMailbox, SharedMailbox, RoomMailbox, EquipmentMailbox, …
	Kind string `json:"RecipientTypeDetails"`
	// ForwardingAddress is a recipient of the tenant, ForwardingSMTPAddress any
	// address; "" where mail is not sent on.
	ForwardingAddress     string          `json:"ForwardingAddress"`
	ForwardingSMTPAddress string          `json:"ForwardingSmtpAddress"`
	KeepsCopy             flag            `json:"DeliverToMailboxAndForward"`
	Raw                   json.RawMessage `json:"-"`
}

// Forwards says whether the mailbox sends mail on.
func (m Mailbox) Forwards() bool { return m.ForwardingAddress != "" || m.ForwardingSMTPAddress != "" }

// Mailboxes reads all mailboxes with their kinds and forwarding.
func (t *Tenant) Mailboxes(ctx context.Context) ([]Mailbox, error) {
	return t.mailboxes(ctx, command{doing: "read mailboxes", cmdlet: "Get-Mailbox", with: map[string]any{"ResultSize": "Unlimited"}})
}

// Mailbox reads one account's mailbox by its object id. ReasonNoMailbox where it has none.
func (t *Tenant) Mailbox(ctx context.Context, account string) (Mailbox, error) {
	c := command{doing: "read a mailbox", cmdlet: "Get-Mailbox", with: map[string]any{"Identity": account}, mailbox: account}
	all, err := t.mailboxes(ctx, c)
	if Is(err, ReasonNotFound) || err == nil && len(all) == 0 {
		return Mailbox{}, fail(ReasonNoMailbox, c.doing, "the account has no mailbox")
	}
	if err != nil {
		return Mailbox{}, err
	}
	return all[0], nil
}

func (t *Tenant) mailboxes(ctx context.Context, c command) ([]Mailbox, error) {
	return records(t.invoke(ctx, c), c.doing, func(m *Mailbox, raw json.RawMessage) { m.Raw = raw })
}

// TransportRule is a rule for all mail of a tenant.
type TransportRule struct {
	ID          string          `json:"Guid"`
	Name        string          `json:"Name"`
	State       string          `json:"State"` // Enabled, Disabled
	Description string          `json:"Description"`
	RedirectTo  texts           `json:"RedirectMessageTo"`
	BlindCopyTo texts           `json:"BlindCopyTo"`
	Deletes     flag            `json:"DeleteMessage"`
	Raw         json.RawMessage `json:"-"`
}

// TransportRules reads the tenant's transport rules.
func (t *Tenant) TransportRules(ctx context.Context) ([]TransportRule, error) {
	c := command{doing: "read transport rules", cmdlet: "Get-TransportRule"}
	return records(t.invoke(ctx, c), c.doing, func(r *TransportRule, raw json.RawMessage) { r.Raw = raw })
}

// Delegate is somebody with rights on a mailbox that is not theirs.
type Delegate struct {
	User   string          `json:"User"`
	Rights texts           `json:"AccessRights"`
	Denied flag            `json:"Deny"`
	Raw    json.RawMessage `json:"-"`
}

// Delegates reads who has rights on an account's mailbox, beside the account
// itself and what Exchange inherits to every mailbox.
func (t *Tenant) Delegates(ctx context.Context, account string) ([]Delegate, error) {
	type permission struct {
		Delegate

		Inherited flag `json:"IsInherited"`
	}
	c := command{doing: "read a mailbox's delegates", cmdlet: "Get-MailboxPermission", with: map[string]any{"Identity": account}, mailbox: account}
	all, err := records(t.invoke(ctx, c), c.doing, func(p *permission, raw json.RawMessage) { p.Raw = raw })
	var delegates []Delegate
	for _, p := range all {
		if !bool(p.Inherited) && !strings.EqualFold(p.User, `NT AUTHORITY\SELF`) {
			delegates = append(delegates, p.Delegate)
		}
	}
	return delegates, err
}

// flag is true or false, which Exchange writes in more than one way.
type flag bool

// UnmarshalJSON takes true, "True" and null.
func (f *flag) UnmarshalJSON(raw []byte) error {
	switch strings.ToLower(strings.Trim(string(raw), `"`)) {
	case "true":
		*f = true
	case "false", "null", "":
		*f = false
	default:
		return errors.New("neither true nor false")
	}
	return nil
}

// texts are several or one, as Exchange likes.
type texts []string

// UnmarshalJSON takes a list, a text and null.
func (t *texts) UnmarshalJSON(raw []byte) error {
	var several []string
	if err := json.Unmarshal(raw, &several); err == nil {
		*t = several
		return nil
	}
	var one string
	if err := json.Unmarshal(raw, &one); err != nil {
		return errors.New("neither a text nor a list of texts")
	}
	*t = texts{one}
	return nil
}
