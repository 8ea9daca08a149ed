// Package importer reads exported logs into a tenant: it opens files, has
// their records parsed on all cores, keeps out what belongs to another
// directory or lies in the future, and hands the rest to the intake in
// batches. Memory stays flat whatever a file's size.
//
// What may not live here: knowledge of formats (activity/format), storing and
// detection (intake).
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/intake"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

const (
	// chunkRecords and chunkBytes bound what travels together to a parser:
	// records are small as a rule, but nobody keeps them so.
	chunkRecords = 256
	chunkBytes   = batchBytes / chunksAhead
	// batchRecords and batchBytes bound what one transaction takes in.
	batchRecords = 4000
	batchBytes   = 24 << 20
	// chunksAhead is how far reading and parsing may run ahead: the next batch
	// is ready when a transaction ends.
	chunksAhead = batchRecords / chunkRecords
)

// Importer imports files.
type Importer struct {
	db      *database.DB
	intake  *intake.Intake
	tenants *tenant.Service
	now     func() time.Time
}

// New returns an importer.
func New(db *database.DB, in *intake.Intake, tenants *tenant.Service, now func() time.Time) *Importer {
	return &Importer{db: db, intake: in, tenants: tenants, now: now}
}

// Source is a file to import.
type Source struct {
	Name string
	// Open starts reading; an import of a tenant not yet bound to a directory
	// opens a rereadable source twice.
	Open       func() (io.ReadCloser, error)
	Rereadable bool
}

// Options say how to import.
type Options struct {
	// MicrosoftTenantID is the directory to bind the tenant to; empty for the
	// one that most records name.
	MicrosoftTenantID string
	// AcceptForeign takes records of other directories as the tenant's own.
	AcceptForeign bool
	// Progress is told how many bytes of the sources, as they lie on the disk,
	// have been read in all. May be nil.
	Progress func(read int64)
}

// Import reads the sources into the tenant, a stored one or a draft that the
// first record taken makes a tenant of (tenant.ByName). A file that can't be
// read does not stop the others: the summary names it (Summary.Refused). An
// error means that the import stopped; what the summary counts as new is
// stored, and running the same import again completes it without doing
// anything twice.
func (im *Importer) Import(ctx context.Context, t *ent.Tenant, sources []Source, options Options) (Summary, error) {
	run := &run{Importer: im, options: options, sources: sources, tenant: t, into: t, summary: newSummary(t)}
	err := run.bind(ctx, sources)
	for i := 0; err == nil && i < len(sources); i++ {
		if err = run.file(ctx, sources[i]); err == nil {
			err = ctx.Err()
		}
	}
	run.summary.settle(run.into)
	if auditErr := run.audit(ctx, err); err == nil {
		err = auditErr
	}
	return run.summary, err
}

// run is one import.
type run struct {
	*Importer

	options   Options
	sources   []Source
	tenant    *ent.Tenant // as the import found it; records are parsed for it
	directory string      // the Microsoft tenant whose records are taken; empty: any
	read      int64
	summary   Summary

	// into is the tenant as it is now. It is settled once it is stored, and
	// bound where it is to be.
	into    *ent.Tenant
	settled bool
	noted   bool // the audit log has its beginning
}

// file imports one source. Only what stops the whole import is an error.
func (r *run) file(ctx context.Context, src Source) error {
	input, err := src.Open()
	if err != nil {
		r.summary.refuse(src.Name, openReason(err))
		return nil
	}
	defer input.Close()
	counted := &countingReader{r: input, progress: r.options.Progress, base: r.read}
	defer func() { r.read += counted.n }()
	reader, err := format.Open(src.Name, counted, format.Limits{})
	if err != nil {
		r.summary.refuse(src.Name, reasonOf(err))
		return nil
	}
	// The pipeline: one goroutine reads, some parse, this one takes in, in the
	// order of the file.
	g, ctx := errgroup.WithContext(ctx)
	work, ordered := make(chan *chunk), make(chan *chunk, chunksAhead)
	g.Go(func() error {
		defer close(work)
		defer close(ordered)
		return readChunks(ctx, reader, work, ordered)
	})
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		g.Go(func() error {
			for c := range work {
				c.parse(r)
				close(c.parsed)
			}
			return nil
		})
	}
	g.Go(func() error { return r.collect(ctx, src.Name, ordered) })
	return g.Wait()
}

// chunk is a run of records on its way.
type chunk struct {
	records  []format.Record
	rejected []rejection
	fatal    error // the file ends here, for this reason

	parsed     chan struct{} // closed when the fields below are set
	activities []*activity.Activity
	skipped    map[string]int
}

type rejection struct {
	line    int
	reason  string
	foreign bool
}

func readChunks(ctx context.Context, reader *format.Reader, work, ordered chan<- *chunk) error {
	for done := false; !done; {
		c := &chunk{parsed: make(chan struct{})}
		for size := 0; size < chunkBytes && len(c.records) < chunkRecords && len(c.rejected) < chunkRecords; {
			rec, err := reader.Next()
			if err == nil {
				c.records = append(c.records, rec)
				size += len(rec.Raw)
				continue
			}
			if rejected, ok := errors.AsType[*format.RejectError](err); ok {
				c.rejected = append(c.rejected, rejection{line: rejected.Line, reason: rejected.Reason})
				continue
			}
			done = true
			if !errors.Is(err, io.EOF) {
				c.fatal = err
			}
			break
		}
		for _, to := range []chan<- *chunk{ordered, work} {
			select {
			case to <- c:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

func (c *chunk) parse(r *run) {
	latest := r.now().Add(activity.MaxFuture)
	c.activities = make([]*activity.Activity, 0, len(c.records))
	for _, rec := range c.records {
		a, err := format.Parse(rec.Raw)
		if err != nil {
			if skip, ok := errors.AsType[*format.SkipError](err); ok {
				if c.skipped == nil {
					c.skipped = map[string]int{}
				}
				c.skipped[skip.Error()]++
				continue
			}
			c.rejected = append(c.rejected, rejection{line: rec.Line, reason: reasonOf(err)})
			continue
		}
		a.Claim(r.directory)
		switch {
		case a.OccurredAt.After(latest):
			c.rejected = append(c.rejected, rejection{
				line: rec.Line, reason: fmt.Sprintf("the record lies in the future: %s", a.OccurredAt.Format(time.RFC3339)),
			})
		case r.foreign(a.MicrosoftTenantID):
			c.rejected = append(c.rejected, rejection{
				line: rec.Line, foreign: true, reason: fmt.Sprintf("the record is of another Microsoft tenant: %s", a.MicrosoftTenantID),
			})
		default:
			r.intake.Prepare(r.tenant, &a)
			c.activities = append(c.activities, &a)
		}
	}
	c.records = nil
}

func (r *run) foreign(directory string) bool {
	return r.directory != "" && namesDirectory(directory) && directory != r.directory && !r.options.AcceptForeign
}

// collect takes parsed chunks in, batch by batch.
func (r *run) collect(ctx context.Context, name string, ordered <-chan *chunk) error {
	var batch []*activity.Activity
	size, taken, refused := 0, 0, false
	before := r.summary.Read
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		result, err := r.take(ctx, batch)
		if err != nil {
			return err
		}
		r.summary.add(batch, result)
		batch, size = batch[:0:0], 0
		return nil
	}
	for c := range ordered {
		select {
		case <-c.parsed:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.summary.Read += len(c.activities) + len(c.rejected)
		for reason, n := range c.skipped {
			r.summary.Read += n
			r.summary.Skipped[reason] += n
		}
		r.summary.reject(name, c.rejected)
		for _, a := range c.activities {
			batch, taken = append(batch, a), taken+1
			if size += len(a.Raw); len(batch) >= batchRecords || size >= batchBytes {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if c.fatal != nil && ctx.Err() == nil {
			r.summary.refuse(name, reasonOf(c.fatal))
			refused = true
		}
	}
	// A file of which nothing could be used is no success, whatever it held.
	if n := r.summary.Read - before; n > 0 && taken == 0 && !refused {
		r.summary.refuse(name, fmt.Sprintf("nothing was taken of the %d records read", n))
	}
	return flush()
}

// reasonOf takes the place (file, line) out of a format error's text, for the
// summary names it apart.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*format.FileError](err); ok {
		if e.Line > 0 {
			return fmt.Sprintf("%s (line %d)", e.Reason, e.Line)
		}
		return e.Reason
	}
	if e, ok := errors.AsType[*format.RejectError](err); ok {
		return e.Reason
	}
	return err.Error()
}

// countingReader tells how far a source has been read.
type countingReader struct {
	r        io.Reader
	n, base  int64
	progress func(int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.progress != nil {
		c.progress(c.base + c.n)
	}
	return n, err
}
