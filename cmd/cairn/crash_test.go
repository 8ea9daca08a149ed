//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cairn-itdr/cairn/internal/access"
	"github.com/cairn-itdr/cairn/internal/database"
	"github.com/cairn-itdr/cairn/internal/database/databasetest"
	"github.com/cairn-itdr/cairn/internal/database/pgtest"
	"github.com/cairn-itdr/cairn/internal/simulator"
	"github.com/cairn-itdr/cairn/internal/typeid"
)

// installed makes an organization and the tenant Contoso, under the same ids
// in every database: activities' ids derive from the tenant's, and of two
// records of one second the smaller id goes first.
func installed(t *testing.T, cfg database.Config) database.Config {
	t.Helper()
	db, err := database.Open(t.Context(), cfg)
	require.NoError(t, err)
	ctx := access.SystemAcrossOrganizations(t.Context(), "test")
	require.NoError(t, db.InTx(ctx, func(ctx context.Context, tx *database.Tx) error {
		at := time.Unix(0, 0).UTC()
		o, err := tx.Client.Organization.Create().SetID(typeid.Derived("organization", "test")).SetName("MSP").SetCreatedAt(at).Save(ctx)
		if err != nil {
			return err
		}
		return tx.Client.Tenant.Create().SetID(typeid.Derived("tenant", "test")).SetOrganizationID(o.ID).
			SetName("Contoso").SetNameKey("contoso").SetMicrosoftTenantID(storyTenant().ID.String()).SetCreatedAt(at).Exec(ctx)
	}))
	require.NoError(t, db.Close())
	return cfg
}

// take reads what a database holds.
func take(t *testing.T, cfg database.Config) databasetest.Snapshot {
	t.Helper()
	db, err := database.Open(t.Context(), cfg)
	require.NoError(t, err)
	s := databasetest.Take(t, db)
	require.NoError(t, db.Close())
	return s
}

// storyWorld is where the story happens, storyTenant to whom.
var storyWorld = simulator.New(simulator.Config{Seed: 5, Intensity: 0.3})

func storyTenant() *simulator.Tenant { return storyWorld.Tenants[2] }

// story is some days of a simulated tenant's life with two attacks in it, as
// lines in the order of time.
func story(t *testing.T) [][]byte {
	t.Helper()
	world, tenant := storyWorld, storyTenant()
	end := time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC)
	var records []simulator.Record
	for of, r := range world.History(end.AddDate(0, 0, -9), end) {
		if of == tenant {
			records = append(records, r)
		}
	}
	for i, kind := range []simulator.AttackKind{simulator.TokenTheft, simulator.Spray, simulator.BlockedSpray} {
		records = append(records, world.Attack(kind, tenant, end.AddDate(0, 0, -2*i-2).Add(10*time.Hour)).Records...)
	}
	lines := make([][]byte, len(records))
	for i, r := range records {
		lines[i] = append(r.Raw, '\n')
	}
	return lines
}

func write(t *testing.T, name string, lines [][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, bytes.Join(lines, nil), 0o600))
	return path
}

// flags name a database on the command line.
func flags(cfg database.Config) []string {
	if cfg.URL != "" {
		return []string{"--database-url", cfg.URL}
	}
	return []string{"--data-dir", cfg.DataDir}
}

func importing(cfg database.Config, files ...string) []string {
	return append(append([]string{"import", "--tenant", "Contoso"}, flags(cfg)...), files...)
}

// eachDatabase runs a test with databases of both kinds; fresh makes one.
func eachDatabase(t *testing.T, test func(t *testing.T, fresh func() database.Config)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, func() database.Config { return database.Config{DataDir: t.TempDir()} })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, func() database.Config { return database.Config{URL: pgtest.URL(t)} })
	})
}

// Ensure an import that is killed, wherever it stands, has stored each batch
// whole or not at all, and is completed by the same command: nothing twice,
// nothing missing.
func TestKilledImport(t *testing.T) {
	t.Parallel()
	parts := slices.Collect(slices.Chunk(story(t), 450))
	eachDatabase(t, func(t *testing.T, fresh func() database.Config) {
		var files, pipes []string
		whole := []int{0} // how many activities there can be: a part is a batch
		folder := t.TempDir()
		for i, part := range parts {
			files = append(files, write(t, fmt.Sprintf("part%02d.json", i), part))
			pipes = append(pipes, filepath.Join(folder, fmt.Sprintf("pipe%02d", i)))
			require.NoError(t, unix.Mkfifo(pipes[i], 0o600))
			whole = append(whole, whole[i]+len(part))
		}
		undisturbed := installed(t, fresh())
		code, _, stderr := cairn(t, importing(undisturbed, files...)...)
		require.Zero(t, code, stderr)
		want := take(t, undisturbed)
		require.Len(t, want.Activities, whole[len(parts)])
		require.NotEmpty(t, want.Findings)
		require.NotEmpty(t, want.FailedAttacks)
		require.NotEmpty(t, want.Incidents)

		disturbed := installed(t, fresh())
		seed := uint64(time.Now().UnixNano())
		dice := rand.New(rand.NewPCG(seed, 0))
		const rounds = 4
		for round := range rounds {
			// Short of the last part, so that the process can't end by itself.
			last := (round*(len(parts)-1) + dice.IntN(len(parts)-1)) / rounds
			cmd := exec.CommandContext(t.Context(), "cairn", importing(disturbed, pipes...)...)
			require.NoError(t, cmd.Start())
			for i := range last {
				feed(t, pipes[i], bytes.Join(parts[i], nil)) // opened when cairn is done with the one before
			}
			content := bytes.Join(parts[last], nil)
			if round%2 == 0 { // while it reads
				feed(t, pipes[last], content[:dice.IntN(len(content))])
			} else { // while it stores, or thereabouts: chance is the point
				feed(t, pipes[last], content)
				<-time.After(time.Duration(dice.Int64N(int64(30 * time.Millisecond))))
			}
			require.NoError(t, cmd.Process.Kill())
			require.ErrorContains(t, cmd.Wait(), "killed")
			stored := len(take(t, disturbed).Activities)
			t.Logf("seed %d, round %d: killed in part %d of %d with %d activities stored", seed, round, last+1, len(parts), stored)
			require.Contains(t, whole, stored)
		}
		code, _, stderr = cairn(t, importing(disturbed, files...)...)
		require.Zero(t, code, stderr)
		require.Empty(t, cmp.Diff(want, take(t, disturbed)))
	})
}

// Ensure Ctrl-C ends an import at once, even while it waits for more to read,
// and that it says what is stored and how to go on.
func TestInterruptedImport(t *testing.T) {
	t.Parallel()
	lines := story(t)[:600]
	folder, cfg := t.TempDir(), installed(t, database.Config{DataDir: t.TempDir()})
	first, second := filepath.Join(folder, "first"), filepath.Join(folder, "second")
	require.NoError(t, unix.Mkfifo(first, 0o600))
	require.NoError(t, unix.Mkfifo(second, 0o600))
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "cairn", importing(cfg, first, second)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	feed(t, first, bytes.Join(lines[:400], nil))
	waiting, err := os.OpenFile(second, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = waiting.Write(bytes.Join(lines[400:], nil))
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.NoError(t, waiting.Close())
	require.Equal(t, exitFailed, cmd.ProcessState.ExitCode(), stderr.String())
	require.Regexp(t, `\b400 new\b`, stdout.String())
	require.Contains(t, stderr.String(), "the import stopped; what is counted as new is stored, and the same command completes the rest: it was interrupted\n")
	require.Len(t, take(t, cfg).Activities, 400)
}

// feed writes a pipe whose reader is still to come.
func feed(t *testing.T, pipe string, content []byte) {
	t.Helper()
	f, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(content)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// Ensure two imports at once into one tenant, of files that overlap, end as
// one after the other would: on PostgreSQL, where there can be two.
func TestTwoImportsAtOnce(t *testing.T) {
	t.Parallel()
	lines := story(t)
	first, second := write(t, "first.json", lines[:2*len(lines)/3]), write(t, "second.json", lines[len(lines)/3:])
	one := installed(t, database.Config{URL: pgtest.URL(t)})
	code, _, stderr := cairn(t, importing(one, first, second)...)
	require.Zero(t, code, stderr)
	want := take(t, one)
	require.Len(t, want.Activities, len(lines))

	t.Run("into a tenant that is there", func(t *testing.T) {
		t.Parallel()
		got := atOnce(t, installed(t, database.Config{URL: pgtest.URL(t)}), first, second)
		got.Superseded = want.Superseded // which batch came first decides those
		require.Empty(t, cmp.Diff(want, got))
	})
	t.Run("into a database that is empty", func(t *testing.T) {
		t.Parallel()
		got := atOnce(t, database.Config{URL: pgtest.URL(t)}, first, second)
		require.Empty(t, cmp.Diff(want.Accounts, got.Accounts))
		require.Empty(t, cmp.Diff(want.Activities, got.Activities))
		require.Empty(t, cmp.Diff(want.FailedAttacks, got.FailedAttacks))
		require.Len(t, got.Findings, len(want.Findings))
		require.Len(t, got.Incidents, len(want.Incidents))
	})
}

// atOnce imports each file by a process of its own and returns the result.
func atOnce(t *testing.T, cfg database.Config, files ...string) databasetest.Snapshot {
	t.Helper()
	outputs := make([]string, len(files))
	var wait sync.WaitGroup
	for i, file := range files {
		wait.Go(func() {
			out, err := exec.CommandContext(t.Context(), "cairn", importing(cfg, file)...).CombinedOutput()
			if err != nil {
				outputs[i] = fmt.Sprintf("%s: %v", out, err)
			}
		})
	}
	wait.Wait()
	for _, complaint := range outputs {
		require.Empty(t, complaint)
	}
	return take(t, cfg)
}
