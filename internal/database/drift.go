package database

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	entsql "entgo.io/ent/dialect/sql"
	"entgo.io/ent/dialect/sql/schema"

	entmigrate "github.com/cairn-itdr/cairn/ent/migrate"
)

// Drift returns the statements that would bring the migrated database in step
// with the ent schema; none when the migrations are complete. It writes nothing.
func Drift(ctx context.Context, db *DB) ([]string, error) {
	var out bytes.Buffer
	drv := entsql.OpenDB(string(db.dialect), db.write)
	err := entmigrate.NewSchema(drv).WriteTo(ctx, &out, schema.WithDropColumn(true), schema.WithDropIndex(true))
	if err != nil {
		return nil, fmt.Errorf("compare with the ent schema: %w", err)
	}
	var statements []string
	for line := range strings.Lines(out.String()) {
		s := strings.TrimSuffix(strings.TrimSpace(line), ";")
		switch {
		case s == "", s == "BEGIN", s == "COMMIT", strings.HasPrefix(s, "PRAGMA"):
		default:
			statements = append(statements, s)
		}
	}
	return statements, nil
}
