package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/detect"
)

// ledger hands a tenant's books to the engine: from memory where they are
// known there, else from the database as it was before this transaction, which
// writes books last and keeps every other from writing this tenant's. It is
// the engine's detect.Ledger.
type ledger struct {
	db     *database.DB
	tx     *database.Tx
	tenant *ent.Tenant
	memory *memory
	anew   bool // a rebuild: the tenant's own book is the one in own, not the stored one
	own    *detect.Book
	made   map[string]bool // accounts made in this batch: they have no books yet
}

// Books returns the books with these keys.
func (l *ledger) Books(ctx context.Context, keys []detect.BookKey) (map[detect.BookKey]*detect.Book, error) {
	out := make(map[detect.BookKey]*detect.Book, len(keys))
	var missing []detect.BookKey
	var data []byte
	for _, k := range keys {
		if k.Kind == detect.BookAccount && l.made[k.Subject] {
			continue
		}
		if l.anew && k.Kind == detect.BookTenant {
			if l.own != nil {
				out[k] = l.own
			}
			continue
		}
		var ok bool
		if data, ok = l.memory.get(data[:0], l.memory.bookKey(k)); !ok {
			missing = append(missing, k)
			continue
		}
		if err := decode(k, data, out); err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(missing, bookChunk) {
		if err := l.read(ctx, part, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decode puts a book into a map; no bytes stand for one that does not exist.
func decode(k detect.BookKey, data []byte, into map[detect.BookKey]*detect.Book) error {
	if len(data) == 0 {
		return nil
	}
	book, err := detect.DecodeBook(k.Kind, data)
	if err != nil {
		return fmt.Errorf("book %s %s %d: %w", k.Kind, k.Subject, k.Period, err)
	}
	into[k] = book
	return nil
}

// bookChunk is how many books one statement reads or writes.
const bookChunk = 1000

func (l *ledger) read(ctx context.Context, keys []detect.BookKey, into map[detect.BookKey]*detect.Book) (err error) {
	args := []any{l.tenant.ID}
	// One index look-up a book, whatever the planner believes of a table that
	// grows faster than its statistics.
	var statement string
	if l.tx.Dialect() == database.Postgres {
		kinds, subjects, periods := make([]string, len(keys)), make([]string, len(keys)), make([]int32, len(keys))
		for i, k := range keys {
			kinds[i], subjects[i], periods[i] = string(k.Kind), k.Subject, int32(k.Period) //nolint:gosec // months
		}
		args = append(args, kinds, subjects, periods)
		statement = "SELECT w.kind, w.subject, w.period, b.data FROM unnest($2::text[], $3::text[], $4::int[]) AS w(kind, subject, period) " +
			"CROSS JOIN LATERAL (SELECT data FROM books WHERE tenant_id = $1 AND kind = w.kind COLLATE \"C\" AND subject = w.subject COLLATE \"C\" AND period = w.period LIMIT 1) AS b"
	} else {
		for _, k := range keys {
			args = append(args, string(k.Kind), k.Subject, k.Period)
		}
		statement = "SELECT kind, subject, period, data FROM books WHERE tenant_id = ? AND (kind, subject, period) IN (VALUES (?,?,?)" +
			strings.Repeat(",(?,?,?)", len(keys)-1) + ")"
	}
	rows, err := l.db.Reader().QueryContext(ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k detect.BookKey
		var kind string
		var data []byte
		if err := rows.Scan(&kind, &k.Subject, &k.Period, &data); err != nil {
			return fmt.Errorf("read books: %w", err)
		}
		k.Kind = detect.BookKind(kind)
		if err := decode(k, data, into); err != nil {
			return err
		}
		l.memory.learn(l.memory.bookKey(k), data)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read books: %w", err)
	}
	for _, k := range keys {
		if into[k] == nil {
			l.memory.learn(l.memory.bookKey(k), nil)
		}
	}
	return nil
}

// encodedBook is a changed book, ready to be stored.
type encodedBook struct {
	key  detect.BookKey
	data []byte
}

// encode makes bytes of changed books, on all cores.
func (l *ledger) encode(changed map[detect.BookKey]*detect.Book) ([]encodedBook, error) {
	out := make([]encodedBook, 0, len(changed))
	for k := range changed {
		out = append(out, encodedBook{key: k})
	}
	// The order of keys in the table: neighbours are stored together.
	slices.SortFunc(out, func(x, y encodedBook) int {
		return cmp.Or(cmp.Compare(x.key.Kind, y.key.Kind), cmp.Compare(x.key.Subject, y.key.Subject), cmp.Compare(x.key.Period, y.key.Period))
	})
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(out, 128) {
		g.Go(func() error {
			for i := range part {
				k := part[i].key
				data, err := detect.EncodeBook(changed[k])
				if err != nil {
					return fmt.Errorf("book %s %s %d: %w", k.Kind, k.Subject, k.Period, err)
				}
				part[i].data = data
			}
			return nil
		})
	}
	return out, g.Wait()
}

// write stores books.
func (l *ledger) write(ctx context.Context, books []encodedBook) error {
	for part := range slices.Chunk(books, bookChunk) {
		if err := l.upsert(ctx, part); err != nil {
			return err
		}
		for _, b := range part {
			l.memory.learn(l.memory.bookKey(b.key), b.data)
		}
	}
	return nil
}

func (l *ledger) upsert(ctx context.Context, books []encodedBook) error {
	const head = "INSERT INTO books (tenant_id, organization_id, kind, subject, period, data) "
	const tail = " ON CONFLICT (tenant_id, kind, subject, period) DO UPDATE SET data = excluded.data"
	var err error
	if l.tx.Dialect() == database.Postgres {
		kinds, subjects, periods, data := make([]string, len(books)), make([]string, len(books)), make([]int32, len(books)), make([][]byte, len(books))
		for i, b := range books {
			kinds[i], subjects[i], periods[i], data[i] = string(b.key.Kind), b.key.Subject, int32(b.key.Period), b.data //nolint:gosec // months
		}
		_, err = l.tx.SQL.ExecContext(ctx, head+"SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::int[], $6::bytea[])"+tail,
			l.tenant.ID, l.tenant.OrganizationID, kinds, subjects, periods, data)
	} else {
		args := make([]any, 0, 6*len(books))
		for _, b := range books {
			args = append(args, l.tenant.ID, l.tenant.OrganizationID, string(b.key.Kind), b.key.Subject, b.key.Period, b.data)
		}
		_, err = l.tx.SQL.ExecContext(ctx, head+"VALUES (?,?,?,?,?,?)"+strings.Repeat(",(?,?,?,?,?,?)", len(books)-1)+tail, args...)
	}
	if err != nil {
		return fmt.Errorf("write books: %w", err)
	}
	return nil
}
