package database

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/cairn-itdr/cairn/internal/access"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// ErrNewerSchema is returned where the database was migrated by a newer cairn.
var ErrNewerSchema = errors.New("the database was written by a newer version of cairn")

// migrate brings the schema up to date. Several processes may start at once on
// PostgreSQL: an advisory lock lets one of them do it.
func migrate(ctx context.Context, db *DB) error {
	ctx = access.SystemAcrossOrganizations(ctx, "migration") // rows that must move may be anybody's
	p, err := provider(db)
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if current > target {
		return fmt.Errorf("%w (schema %d, this one knows %d): run the newer cairn, or restore the backup made before the upgrade",
			ErrNewerSchema, current, target)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	if db.dialect != Postgres {
		return nil
	}
	if err := secureRows(ctx, db); err != nil {
		return err
	}
	db.staged, err = bound(ctx, db, "activities")
	return err
}

func provider(db *DB) (*goose.Provider, error) {
	dir, gooseDialect := "sqlite", goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if db.dialect == Postgres {
		dir, gooseDialect = "postgres", goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, fmt.Errorf("migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, "migrations/"+dir)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider(gooseDialect, db.write, files, options...)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return p, nil
}
