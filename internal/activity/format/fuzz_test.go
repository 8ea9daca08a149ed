package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairn-itdr/cairn/internal/activity"
	"github.com/cairn-itdr/cairn/internal/activity/format"
)

// FuzzReader feeds the reader anything: it must end, keep within its limits
// and hand out tidy records and printable errors.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob("testdata/normalise/*")
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		if len(text) < 8<<10 {
			f.Add(text)
		}
	}
	f.Add([]byte(gz(f, audit(1)+"\n"+audit(2))))
	f.Add([]byte(audit(1)[:50] + "\n" + audit(2)))
	f.Add([]byte(csvOf([]string{"AuditData"}, []string{audit(1)}) + "\"x\n"))
	f.Add([]byte(`{"value":[{"a":[{}]},"x",1],"y":[`))
	f.Add([]byte("[1,null,\"x\",{\"a\":nope}]\nnull\nhello\n42 \n{\"a\":[\n\"x\"\n"))
	for _, text := range exported() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := format.Limits{RecordBytes: 4096, Depth: 16, Expansion: 50, ExpansionGrace: 1 << 20}
		reader, err := format.Open("log", bytes.NewReader(data), limits)
		if err != nil {
			printableError(t, err)
			return
		}
		line := 0
		for n := 0; ; n++ {
			require.LessOrEqual(t, n, 4<<20, "the reader does not end")
			rec, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				printableError(t, err)
				continue
			}
			// U+FFFD and escapes are longer than what they replace, rows of tables get names.
			require.LessOrEqual(t, len(rec.Raw), 32*limits.RecordBytes)
			require.True(t, utf8.Valid(rec.Raw))
			require.Equal(t, byte('{'), rec.Raw[0])
			require.GreaterOrEqual(t, rec.Line, line)
			line = rec.Line
			if json.Valid(rec.Raw) {
				require.NotContains(t, string(rec.Raw), "\n")
			}
			_, err = format.Parse(rec.Raw)
			printableError(t, err)
		}
		_, err = reader.Next()
		require.ErrorIs(t, err, io.EOF)
	})
}

func printableError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	require.LessOrEqual(t, len([]rune(err.Error())), 400)
	require.False(t, strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }), "%q", err.Error())
}

func seeds(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata/normalise", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		for _, a := range readFile(f, file).activities {
			f.Add(a.Raw)
		}
	}
}

func fuzzShape(f *testing.F, name, pattern string) {
	f.Helper()
	seeds(f, pattern)
	for _, text := range exported() { // how members are written in one kind of record they may be in another
		for _, rec := range readAll(f, "log", strings.NewReader(text), format.Limits{}).records {
			f.Add(rec.Raw)
		}
	}
	shape := format.ShapeByName(name)
	require.NotNil(f, shape)
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = format.Tidy(raw)
		a, err := shape.Parse(raw)
		if err != nil {
			var rejected *format.RejectError
			require.ErrorAs(t, err, &rejected)
			printableError(t, err)
			return
		}
		require.NotEmpty(t, a.VendorID)
		require.NotEmpty(t, a.Source)
		require.NotEmpty(t, a.Result)
		require.NotEmpty(t, a.Actor.Kind)
		base, _, _ := strings.Cut(a.Shape, "@")
		require.Equal(t, name, base)
		require.Equal(t, time.UTC, a.OccurredAt.Location())
		require.GreaterOrEqual(t, a.OccurredAt.Year(), 2000)
		require.GreaterOrEqual(t, a.ErrorCode, 0)
		for _, s := range []string{a.VendorID, a.Actor.Principal, a.UserAgent, a.Subject, a.Target, a.SessionID, a.Operation} {
			require.True(t, utf8.ValidString(s))
			require.NotContains(t, s, "\x00")
		}
		require.Equal(t, activity.CanonicalOperation(a.Operation), a.Operation)
		again, err := format.ShapeByName(a.Shape).Parse(raw)
		require.NoError(t, err)
		require.Equal(t, a, again)
	})
}

func FuzzParseUnifiedAudit(f *testing.F) {
	fuzzShape(f, "unified_audit", "*unified*.*son")
}

func FuzzParseGraphSignIn(f *testing.F) {
	fuzzShape(f, "graph_sign_in", "graph_sign_in*.json")
}

func FuzzParseGraphDirectoryAudit(f *testing.F) {
	fuzzShape(f, "graph_directory_audit", "graph_directory*.json")
}

func FuzzParseAzureMonitorAudit(f *testing.F) {
	fuzzShape(f, "azure_monitor_audit", "azure*.ndjson")
}

func FuzzParseOfficeActivity(f *testing.F) {
	fuzzShape(f, "office_activity", "office*.ndjson")
}

func FuzzParseDiagnostic(f *testing.F) {
	fuzzShape(f, "diagnostic_settings", "graph*.json")
}

func FuzzParseAuditSearch(f *testing.F) {
	f.Add([]byte(`{"id":"x","createdDateTime":"2025-03-04T05:06:07Z","auditLogRecordType":"x","operation":"Send","auditData":null}`))
	fuzzShape(f, "graph_audit_search", "*unified*.*son")
}
