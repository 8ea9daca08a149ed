// Package database opens Cairn's database (embedded SQLite, or PostgreSQL),
// migrates it, and runs transactions in which ent, hand-written SQL and COPY
// take part together. Row scoping is applied here, to every entity, so that no
// reader can forget it.
//
// What may not live here: what any row means. Queries belong to the package
// that owns their table.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/cairn-itdr/cairn/ent"
	"github.com/cairn-itdr/cairn/internal/access"
)

// Dialect names a kind of database.
type Dialect string

// The dialects, by ent's names.
const (
	SQLite   Dialect = dialect.SQLite
	Postgres Dialect = dialect.Postgres
)

// Config says which database to open.
type Config struct {
	// URL of a PostgreSQL database; empty for SQLite in DataDir.
	URL string
	// DataDir is the folder that holds the SQLite files. One process opens it.
	DataDir string
}

// DB is an open, migrated database.
type DB struct {
	dialect Dialect
	write   *sql.DB
	read    *sql.DB
	pools   []*pgxpool.Pool // PostgreSQL only: what write and read draw from
	client  *ent.Client
	unlock  func() error
	staged  bool // row policies bind this role: Tx.CopyFrom must stage
}

// fileName is the SQLite database within the data folder.
const fileName = "cairn.db"

// Open opens the database, takes the data folder's lock where there is one,
// and applies the migrations that are missing.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	var db *DB
	var err error
	if cfg.URL == "" {
		db, err = openSQLite(ctx, cfg.DataDir)
	} else {
		db, err = openPostgres(ctx, cfg.URL)
	}
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.client, _ = newClient(readOnlyDriver{entsql.OpenDB(string(db.dialect), db.read)})
	return db, nil
}

func openSQLite(ctx context.Context, dir string) (*DB, error) {
	if dir == "" {
		return nil, errors.New("no data folder given: set --data-dir or CAIRN_DATA_DIR, or --database-url for PostgreSQL")
	}
	dir, err := filepath.Abs(dir) // a URL has no relative paths
	if err != nil {
		return nil, fmt.Errorf("find the data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fileName)
	if err := keepPrivate(path); err != nil {
		return nil, errors.Join(err, unlock())
	}
	db := &DB{dialect: SQLite, unlock: unlock}
	// One connection writes: SQLite has one writer anyway, and a second
	// connection would only find the file busy.
	if db.write, err = sql.Open("sqlite", dsn(path, "_txlock=immediate", "_pragma=cache_size(-16384)")); err != nil {
		return nil, errors.Join(err, unlock())
	}
	db.write.SetMaxOpenConns(1)
	if db.read, err = sql.Open("sqlite", dsn(path, "_pragma=query_only(1)", "_pragma=cache_size(-4096)")); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	if err := db.write.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

// keepPrivate makes the database file its owner's alone, before anything is in
// it: a folder that was there already may be open to others. SQLite gives its
// -wal and -shm the same permissions.
func keepPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("make the database file: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// dsn gives every SQLite connection the same habits. Times are integers of
// microseconds, so that they sort and index exactly. FULL makes a committed
// batch survive a power cut, at one fsync a batch.
func dsn(path string, extra ...string) string {
	pragmas := append([]string{
		"_pragma=journal_mode(WAL)", "_pragma=wal_autocheckpoint(16384)",
		"_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)",
		"_pragma=busy_timeout(10000)", "_pragma=temp_store(2)",
		"_pragma=journal_size_limit(67108864)",
		"_time_integer_format=unix_micro", "_inttotime=1",
	}, extra...)
	return (&url.URL{Scheme: "file", Path: path, RawQuery: strings.Join(pragmas, "&")}).String()
}

func openPostgres(ctx context.Context, rawURL string) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(rawURL)
	if err != nil {
		// pgx repeats the URL without its password.
		return nil, fmt.Errorf("database URL: %w", err)
	}
	cfg.PrepareConn = tellOrganization
	// Two pools, as on SQLite: a transaction may read beside itself (intake
	// does), and out of one pool as many transactions as it has connections
	// would wait for each other for ever.
	db := &DB{dialect: Postgres}
	for _, side := range []**sql.DB{&db.write, &db.read} {
		pool, err := pgxpool.NewWithConfig(ctx, cfg.Copy())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open PostgreSQL: %w", err), db.Close())
		}
		db.pools = append(db.pools, pool)
		if err := pool.Ping(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("reach PostgreSQL: %w", err), db.Close())
		}
		*side = stdlib.OpenDBFromPool(pool)
	}
	return db, nil
}

// organizationVariable is the session variable that row-level security reads
// (docs/decisions/0002-row-level-security.md).
const organizationVariable = "cairn.organization"

// tellOrganization runs whenever a connection leaves the pool, with the
// context of whoever takes it: the one place where a session learns whose rows
// it may see. A context without scope clears the variable, which policies read
// as "no rows".
func tellOrganization(ctx context.Context, conn *pgx.Conn) (bool, error) {
	value := ""
	if s, err := access.From(ctx); err == nil {
		value = s.OrganizationID
		if s.EveryOrganization() {
			value = "*"
		}
	}
	if told, ok := conn.PgConn().CustomData()[organizationVariable]; ok && told == value {
		return true, nil
	}
	if _, err := conn.Exec(ctx, "SELECT set_config($1, $2, false)", organizationVariable, value); err != nil {
		return false, fmt.Errorf("set %s: %w", organizationVariable, err)
	}
	conn.PgConn().CustomData()[organizationVariable] = value
	return true, nil
}

// Client reads entities, within the scope of the context it is called with.
// It refuses to write: that is what InTx is for.
func (db *DB) Client() *ent.Client { return db.client }

// Reader runs hand-written reads. They must put the scope into their SQL
// themselves; only packages that own a table outside ent use it.
func (db *DB) Reader() *sql.DB { return db.read }

// Listen calls heard with the payload of every notification on a channel until
// ctx ends or the connection is lost, and ready once it hears. PostgreSQL only.
func (db *DB) Listen(ctx context.Context, channel string, ready func(), heard func(payload string)) error {
	if db.dialect != Postgres {
		return fmt.Errorf("LISTEN needs PostgreSQL, not %s", db.dialect)
	}
	// A connection of its own: it waits all its life, and out of a pool it would
	// be one that nobody else can have.
	conn, err := pgx.ConnectConfig(ctx, db.pools[0].Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ready()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		heard(n.Payload)
	}
}

// Dialect says which kind of database this is.
func (db *DB) Dialect() Dialect { return db.dialect }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.read.PingContext(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// Close closes the database and gives the data folder free.
func (db *DB) Close() error {
	var errs []error
	if db.read != nil {
		errs = append(errs, db.read.Close())
	}
	if db.write != nil {
		errs = append(errs, db.write.Close())
	}
	for _, pool := range db.pools {
		pool.Close()
	}
	if db.unlock != nil {
		errs = append(errs, db.unlock())
	}
	return errors.Join(errs...)
}
