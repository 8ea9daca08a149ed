package importer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/intake"
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

// How much of a source is looked at to learn its directory: enough to know,
// little enough that a large first import is not read twice, and that a file
// which unpacks without end is given up. Of a source that can't be read twice
// what was looked at is kept in memory meanwhile.
const (
	fileSample   = 100_000 // records
	fileBytes    = 256 << 20
	streamSample = 10_000
	streamBytes  = 32 << 20
)

// bind decides which directory's records are the tenant's. A tenant that has
// none yet gets the one it was told, or the one that most records of this
// import name; it is tied to it with the first record that is taken.
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
		r.directory, r.settled = *bound, true
		return nil
	}
	told := wanted != ""
	if !told {
		var err error
		if wanted, err = r.commonest(ctx, sources); err != nil {
			return err
		}
	}
	if wanted != "" {
		err := r.tenants.Free(ctx, r.tenant, wanted)
		taken := refusal.From(err)
		switch {
		case taken != nil && !told && r.options.AcceptForeign:
			// Altered exports of one directory may go to several tenants.
			wanted, r.summary.Unbound = "", "most records name a Microsoft tenant that is another's: "+taken.Message
		case taken != nil && !told:
			return refusal.New(taken.Code, taken.Field, "most records name a Microsoft tenant that is another's: %s. "+
				"Import into that one; or take them as records of %q, which stays unbound, with --accept-foreign", taken.Message, r.tenant.Name)
		case err != nil:
			return err
		}
	}
	r.directory, r.settled = wanted, tenant.Stored(r.tenant) && wanted == ""
	return nil
}

// take takes a batch in. The first one makes the tenant, or binds it, in the
// transaction that stores it: an import that takes nothing leaves nothing.
func (r *run) take(ctx context.Context, batch []*activity.Activity) (intake.Result, error) {
	for {
		for _, a := range batch {
			if a.TenantID != r.into.ID { // parsed for a draft that another process was quicker to store
				r.intake.Prepare(r.into, a)
			}
		}
		var settled *ent.Tenant
		var with []intake.With
		if !r.settled {
			with = append(with, func(ctx context.Context, tx *database.Tx) (err error) {
				settled, err = r.tenants.Settle(ctx, tx, r.into, r.directory)
				return err
			})
		}
		if !r.noted {
			with = append(with, func(ctx context.Context, tx *database.Tx) error {
				return r.auditStart(ctx, tx, cmp.Or(settled, r.into))
			})
		}
		result, err := r.intake.Take(ctx, r.into, batch, with...)
		if err == nil {
			r.noted = true
			if settled != nil {
				r.summary.Bound = r.directory != "" && r.into.MicrosoftTenantID == nil
				r.into, r.settled = settled, true
			}
			return result, nil
		}
		taken := refusal.From(err)
		if taken == nil || taken.Code != refusal.Taken || tenant.Stored(r.into) {
			return result, err
		}
		found, findErr := r.tenants.ByName(ctx, r.into.Name)
		if findErr != nil || !tenant.Stored(found) {
			return result, err
		}
		r.into = found
	}
}

// commonest returns the directory that most records name, of the beginning of
// each file; the smaller id where two are named as often, ""
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
	reading, limit, text := io.Reader(input), fileSample, int64(fileBytes)
	if src.Rereadable {
		defer input.Close()
	} else {
		reading, limit, text = io.TeeReader(input, &copied), streamSample, streamBytes
		src.Open = func() (io.ReadCloser, error) {
			return struct {
				io.Reader
				io.Closer
			}{io.MultiReader(&copied, input), input}, nil
		}
	}
	reader, err := format.Open(src.Name, reading, format.Limits{TextBytes: text})
	if err != nil {
		return nil // the import reports it
	}
	for range limit {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := reader.Next()
		if err != nil {
			if _, rejected := errors.AsType[*format.RejectError](err); rejected {
				continue
			}
			return nil // the import reports it
		}
		a, err := format.Parse(rec.Raw)
		if err != nil {
			continue
		}
		// A visit to another directory stands in the logs of both.
		named := map[string]bool{a.MicrosoftTenantID: true, a.HomeTenantID: true, a.ResourceTenantID: true}
		for id := range named {
			if namesDirectory(id) {
				counts[id]++
			}
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
