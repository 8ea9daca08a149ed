package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/cairn-itdr/cairn/internal/app"
)

type importCommand struct {
	Tenant          string   `required:"" placeholder:"NAME" help:"The tenant, by name; made if there is none."`
	Organization    string   `placeholder:"NAME" help:"The organization, where there are several."`
	MicrosoftTenant string   `placeholder:"ID" help:"Microsoft tenant to bind a new tenant to (default: the one most records name)."`
	AcceptForeign   bool     `help:"Take records of other Microsoft tenants as this tenant's own."`
	JSON            bool     `name:"json" help:"Print the summary as JSON."`
	Files           []string `arg:"" name:"file" help:"Exported logs, plain or gzip; - for standard input."`
}

var errInterrupted = errors.New("it was interrupted")

// Run imports the files. It fails where a whole file was refused.
func (i *importCommand) Run(c *cli, sys *system) error {
	// An import makes much garbage and keeps little: collecting often costs a
	// few per cent of its time and keeps the process small.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(60)
	}
	return c.open(sys, func(a *app.App) error {
		progress, done := progressOf(sys.terminal)
		summary, err := a.Import(sys, app.ImportOrder{
			Organization: i.Organization, Tenant: i.Tenant, MicrosoftTenant: i.MicrosoftTenant, AcceptForeign: i.AcceptForeign,
			Files: i.Files, Stdin: sys.stdin, Progress: progress,
		})
		done()
		if summary == nil {
			return err
		}
		if err != nil && sys.Err() != nil {
			err = errInterrupted // what it was doing just then helps nobody
		}
		if printErr := i.print(sys.stdout, summary); printErr != nil {
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

func (i *importCommand) print(w io.Writer, summary interface{ WriteText(w io.Writer) error }) error {
	if !i.JSON {
		return summary.WriteText(w)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(summary)
}
