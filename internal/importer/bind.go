package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/refusal"
	"github.com/cairn-itdr/cairn/internal/tenant"
)

// zeroDirectory is what exports write where the tenant id was taken out.
const zeroDirectory = "00000000-0000-0000-0000-000000000000"

// namesDirectory says whether a record's tenant id is one.
func namesDirectory(id string) bool {
	if id == zeroDirectory {
		return false
	}
	_, err := tenant.CheckMicrosoftID(id)
	return err == nil
}

// How many records of a source are looked at to learn its directory: enough
// to know, few enough that a large first import is not read twice. Those of a
// source that can't be read twice are kept in memory meanwhile, streamBytes of
// them and little more.
const (
	fileSample   = 100_000
	streamSample = 10_000
	streamBytes  = 32 << 20
)

// bind settles which directory's records are the tenant's. A tenant that has
// none yet gets the one it was told, or the one that most records of this
// import name.
func (r *run) bind(ctx context.Context, sources []Source) error {
	wanted := ""
	if r.options.MicrosoftTenantID != "" {
		id, err := tenant.CheckMicrosoftID(r.options.MicrosoftTenantID)
		if err != nil {
			return err
		}
		wanted = id
	}
	if bound := r.tenant.MicrosoftTenantID; bound != nil {
		if wanted != "" && wanted != *bound {
			return refusal.New(refusal.Conflict, nil, "tenant %q is bound to the Microsoft tenant %s, not to %s: import into another tenant", r.tenant.Name, *bound, wanted)
		}
		r.directory = *bound
		return nil
	}
	if wanted == "" {
		var err error
		if wanted, err = r.commonest(ctx, sources); err != nil || wanted == "" {
			return err
		}
	}
	bound, err := r.tenants.Bind(ctx, r.tenant, wanted)
	if err != nil {
		return fmt.Errorf("bind tenant %q to the Microsoft tenant most records name: %w", r.tenant.Name, err)
	}
	r.tenant, r.directory, r.summary.Bound = bound, wanted, true
	return nil
}

// commonest returns the directory that most records name, of the first
// fileSample of each file; the smaller id where two are named as often, ""
// where none is.
func (r *run) commonest(ctx context.Context, sources []Source) (string, error) {
	counts := map[string]int{}
	for i := range sources {
		if err := count(ctx, &sources[i], counts); err != nil {
			return "", err
		}
	}
	best := ""
	for id, n := range counts {
		if best == "" || n > counts[best] || n == counts[best] && id < best {
			best = id
		}
	}
	return best, nil
}

// count counts the directories a source names. What it can't read it leaves
// for the import itself to report. A stream is replaced by what was read of
// it, followed by its rest.
func count(ctx context.Context, src *Source, counts map[string]int) error {
	input, err := src.Open()
	if err != nil {
		return nil // the import reports it
	}
	var copied bytes.Buffer
	reading, limit := io.Reader(input), fileSample
	if src.Rereadable {
		defer input.Close()
	} else {
		reading, limit = io.TeeReader(input, &copied), streamSample
		src.Open = func() (io.ReadCloser, error) {
			return struct {
				io.Reader
				io.Closer
			}{io.MultiReader(&copied, input), input}, nil
		}
	}
	reader, err := format.Open(src.Name, reading, format.Limits{})
	if err != nil {
		return nil // the import reports it
	}
	for range limit {
		if err := ctx.Err(); err != nil {
			return err
		}
		if copied.Len() > streamBytes {
			return nil // told by fewer
		}
		rec, err := reader.Next()
		if err != nil {
			if _, rejected := errors.AsType[*format.RejectError](err); rejected {
				continue
			}
			return nil // the import reports it
		}
		if a, err := format.Parse(rec.Raw); err == nil && namesDirectory(a.MicrosoftTenantID) {
			counts[a.MicrosoftTenantID]++
		}
	}
	return nil
}

// openReason says why a source could not be opened, without what the system
// repeats of the path.
func openReason(err error) string {
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "it may not be read: permission denied"
	case errors.As(err, &pathErr):
		return pathErr.Err.Error()
	}
	return err.Error()
}
