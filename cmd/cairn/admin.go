package main

import (
	"fmt"
	"io"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/app"
)

type adminCommand struct {
	Init initCommand `cmd:"" help:"Make the master key that seals secrets, outside the data folder."`

	CreateOrganization createOrganizationCommand `cmd:"" name:"create-organization" help:"Make another organization and print its id."`

	CreateAPIKey createAPIKeyCommand `cmd:"" name:"create-api-key" help:"Make an API key and print it, this once."`
	CreateMember createMemberCommand `cmd:"" name:"create-member" help:"Make a member, if there is none of that address, and print a link that lets it in once."`
}

type initCommand struct{}

// Run makes the key and prints where it lies.
func (*initCommand) Run(c *cli, sys *system) error {
	path := c.masterKeyFile()
	if err := app.MakeMasterKey(path, c.dataDir()); err != nil {
		return err
	}
	sys.warnf("Keep a copy of this file apart from the data and its backups: without it, sealed secrets must be entered again.")
	_, err := fmt.Fprintln(sys.stdout, path)
	return err
}

type createOrganizationCommand struct {
	Name string `arg:"" help:"What it is called; no other organization of the installation may have the name."`
}

// Run prints the id alone on standard output.
func (o *createOrganizationCommand) Run(c *cli, sys *system) error {
	return c.open(sys, func(a *app.App) error {
		id, err := a.CreateOrganization(sys, o.Name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sys.stdout, id)
		return err
	})
}

// given are the flags that a member or a key may have.
type given struct {
	ReadOnly      bool `help:"It may only look."`
	ManageTenants bool `help:"It may onboard, pause and remove tenants (FULL_MEMBER, SALES)."`
	ViewSensitive bool `help:"It sees sensitive tenants (FULL_MEMBER, PARTIAL_MEMBER)."`
}

func (f given) app() app.Flags {
	return app.Flags{ReadOnly: f.ReadOnly, ManageTenants: f.ManageTenants, ViewSensitive: f.ViewSensitive}
}

type createAPIKeyCommand struct {
	given

	Role         string        `required:"" enum:"ADMIN,FULL_MEMBER,PARTIAL_MEMBER,EXTERNAL_GUEST,SALES,BILLING" help:"The key's role: ${enum}."`
	Organization string        `placeholder:"NAME" help:"The organization, where there are several; an empty installation gets its first, of this name."`
	Name         string        `default:"command line" help:"What the key is for."`
	Tenant       []string      `sep:"none" placeholder:"TENANT" help:"A tenant it is for, by name or id; may be given several times. PARTIAL_MEMBER and EXTERNAL_GUEST need one, other roles are narrowed."`
	Expires      time.Duration `placeholder:"DURATION" help:"After how long it stops, such as 720h; left out, it does not."`
}

// Run prints the key alone on standard output.
func (k *createAPIKeyCommand) Run(c *cli, sys *system) error {
	wanted := app.NewKey{Organization: k.Organization, Name: k.Name, Role: k.Role, Tenants: k.Tenant, Flags: k.app()}
	if k.Expires != 0 {
		at := now().Add(k.Expires)
		wanted.ExpiresAt = &at
	}
	return c.open(sys, func(a *app.App) error {
		key, err := a.CreateAPIKey(sys, wanted)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sys.stdout, key)
		return err
	})
}

type createMemberCommand struct {
	given

	Email        string   `required:"" placeholder:"ADDRESS" help:"The mail address, by which the person signs in."`
	Name         string   `help:"The name others see."`
	Role         string   `default:"ADMIN" enum:"ADMIN,FULL_MEMBER,PARTIAL_MEMBER,EXTERNAL_GUEST,SALES,BILLING" help:"The role: ${enum}."`
	Organization string   `placeholder:"NAME" help:"The organization, where there are several; an empty installation gets its first, of this name."`
	Tenant       []string `sep:"none" placeholder:"TENANT" help:"A tenant to assign, by name or id; may be given several times (PARTIAL_MEMBER, EXTERNAL_GUEST)."`
	PublicURL    *url.URL `name:"public-url" placeholder:"URL" env:"CAIRN_PUBLIC_URL" help:"Where users reach the server, for the link."`
	Listen       string   `default:"127.0.0.1:8550" env:"CAIRN_LISTEN" help:"Where the server listens, for the link where there is no public URL."`
}

// Run prints a link on standard output that lets the member in once, within 15 minutes.
func (m *createMemberCommand) Run(c *cli, sys *system) error {
	cfg := c.config(sys)
	cfg.PublicURL, cfg.Listening = m.PublicURL, m.Listen
	return openWith(sys, cfg, func(a *app.App) error {
		link, err := a.CreateMember(sys, app.NewMember{
			Organization: m.Organization, Email: m.Email, Name: m.Name, Role: m.Role, Tenants: m.Tenant, Flags: m.app(),
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sys.stdout, link)
		return err
	})
}

type auditCommand struct {
	Verify auditVerifyCommand `cmd:"" help:"Check that no audit entry was changed or taken out, and print each chain's head."`
}

type auditVerifyCommand struct{}

// Run prints a line an organization; the command fails where a chain does not hold.
func (*auditVerifyCommand) Run(c *cli, sys *system) error {
	return c.open(sys, func(a *app.App) error {
		all, err := a.VerifyAudit(sys)
		for _, v := range all {
			if _, err := fmt.Fprintf(sys.stdout, "%s: %d entries sealed, head %s\n", v.OrganizationID, v.Sealed, v.Head); err != nil {
				return err
			}
			for _, p := range v.Problems {
				sys.warnf("%s: %s", v.OrganizationID, p)
			}
		}
		return err
	})
}

type migrateCommand struct{}

// Run does what opening does anyway.
func (*migrateCommand) Run(c *cli, sys *system) error {
	return c.open(sys, func(*app.App) error {
		_, err := fmt.Fprintln(sys.stdout, "the database's schema is up to date")
		return err
	})
}

type intelCommand struct {
	Update intelUpdateCommand `cmd:"" help:"Load address lists and databases (CIDR or AS lists, range CSV, MaxMind format)."`
	List   intelListCommand   `cmd:"" help:"List the tables in use with their licence notices."`
}

type intelUpdateCommand struct {
	Kind  string   `placeholder:"KIND" help:"What a plain list is of: ${kinds}. Azure ranges are hosting."`
	Files []string `arg:"" name:"file" help:"The files, plain or gzip."`
}

// kindNames lists the kinds for the help text.
func kindNames() string { return strings.Join(app.IntelKinds(), ", ") }

// Run loads the files, all or none.
func (u *intelUpdateCommand) Run(c *cli, sys *system) error {
	report, err := app.UpdateIntel(c.dataDir(), u.Kind, u.Files, now)
	for _, r := range report.Rejected {
		sys.warnf("line not taken: %s", r)
	}
	if more := report.Skipped - len(report.Rejected); more > 0 {
		sys.warnf("and %d more lines not taken", more)
	}
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	var out strings.Builder
	for _, t := range report.Tables {
		verb := "loaded"
		if t.Replaced {
			verb = "replaced"
		}
		fmt.Fprintf(&out, "%s %s from %s: %d rows\n", verb, oneLine(t.Name), oneLine(t.File), t.Rows)
	}
	out.WriteString("a running server uses them after its next start\n")
	_, err = io.WriteString(sys.stdout, out.String())
	return err
}

type intelListCommand struct{}

// Run lists the tables.
func (*intelListCommand) Run(c *cli, sys *system) error {
	sources, err := app.IntelSources(c.dataDir())
	if err != nil {
		return err
	}
	var out strings.Builder
	for _, s := range sources {
		fmt.Fprintf(&out, "%s: %d rows", oneLine(s.Name), s.Rows)
		if !s.Snapshot.IsZero() {
			fmt.Fprintf(&out, ", of %s", s.Snapshot.Format("2006-01-02"))
		}
		if s.Notice != "" {
			fmt.Fprintf(&out, " (%s)", oneLine(s.Notice))
		}
		out.WriteByte('\n')
	}
	_, err = io.WriteString(sys.stdout, out.String())
	return err
}

type versionCommand struct{}

// Run prints the version.
func (*versionCommand) Run(sys *system) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Fprintf(sys.stdout, "cairn %s\n\n%s", version, app.Notice())
	return err
}
