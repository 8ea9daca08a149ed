// Package architecture_test proves the directions of dependency: who stands
// where in the house, who may come in, and what belongs in no package. It reads
// what the packages import and nothing else; the tables below are the rules.
package architecture_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/cairn-itdr/cairn/"

// house lists the packages from the roof down. A package imports only what
// stands on a lower floor: not its neighbours, nothing above. A name ending in
// "/..." stands for a package and everything below it, and these may import
// each other as they like; of several names the longest counts. The
// capabilities have a floor each: they form a line, not a web.
var house = [][]string{
	{"cmd/..."},
	{"internal/app/..."},
	{"graph/...", "internal/server/...", "internal/control/...", "internal/signin/...", "web/..."},

	// The capabilities.
	{"internal/report/..."},
	{"internal/notification/..."},
	{"internal/ticketing/..."},
	{"internal/remediation/..."},
	{"internal/usage/..."},
	{"internal/importer/..."},
	{"internal/collect/..."},
	{"internal/intake/..."},
	{"internal/incident/..."},
	{"internal/tenant/..."},
	{"internal/member/..."},
	{"internal/apikey/..."},
	{"internal/organization/..."},
	{"internal/grant/..."},

	// What they stand on.
	{"internal/audit/...", "internal/idempotency/...", "internal/work/...", "internal/change/...", "internal/secret/..."},
	{"internal/database/databasetest"},
	{"internal/activity/activitylog/..."},
	{"internal/database/..."},
	{"ent/..."},
	{"internal/access/...", "internal/detect/...", "internal/intel/...", "internal/activity/format/..."},
	{"internal/activity", "internal/naming"},
	{"internal/database/pgtest", "internal/refusal", "internal/typeid", "internal/literal", "internal/outbound/...", "internal/mail/..."},

	// The strangers: they use nothing of the house.
	{"integrations/...", "internal/architecture", "internal/simulator/..."},
}

// rule forbids packages to import others. Patterns are import paths, those of
// the house without the module's name; "/..." as above.
type rule struct {
	why     string
	in      []string // the packages it holds for; all where empty
	except  []string
	deny    []string
	allow   []string // what of deny is allowed after all
	inTests bool     // it holds for tests as well
}

var rules = []rule{
	{
		why:  "only cmd puts the program together",
		deny: []string{"internal/app/..."}, except: []string{"cmd/...", "internal/app/..."},
		inTests: true,
	},
	{
		why: "the command line is flags and wiring; refusals are for whoever asked, here too",
		in:  []string{"cmd/..."}, deny: []string{"cmd/...", "ent/...", "graph/...", "integrations/...", "internal/...", "web/..."},
		allow: []string{"cmd/...", "internal/app/...", "internal/refusal", "internal/simulator/..."},
	},
	{
		why:  "the simulator is for the demo and for tests",
		deny: []string{"internal/simulator/..."}, except: []string{"cmd/...", "internal/app/...", "internal/simulator/..."},
	},
	{
		why: "integrations speak only their own system's API, and the simulator is a stranger; not even their tests know the house",
		in:  []string{"integrations/...", "internal/simulator/..."}, deny: []string{"cmd/...", "ent/...", "graph/...", "internal/...", "web/..."},
		// An adapter is tried against the simulator.
		allow: []string{"internal/simulator/..."}, inTests: true,
	},
	{
		why: "detection and what it reads are pure: no database, network, file or environment",
		in:  []string{"internal/activity", "internal/detect/...", "internal/typeid"},
		deny: []string{
			"database/...", "net/...", "os/...", "io/ioutil", "syscall", "log/...", "math/rand/...", "crypto/rand",
			"entgo.io/...", "github.com/jackc/...", "modernc.org/...",
		},
		allow: []string{"net/netip", "net/mail", "net/url"},
	},
	{
		why: "detection reads activities; who they are and where they are kept is not its business",
		in:  []string{"internal/detect/..."}, deny: []string{"ent/...", "internal/...", "graph/...", "integrations/..."},
		allow: []string{"internal/activity", "internal/detect/...", "internal/typeid"},
	},
	{
		why:  "only integrations/microsoft365 speaks Microsoft Graph",
		deny: []string{"github.com/microsoftgraph/..."}, except: []string{"integrations/microsoft365/..."},
		inTests: true,
	},
	{
		why: "belongs in tests",
		deny: []string{
			"testing/...", "github.com/stretchr/...", "github.com/google/go-cmp/...", "github.com/rogpeppe/go-internal/...",
			"go.uber.org/goleak", "pgregory.net/rapid", "internal/database/databasetest", "internal/database/pgtest",
			"integrations/psa/psatest", "internal/simulator/psa/clienttest", "ent/enttest", "github.com/getkin/kin-openapi/...",
		},
		except: []string{
			"internal/database/databasetest", "internal/database/pgtest", "integrations/psa/psatest", "internal/simulator/psa/clienttest", "ent/enttest",
		},
	},
	{
		why:     "use require: a test stops at what broke",
		deny:    []string{"github.com/stretchr/testify/assert", "github.com/stretchr/testify/suite", "github.com/stretchr/testify/mock"},
		inTests: true,
	},
}

// The names that say nothing about what a package is for.
var emptyNames = []string{"base", "common", "helper", "helpers", "lib", "misc", "models", "shared", "types", "util", "utils"}

// goPackage is what `go list -json` tells of a package.
type goPackage struct {
	ImportPath                         string
	Name                               string
	Imports, TestImports, XTestImports []string
}

func TestHouse(t *testing.T) {
	t.Parallel()

	for _, p := range list(t) {
		for _, wrong := range p.wrongs() {
			t.Error(wrong)
		}
	}
}

func TestPackageNamesSaySomething(t *testing.T) {
	t.Parallel()

	for _, p := range list(t) {
		require.NotContains(t, emptyNames, strings.TrimSuffix(p.Name, "_test"), "%s: name it after what it does", p.ImportPath)
	}
}

// TestTablesBite tries the tables on imports nobody should write.
func TestTablesBite(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		importer, imported string
		inTest             bool
		forbidden          bool
	}{
		{importer: "internal/detect", imported: "database/sql", forbidden: true},
		{importer: "internal/detect", imported: "net/http", forbidden: true},
		{importer: "internal/detect", imported: "net/netip"},
		{importer: "internal/detect", imported: "internal/intel", forbidden: true},
		{importer: "internal/detect", imported: "internal/database", forbidden: true},
		{importer: "internal/detect/consent", imported: "internal/detect"},
		{importer: "internal/incident", imported: "internal/ticketing", forbidden: true},
		{importer: "internal/incident", imported: "internal/remediation", forbidden: true},
		{importer: "internal/ticketing", imported: "internal/incident"},
		{importer: "internal/ticketing", imported: "integrations/psa/halopsa"},
		{importer: "internal/tenant", imported: "graph", forbidden: true},
		{importer: "graph", imported: "internal/app", forbidden: true},
		{importer: "graph", imported: "internal/server", forbidden: true},
		{importer: "cmd/cairn", imported: "internal/app"},
		{importer: "cmd/cairn", imported: "internal/importer", forbidden: true},
		{importer: "integrations/psa/halopsa", imported: "integrations/psa"},
		{importer: "integrations/psa/halopsa", imported: "ent/incident", forbidden: true},
		{importer: "integrations/psa/halopsa", imported: "internal/incident", inTest: true, forbidden: true},
		{importer: "integrations/psa/halopsa", imported: "internal/simulator", inTest: true},
		{importer: "internal/simulator", imported: "internal/activity", forbidden: true},
		{importer: "internal/importer", imported: "internal/simulator", forbidden: true},
		{importer: "internal/importer", imported: "internal/simulator", inTest: true},
		{importer: "integrations/microsoft365", imported: "github.com/microsoftgraph/msgraph-sdk-go/users"},
		{importer: "internal/remediation", imported: "github.com/microsoftgraph/msgraph-sdk-go", forbidden: true},
		{importer: "internal/tenant", imported: "github.com/stretchr/testify/require", forbidden: true},
		{importer: "internal/tenant", imported: "github.com/stretchr/testify/require", inTest: true},
		{importer: "internal/tenant", imported: "github.com/stretchr/testify/assert", inTest: true, forbidden: true},
		{importer: "internal/tenant", imported: "internal/database/databasetest", forbidden: true},
		{importer: "internal/tenant", imported: "internal/database/databasetest", inTest: true},
	} {
		p := goPackage{ImportPath: module + c.importer}
		imported := c.imported
		if _, ours := floor(module + imported); ours {
			imported = module + imported
		}
		if c.inTest {
			p.XTestImports = []string{imported}
		} else {
			p.Imports = []string{imported}
		}
		require.Equal(t, c.forbidden, len(p.wrongs()) > 0, "%s imports %s (in a test: %t)", c.importer, c.imported, c.inTest)
	}
}

// wrongs returns what is wrong with the imports of p.
func (p goPackage) wrongs() []string {
	own, ok := floor(p.ImportPath)
	if !ok {
		return []string{p.ImportPath + " stands on no floor: say in the table `house` what it may import and who may import it"}
	}
	var wrongs []string
	for _, imported := range p.Imports {
		theirs, ours := floor(imported)
		if ours && theirs.name != own.name && theirs.number <= own.number {
			wrongs = append(wrongs, p.ImportPath+" imports "+imported+", which does not stand below it")
		}
	}
	for _, r := range rules {
		for _, imported := range r.broken(p) {
			wrongs = append(wrongs, p.ImportPath+" imports "+imported+": "+r.why)
		}
	}
	return wrongs
}

// broken returns the imports of p that the rule forbids.
func (r rule) broken(p goPackage) []string {
	if len(r.in) > 0 && !matchesAny(r.in, p.ImportPath) || matchesAny(r.except, p.ImportPath) {
		return nil
	}
	imports := slices.Clone(p.Imports)
	if r.inTests {
		imports = slices.Concat(imports, p.TestImports, p.XTestImports)
	}
	return slices.DeleteFunc(imports, func(imported string) bool {
		return !matchesAny(r.deny, imported) || matchesAny(r.allow, imported)
	})
}

type place struct {
	number int // from the roof down
	name   string
}

// floor says where a package stands; false for one that is not of the house.
func floor(importPath string) (place, bool) {
	var found place
	for number, names := range house {
		for _, name := range names {
			if matches(name, importPath) && len(name) > len(found.name) {
				found = place{number, name}
			}
		}
	}
	return found, found.name != ""
}

func matchesAny(patterns []string, importPath string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, importPath) })
}

func matches(pattern, importPath string) bool {
	importPath = strings.TrimPrefix(importPath, module)
	if parent, ok := strings.CutSuffix(pattern, "/..."); ok {
		return importPath == parent || strings.HasPrefix(importPath, parent+"/")
	}
	return importPath == pattern
}

// list returns every package of the module, also those that do not compile.
func list(t *testing.T) []goPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Imports,TestImports,XTestImports", module+"...")
	output, err := command.Output()
	require.NoError(t, err)

	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
	require.NotEmpty(t, packages)
	return packages
}
