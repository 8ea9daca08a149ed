package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/apikey"
	"github.com/cairn-itdr/cairn/internal/audit"
	"github.com/cairn-itdr/cairn/internal/grant"
	"github.com/cairn-itdr/cairn/internal/importer"
	"github.com/cairn-itdr/cairn/internal/intel"
	"github.com/cairn-itdr/cairn/internal/mail"
	"github.com/cairn-itdr/cairn/internal/member"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

// CreateOrganization makes another organization and returns its id.
func (a *App) CreateOrganization(ctx context.Context, name string) (string, error) {
	o, err := a.Organizations.Create(ctx, name)
	if err != nil {
		return "", err
	}
	return o.ID, nil
}

// NewKey is what a new API key is to be.
type NewKey struct {
	// Organization is an id or a name, and empty where there is only one; an
	// empty installation gets its first.
	Organization string

	Name    string
	Role    string
	Tenants []string // names, or ids of Cairn's or Microsoft's
	Flags
	ExpiresAt *time.Time
}

// Flags are those of a member or a key.
type Flags struct{ ReadOnly, ManageTenants, ViewSensitive bool }

func (f Flags) list() []access.Flag { return grant.Flags(f.ReadOnly, f.ManageTenants, f.ViewSensitive) }

// CreateAPIKey makes a key and returns it, this once.
func (a *App) CreateAPIKey(ctx context.Context, k NewKey) (string, error) {
	if _, err := apikey.CheckName(k.Name); err != nil { // before an organization is made for it
		return "", err
	}
	if _, problem := (access.Grant{Role: access.Role(k.Role), Flags: k.list()}).Check(access.PrincipalAPIKey); problem != "" {
		return "", refusal.New(refusal.Invalid, []string{"role"}, "%s", problem)
	}
	o, err := a.Organizations.Resolve(ctx, k.Organization)
	if err != nil {
		return "", err
	}
	ctx = access.System(ctx, commandLine, o.ID)
	tenants, err := a.tenantIDs(ctx, k.Tenants)
	if err != nil {
		return "", err
	}
	_, key, err := a.APIKeys.Create(ctx, apikey.Create{
		Name: k.Name, Role: access.Role(k.Role), Flags: k.list(), Tenants: tenants, ExpiresAt: k.ExpiresAt,
	})
	return key, err
}

// commandLine is the duty that the machine's owner acts as.
const commandLine = "command line"

// tenantIDs finds the tenants that a person names at the command line.
func (a *App) tenantIDs(ctx context.Context, names []string) (ids []string, err error) {
	for _, name := range names {
		t, err := a.Tenants.Find(ctx, name)
		if r := refusal.From(err); r != nil && r.Code == refusal.NotFound {
			if t, err = a.Tenants.ByName(ctx, name); err == nil && !tenant.Stored(t) {
				err = refusal.New(refusal.NotFound, []string{"tenant"}, "no tenant is named %q, and none has it as its id", name)
			}
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, t.ID)
	}
	return ids, nil
}

// NewMember is what a new member is to be.
type NewMember struct {
	Organization string // as of NewKey
	Email, Name  string
	Role         string
	Tenants      []string // as of NewKey
	Flags
}

// CreateMember makes a member, if there is none of that address yet, and
// returns a link that lets it in once.
func (a *App) CreateMember(ctx context.Context, m NewMember) (string, error) {
	if _, err := mail.Address(m.Email); err != nil { // before an organization is made for it
		return "", refusal.New(refusal.Invalid, []string{"email"}, "%v", err)
	}
	o, err := a.Organizations.Resolve(ctx, m.Organization)
	if err != nil {
		return "", err
	}
	ctx = access.System(ctx, commandLine, o.ID)
	tenants, err := a.tenantIDs(ctx, m.Tenants)
	if err != nil {
		return "", err
	}
	_, link, err := a.Members.Create(ctx, m.Email, m.Name, member.Place{Role: access.Role(m.Role), Flags: m.list(), Tenants: tenants})
	return link, err
}

// VerifyAudit walks the chains of all audit logs, and seals first what waits.
// The error wraps audit.ErrBroken where one does not hold.
func (a *App) VerifyAudit(ctx context.Context) ([]audit.Verification, error) {
	if _, err := a.Sealer.Seal(ctx); err != nil {
		return nil, err
	}
	return a.Sealer.Verify(ctx)
}

// ImportOrder says what to import, and into what.
type ImportOrder struct {
	Organization    string // as of CreateAPIKey
	Tenant          string // by name; made with the first record taken if there is none
	MicrosoftTenant string // id of the directory to bind a new tenant to; empty: the one most records name
	AcceptForeign   bool   // take records of other directories as the tenant's own

	Files []string // "-" is standard input
	Stdin io.Reader

	// Progress is told the bytes read so far, and how many there are in all;
	// -1 where that is not known. May be nil.
	Progress func(read, size int64)
}

// Import imports files for the command line. The summary is nil where nothing
// was begun; with an error and a summary, what it counts as new is stored.
func (a *App) Import(ctx context.Context, order ImportOrder) (*importer.Summary, error) {
	if order.MicrosoftTenant != "" { // before an organization is made for it
		if _, err := tenant.CheckMicrosoftID(order.MicrosoftTenant); err != nil {
			return nil, err
		}
	}
	in, err := a.importer()
	if err != nil {
		return nil, err
	}
	o, err := a.Organizations.Resolve(ctx, order.Organization)
	if err != nil {
		return nil, err
	}
	ctx = access.System(ctx, "import at the command line", o.ID)
	t, err := a.Tenants.ByName(ctx, order.Tenant)
	if err != nil {
		return nil, err
	}
	sources, size := order.sources(ctx)
	options := importer.Options{MicrosoftTenantID: order.MicrosoftTenant, AcceptForeign: order.AcceptForeign}
	if order.Progress != nil {
		options.Progress = func(read int64) { order.Progress(read, size) }
	}
	summary, err := in.Import(ctx, t, sources, options)
	if refusal.From(err) != nil && summary.Read == 0 {
		return nil, err
	}
	return &summary, err
}

// sources names what to read, and how many bytes that is; -1 where unknown.
func (o *ImportOrder) sources(ctx context.Context) (list []importer.Source, size int64) {
	for _, name := range o.Files {
		if name == "-" {
			size = -1
			list = append(list, importer.Source{
				Name: "standard input",
				Open: func() (io.ReadCloser, error) { return interruptible(ctx, io.NopCloser(o.Stdin)), nil },
			})
			continue
		}
		info, err := os.Stat(name)
		regular := err == nil && info.Mode().IsRegular()
		if regular && size >= 0 {
			size += info.Size()
		}
		list = append(list, importer.Source{
			Name:       name,
			Rereadable: regular,
			Open: func() (io.ReadCloser, error) {
				if err == nil && info.IsDir() {
					return nil, errors.New("it is a folder: name the files in it")
				}
				f, err := os.Open(name)
				if err != nil || regular {
					return f, err
				}
				return interruptible(ctx, f), nil
			},
		})
	}
	return list, size
}

// interruptible reads from what may keep one waiting (a pipe, a terminal) until
// ctx ends. A read that waits then cannot be called back: the process ends
// without it.
func interruptible(ctx context.Context, input io.ReadCloser) io.ReadCloser {
	out, in := io.Pipe()
	stop := context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	go func() {
		defer stop()
		_, err := io.Copy(in, input)
		in.CloseWithError(errors.Join(err, input.Close()))
	}()
	return out
}

// intelDir is where an installation keeps the operator's address lists.
func intelDir(dataDir string) string { return filepath.Join(dataDir, "intel") }

// UpdateIntel loads address lists and databases, all of them or none. kind is
// what plain lists are of; empty where there are none.
func UpdateIntel(dataDir, kind string, files []string, now func() time.Time) (intel.Report, error) {
	return intel.Update(intelDir(dataDir), files, intel.Options{Kind: activity.NetworkKind(strings.ToUpper(kind)), Now: now})
}

// IntelSources returns the address tables in use with their licence notices.
func IntelSources(dataDir string) ([]intel.Source, error) {
	tables, err := intel.Open(intelDir(dataDir))
	if err != nil {
		return nil, fmt.Errorf("open the address tables: %w", err)
	}
	return tables.Sources(), nil
}

// IntelKinds returns the kinds a plain list can be of.
func IntelKinds() []string {
	var names []string
	for _, k := range intel.Kinds() {
		names = append(names, strings.ToLower(string(k)))
	}
	return names
}

// Notice returns the licence notices of the data that ships.
func Notice() string { return intel.Notice() }
