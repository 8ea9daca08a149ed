// Command newmigration writes the next migration for both databases: the
// difference between what the migrations so far make and what the ent schema
// wants. Run it with `make migration name=what_changes`, then read and, where
// rows must move, extend what it wrote.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cairn-itdr/cairn/internal/database"
)

const folder = "internal/database/migrations"

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: newmigration NAME POSTGRES_URL   (an empty database; from the top of the project)")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "newmigration:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name, postgresURL string) error {
	dir, err := os.MkdirTemp("", "cairn-newmigration-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for sub, cfg := range map[string]database.Config{"sqlite": {DataDir: dir}, "postgres": {URL: postgresURL}} {
		statements, err := diff(ctx, cfg)
		if err != nil {
			return fmt.Errorf("%s: %w", sub, err)
		}
		if len(statements) == 0 {
			fmt.Println(sub, "is in step: nothing written")
			continue
		}
		path, err := write(filepath.Join(folder, sub), name, statements)
		if err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return nil
}

func diff(ctx context.Context, cfg database.Config) (statements []string, err error) {
	db, err := database.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return database.Drift(ctx, db)
}

func write(dir, name string, statements []string) (string, error) {
	existing, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("%04d_%s.sql", len(existing)+1, name))
	var text bytes.Buffer
	text.WriteString("-- +goose Up\n")
	for _, s := range statements {
		text.WriteString(s + ";\n")
	}
	return path, os.WriteFile(path, text.Bytes(), 0o644)
}
