package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/cairn-itdr/cairn/internal/app"
)

type adminCommand struct {
	CreateOrganization createOrganizationCommand `cmd:"" name:"create-organization" help:"Make another organization and print its id."`

	CreateAPIKey createAPIKeyCommand `cmd:"" name:"create-api-key" help:"Make an API key and print it, this once."`
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

type createAPIKeyCommand struct {
	Role         string `required:"" enum:"ADMIN" help:"The key's role; only ADMIN is issued so far."`
	Organization string `placeholder:"NAME" help:"The organization, where there are several; an empty installation gets its first, of this name."`
	Name         string `default:"command line" help:"What the key is for."`
}

// Run prints the key alone on standard output.
func (k *createAPIKeyCommand) Run(c *cli, sys *system) error {
	return c.open(sys, func(a *app.App) error {
		key, err := a.CreateAPIKey(sys, k.Organization, k.Name, k.Role)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(sys.stdout, key)
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
