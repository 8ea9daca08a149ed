package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/app"
	"github.com/cairn-itdr/cairn/internal/importer"
)

type importCommand struct {
	Tenant          string   `required:"" placeholder:"NAME" help:"The tenant, by name; made if there is none."`
	Organization    string   `placeholder:"NAME" help:"The organization, where there are several."`
	MicrosoftTenant string   `placeholder:"ID" help:"Microsoft tenant to bind a new tenant to (default: the one most records name)."`
	AcceptForeign   bool     `help:"Take records of other Microsoft tenants as this tenant's own."`
	JSON            bool     `name:"json" help:"Print the summary as JSON."`
	Files           []string `arg:"" name:"file" help:"Exported logs, plain or gzip; - for standard input."`
}

// Run imports the files. It fails where a whole file was refused.
func (i *importCommand) Run(c *cli, sys *system) error {
	return c.open(sys, func(a *app.App) error {
		organization, err := a.Organizations.Resolve(sys, i.Organization)
		if err != nil {
			return err //nolint:wrapcheck // says it all
		}
		ctx := access.System(sys, "import at the command line", organization.ID)
		t, err := a.Tenants.ByName(ctx, i.Tenant)
		if err != nil {
			return err //nolint:wrapcheck // says it all
		}
		sources, size := i.sources(sys)
		progress, done := progressOf(sys.terminal, size)
		summary, err := a.Importer.Import(ctx, t, sources, importer.Options{
			MicrosoftTenantID: i.MicrosoftTenant, AcceptForeign: i.AcceptForeign, Progress: progress,
		})
		done()
		if printErr := i.print(sys, &summary); printErr != nil {
			err = errors.Join(err, printErr)
		}
		if err != nil {
			return fmt.Errorf("the import stopped; what is counted as new is stored, and the same command completes the rest: %w", err)
		}
		if len(summary.Refused) > 0 {
			return errReported
		}
		return nil
	})
}

func (i *importCommand) print(sys *system, s *importer.Summary) error {
	if !i.JSON {
		return s.WriteText(sys.stdout) //nolint:wrapcheck // says it all
	}
	enc := json.NewEncoder(sys.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(s) //nolint:wrapcheck // says it all
}

// sources names what to read, and how many bytes that is; -1 where unknown.
func (i *importCommand) sources(sys *system) (list []importer.Source, size int64) {
	for _, name := range i.Files {
		if name == "-" {
			size = -1
			list = append(list, importer.Source{
				Name: "standard input",
				Open: func() (io.ReadCloser, error) { return io.NopCloser(sys.stdin), nil },
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
				return os.Open(name) //nolint:gosec // the user named it
			},
		})
	}
	return list, size
}

// progressOf draws a progress bar where w is a terminal.
func progressOf(w io.Writer, size int64) (progress func(int64), done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) { //nolint:gosec // a file descriptor
		return nil, func() {}
	}
	bar := progressbar.NewOptions64(size, progressbar.OptionSetWriter(f), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("importing"), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	return func(n int64) { _ = bar.Set64(n) }, // a bar that can't be drawn stops nothing
		func() { _ = bar.Finish() }
}
