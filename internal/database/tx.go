package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/cairn-itdr/cairn/ent"
)

// Tx is one transaction, seen through ent, through SQL and, on PostgreSQL,
// through COPY. All of it commits or none.
type Tx struct {
	Client *ent.Client
	SQL    *sql.Tx

	dialect Dialect
	staged  bool // COPY goes by way of a staging table
	conn    *sql.Conn
	writes  *writes
	failed  error // of a part that joined it

	before []func(ctx context.Context) error
	after  []func()
	kept   map[any]any
}

// txKey finds the transaction on a database that a context is in.
type txKey struct{ db *DB }

// Dialect says which kind of database the transaction runs on.
func (tx *Tx) Dialect() Dialect { return tx.dialect }

// BeforeCommit has do called when all else of the transaction is done, just
// before it commits; its error undoes the transaction. It is for what holds a
// lock that everybody wants: so it is held for the length of a commit.
func (tx *Tx) BeforeCommit(do func(ctx context.Context) error) { tx.before = append(tx.before, do) }

// AfterCommit has do called once the transaction has committed, and never where
// it did not. A process that ends in between does not call it: it may wake
// somebody, and nothing may rest on it.
func (tx *Tx) AfterCommit(do func()) { tx.after = append(tx.after, do) }

// Keep returns what a package keeps with a transaction under its own key, fresh
// the first time it is asked for.
func Keep[T any](tx *Tx, key any, fresh func() T) T {
	if kept, ok := tx.kept[key].(T); ok {
		return kept
	}
	if tx.kept == nil {
		tx.kept = map[any]any{}
	}
	kept := fresh()
	tx.kept[key] = kept
	return kept
}

// InTx runs do in a transaction and commits when it returns nil. A panic or
// error rolls back. Ent mutations outside InTx are refused.
//
// Within do, whose context says so, another InTx joins the same transaction:
// what it writes commits with the rest, and where it fails nothing commits.
func (db *DB) InTx(ctx context.Context, do func(ctx context.Context, tx *Tx) error) (err error) {
	if tx, joined := ctx.Value(txKey{db}).(*Tx); joined {
		err := do(ctx, tx)
		if err != nil {
			tx.failed = err
		}
		return err
	}
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("take a connection: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	sqlTx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	committed := false
	defer func() {
		if !committed {
			// The error that brought us here matters; a rollback that fails
			// as well means the connection is gone, which rolls back too.
			_ = sqlTx.Rollback()
		}
	}()
	drv := entsql.NewDriver(string(db.dialect), entsql.Conn{ExecQuerier: sqlTx})
	client, writes := newClient(txDriver{drv})
	tx := &Tx{Client: client, writes: writes, SQL: sqlTx, dialect: db.dialect, staged: db.staged, conn: conn}
	within := context.WithValue(ctx, txKey{db}, tx)
	if err := do(within, tx); err != nil {
		return err
	}
	for i := 0; i < len(tx.before) && tx.failed == nil; i++ { // it may add to itself
		if err := tx.before[i](within); err != nil {
			return err
		}
	}
	if tx.failed != nil {
		return fmt.Errorf("part of the transaction failed: %w", tx.failed)
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	for _, do := range tx.after {
		do()
	}
	return nil
}

// InTransaction says whether InTx would join one on this context.
func (db *DB) InTransaction(ctx context.Context) bool {
	_, joined := ctx.Value(txKey{db}).(*Tx)
	return joined
}

// CopyFrom writes rows with COPY. PostgreSQL only.
func (tx *Tx) CopyFrom(ctx context.Context, table string, columns []string, rows pgx.CopyFromSource) error {
	return tx.conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("COPY needs PostgreSQL, not %s", tx.dialect)
		}
		if tx.staged || !unforced[table] {
			return copyStaged(ctx, c.Conn(), table, columns, rows)
		}
		if _, err := c.Conn().CopyFrom(ctx, pgx.Identifier{table}, columns, rows); err != nil {
			return fmt.Errorf("copy into %s: %w", table, err)
		}
		return nil
	})
}

// copyStaged copies by way of a temporary table: PostgreSQL takes no COPY into
// a table whose row policies bind the session.
func copyStaged(ctx context.Context, conn *pgx.Conn, table string, columns []string, rows pgx.CopyFromSource) error {
	staging := "staged_" + table
	into, from := pgx.Identifier{table}.Sanitize(), pgx.Identifier{staging}.Sanitize()
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = pgx.Identifier{c}.Sanitize()
	}
	list := strings.Join(names, ", ")
	if _, err := conn.Exec(ctx, "CREATE TEMPORARY TABLE IF NOT EXISTS "+from+" (LIKE "+into+") ON COMMIT DELETE ROWS"); err != nil {
		return fmt.Errorf("make the staging table of %s: %w", table, err)
	}
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{staging}, columns, rows); err != nil {
		return fmt.Errorf("copy into the staging table of %s: %w", table, err)
	}
	if _, err := conn.Exec(ctx, "INSERT INTO "+into+" ("+list+") SELECT "+list+" FROM "+from); err != nil {
		return fmt.Errorf("store what was copied for %s: %w", table, err)
	}
	if _, err := conn.Exec(ctx, "DELETE FROM "+from); err != nil { // another copy may follow in this transaction
		return fmt.Errorf("empty the staging table of %s: %w", table, err)
	}
	return nil
}

// Tuples returns the placeholders of n rows of m values each, as VALUES wants
// them. SQLite takes question marks: it looks numbered ones up by name, one by
// one, which is slow for thousands.
func (tx *Tx) Tuples(n, m int) string {
	var b strings.Builder
	for i := range n {
		for j := range m {
			switch {
			case j > 0:
				b.WriteByte(',')
			case i > 0:
				b.WriteString(",(")
			default:
				b.WriteByte('(')
			}
			if tx.dialect == Postgres {
				b.WriteByte('$')
				b.WriteString(strconv.Itoa(i*m + j + 1))
			} else {
				b.WriteByte('?')
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}

// txDriver lets ent run inside a transaction that is not ent's: where ent
// would begin one of its own it gets this one, and its commit waits for ours.
type txDriver struct{ *entsql.Driver }

func (d txDriver) Tx(context.Context) (dialect.Tx, error) { return nestedTx{d}, nil }

func (d txDriver) BeginTx(context.Context, *sql.TxOptions) (dialect.Tx, error) {
	return nestedTx{d}, nil
}

func (txDriver) Close() error { return nil }

type nestedTx struct{ txDriver }

func (nestedTx) Commit() error   { return nil }
func (nestedTx) Rollback() error { return nil }

// errWriteOutsideTx says that an entity was written through the reading client.
var errWriteOutsideTx = errors.New("database: entities are written in a transaction (DB.InTx), never through DB.Client")

// readOnlyDriver keeps the reading client from writing, on both databases alike.
type readOnlyDriver struct{ dialect.Driver }

func (readOnlyDriver) Exec(context.Context, string, any, any) error { return errWriteOutsideTx }

func (readOnlyDriver) Tx(context.Context) (dialect.Tx, error) { return nil, errWriteOutsideTx }
