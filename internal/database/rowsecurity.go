package database

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// unforced are the tables whose policy does not bind their owner: PostgreSQL
// refuses COPY into a table where it does, and an import lives by COPY. A role
// that does not own them is bound there too, and copies by way of a staging
// table (Tx.CopyFrom).
var unforced = map[string]bool{"activities": true}

// secureRows gives every table that belongs to organizations its policy, the
// second wall behind the scope: a session sees the rows of the organization it
// was told of, and none where it was told of none (tellOrganization;
// docs/decisions/0002-row-level-security.md). It changes nothing where all is
// in place, and leaves tables alone that the role does not own: whoever
// migrates owns them.
func secureRows(ctx context.Context, db *DB) (err error) {
	rows, err := db.write.QueryContext(ctx, `SELECT c.relname FROM pg_class c
		WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND pg_get_userbyid(c.relowner) = current_user
		AND (c.relname = 'organizations' OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'organization_id'))
		AND NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'organization') ORDER BY 1`)
	if err != nil {
		return fmt.Errorf("look for tables without a row policy: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var open []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return fmt.Errorf("look for tables without a row policy: %w", err)
		}
		open = append(open, table)
	}
	if err := rows.Err(); err != nil || len(open) == 0 {
		return err
	}
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("set row policies: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing where it was committed
	// Processes that start at once follow each other.
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", rowSecurityLock); err != nil {
		return fmt.Errorf("set row policies: %w", err)
	}
	for _, table := range open {
		if _, err := tx.ExecContext(ctx, policyOf(table)); err != nil {
			return fmt.Errorf("set the row policy of %s: %w", table, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("set row policies: %w", err)
	}
	return nil
}

// rowSecurityLock is the advisory lock of secureRows: "cairn" and a number.
const rowSecurityLock = 0x636169726e_02

func policyOf(table string) string {
	column := "organization_id"
	if table == "organizations" {
		column = "id"
	}
	name := pgx.Identifier{table}.Sanitize()
	told := "current_setting('" + organizationVariable + "', true)"
	// The setting is read once a statement, not once a row.
	condition := "(SELECT " + told + ") = '*' OR " + column + " = (SELECT " + told + ")"
	statements := []string{
		"ALTER TABLE " + name + " ENABLE ROW LEVEL SECURITY",
		"DROP POLICY IF EXISTS organization ON " + name,
		"CREATE POLICY organization ON " + name + " USING (" + condition + ") WITH CHECK (" + condition + ")",
	}
	if !unforced[table] {
		statements = append(statements, "ALTER TABLE "+name+" FORCE ROW LEVEL SECURITY")
	}
	return strings.Join(statements, "; ")
}

// bound says whether row policies bind this session on the table.
func bound(ctx context.Context, db *DB, table string) (yes bool, err error) {
	if err := db.write.QueryRowContext(ctx, "SELECT row_security_active($1::regclass)", table).Scan(&yes); err != nil {
		return false, fmt.Errorf("ask for row policies: %w", err)
	}
	return yes, nil
}
