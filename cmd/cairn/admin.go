package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/app"
	"github.com/cairn-itdr/cairn/internal/intel"
)

type adminCommand struct {
	CreateAPIKey createAPIKeyCommand `cmd:"" name:"create-api-key" help:"Make an API key and print it, this once."`
}

type createAPIKeyCommand struct {
	Role         string `required:"" enum:"ADMIN" help:"The key's role; only ADMIN is issued so far."`
	Organization string `placeholder:"NAME" help:"The organization, where there are several; an empty installation gets its first, of this name."`
	Name         string `default:"command line" help:"What the key is for."`
}

// Run prints the key alone on standard output.
func (k *createAPIKeyCommand) Run(c *cli, sys *system) error {
	return c.open(sys, func(a *app.App) error {
		organization, err := a.Organizations.Resolve(sys, k.Organization)
		if err != nil {
			return err //nolint:wrapcheck // says it all
		}
		key, err := a.APIKeys.Create(access.System(sys, "command line", organization.ID), k.Name, access.Role(k.Role))
		if err != nil {
			return err //nolint:wrapcheck // says it all
		}
		_, err = fmt.Fprintln(sys.stdout, key)
		return err //nolint:wrapcheck // says it all
	})
}

type migrateCommand struct{}

// Run does what opening does anyway.
func (*migrateCommand) Run(c *cli, sys *system) error {
	return c.open(sys, func(*app.App) error {
		_, err := fmt.Fprintln(sys.stdout, "the database's schema is up to date")
		return err //nolint:wrapcheck // says it all
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
func kindNames() string {
	names := make([]string, 0, len(intel.Kinds()))
	for _, k := range intel.Kinds() {
		names = append(names, strings.ToLower(string(k)))
	}
	return strings.Join(names, ", ")
}

// Run loads the files, all or none.
func (u *intelUpdateCommand) Run(c *cli, sys *system) error {
	report, err := intel.Update(app.IntelDir(c.dataDir()), u.Files, intel.Options{
		Kind: activity.NetworkKind(strings.ToUpper(u.Kind)), Now: now,
	})
	for _, r := range report.Rejected {
		fmt.Fprintln(sys.stderr, "line not taken:", r)
	}
	if more := report.Skipped - len(report.Rejected); more > 0 {
		fmt.Fprintf(sys.stderr, "and %d more lines not taken\n", more)
	}
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	for _, t := range report.Tables {
		verb := "loaded"
		if t.Replaced {
			verb = "replaced"
		}
		fmt.Fprintf(sys.stdout, "%s %s from %s: %d rows\n", verb, t.Name, t.File, t.Rows)
	}
	fmt.Fprintln(sys.stdout, "a running server uses them after its next start")
	return nil
}

type intelListCommand struct{}

// Run lists the tables.
func (*intelListCommand) Run(c *cli, sys *system) error {
	tables, err := intel.Open(app.IntelDir(c.dataDir()))
	if err != nil {
		return err //nolint:wrapcheck // says it all
	}
	for _, s := range tables.Sources() {
		fmt.Fprintf(sys.stdout, "%s: %d rows", s.Name, s.Rows)
		if !s.Snapshot.IsZero() {
			fmt.Fprintf(sys.stdout, ", of %s", s.Snapshot.Format("2006-01-02"))
		}
		if s.Notice != "" {
			fmt.Fprintf(sys.stdout, " (%s)", s.Notice)
		}
		fmt.Fprintln(sys.stdout)
	}
	return nil
}

type versionCommand struct{}

// Run prints the version.
func (*versionCommand) Run(sys *system) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Fprintf(sys.stdout, "cairn %s\n\n%s", version, intel.Notice())
	return err //nolint:wrapcheck // says it all
}
