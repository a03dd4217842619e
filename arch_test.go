package renkei_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/renkei-go/renkei"

// floors gives each top folder its place; a package imports from its own tree and from lower floors only.
var floors = map[string]int{
	"foundation": 1,
	"transport":  2,
	"ackflow":    3,
	"opinio":     3,
	"approval":   4,
	"staff":      4,
	"calendar":   5,
	"refserver":  6,
	"examples":   7,
}

// domains are the trees that know each other through a bridge only.
var domains = []string{"ackflow", "opinio", "approval", "staff", "calendar"}

// bridges name the domain that a package may import beside its own.
var bridges = map[string]string{
	"approval/ackguard":     "ackflow",
	"staff/opiniohires":     "opinio",
	"calendar/approvalgate": "approval",
}

// owners name the one package that may import a library, so that it can be replaced in one place. Tests are free.
var owners = map[string]string{
	"github.com/go-playground/validator": "foundation/check",
	"github.com/cenkalti/backoff":        "transport/retry",
	"github.com/arran4/golang-ical":      "calendar/ical",
}

// testOnly are never part of a program, not even through another library.
var testOnly = []string{
	"github.com/anishathalye/porcupine",
	"github.com/stretchr/testify",
	"pgregory.net/rapid",
	module + "/foundation/sqldb/sqldbtest",
}

// mostLines is the cap on a Go file that is neither a test nor generated.
const mostLines = 500

// pkg is what `go list` says about a package.
type pkg struct {
	Dir          string
	ImportPath   string
	Name         string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// rel is the package's path inside the module; the root is "".
func (p pkg) rel() string { return rel(p.ImportPath) }

func (p pkg) isMain() bool { return p.Name == "main" }

// isTest says whether the package serves tests: it, or a folder above it, is named like sqldbtest.
func (p pkg) isTest() bool { return isTest(p.rel()) }

func isTest(rel string) bool {
	return slices.ContainsFunc(strings.Split(rel, "/"), func(name string) bool { return strings.HasSuffix(name, "test") })
}

func rel(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

// inModule says whether the import path is a package of this module.
func inModule(importPath string) bool { return within(importPath, module) }

// within says whether the path is the tree's root or lies in it.
func within(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

// top is the first folder of a path inside the module.
func top(rel string) string {
	first, _, _ := strings.Cut(rel, "/")
	return first
}

// list asks `go list` about packages that have code outside tests, or tests.
func list(t *testing.T, arguments ...string) []pkg {
	t.Helper()
	fields := "Dir,ImportPath,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-json=" + fields}, arguments...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// TestArchitecture holds the rules of the house, see the package documentation.
func TestArchitecture(t *testing.T) {
	pkgs := list(t, "./...")
	if len(pkgs) == 0 {
		t.Fatal("go list found no packages")
	}
	for _, p := range pkgs {
		for _, imported := range p.Imports {
			if fault := badImport(p, imported); fault != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, fault)
			}
		}
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if within(imported, "github.com/stretchr/testify") {
				t.Errorf("the tests of %s import %s: use the testing package", p.ImportPath, imported)
			}
		}
		if len(p.GoFiles) > 0 {
			checkDocumented(t, p)
		}
		for _, file := range p.GoFiles {
			checkLength(t, filepath.Join(p.Dir, file))
		}
	}
}

// TestNoTestLibraryInPrograms finds the ones that come in through another library.
func TestNoTestLibraryInPrograms(t *testing.T) {
	var roots []string
	for _, p := range list(t, "./...") {
		if len(p.GoFiles) > 0 && !p.isTest() {
			roots = append(roots, p.ImportPath)
		}
	}
	for _, p := range list(t, append([]string{"-deps"}, roots...)...) {
		if slices.ContainsFunc(testOnly, func(library string) bool { return within(p.ImportPath, library) }) {
			t.Errorf("%s is linked into programs; `go mod why %[1]s` tells by whom", p.ImportPath)
		}
	}
}

// badImport says what is wrong with an import outside tests, or "".
func badImport(p pkg, imported string) string {
	for library, owner := range owners {
		if within(imported, library) && p.rel() != owner {
			return "only " + owner + " may"
		}
	}
	if slices.ContainsFunc(testOnly, func(library string) bool { return within(imported, library) }) && !p.isTest() {
		return "only tests and packages named …test may"
	}
	if !inModule(imported) {
		return ""
	}
	from, to := p.rel(), rel(imported)
	if from == "" {
		return "the root package is a map and imports nothing of the module"
	}
	if to == "" {
		return "the root package holds no code"
	}
	fromFloor, ok := floors[top(from)]
	if !ok {
		return "folder " + top(from) + " has no floor: give it one in arch_test.go and doc.go"
	}
	toFloor, ok := floors[top(to)]
	switch {
	case !ok:
		return "folder " + top(to) + " has no floor: give it one in arch_test.go and doc.go"
	case top(from) != top(to) && toFloor >= fromFloor:
		return fmt.Sprintf("floor %d may not import floor %d", fromFloor, toFloor)
	case within(to, from) && !p.isTest() && !p.isMain():
		return "a package does not import its own subfolders"
	case slices.Contains(domains, top(from)) && slices.Contains(domains, top(to)) && top(from) != top(to) &&
		bridges[from] != top(to):
		return "domains meet in a bridge only"
	case top(from) == "foundation" && within(to, "foundation/sqldb") && !isAdapter(from):
		return "of the foundation only adapters (…bun) and test packages import sqldb"
	}
	return ""
}

// isAdapter says whether a foundation package implements an interface by the database, or belongs to sqldb itself.
func isAdapter(rel string) bool {
	return strings.HasSuffix(path.Base(rel), "bun") || within(rel, "foundation/sqldb") || isTest(rel)
}

// checkDocumented wants a doc.go and a runnable Example in packages that others import. The root holds no code to show.
func checkDocumented(t *testing.T, p pkg) {
	t.Helper()
	if p.isMain() {
		return
	}
	if !slices.Contains(p.GoFiles, "doc.go") {
		t.Errorf("%s has no doc.go", p.ImportPath)
	}
	if p.isTest() || p.rel() == "" {
		return
	}
	var files []*ast.File
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		files = append(files, file)
	}
	if !slices.ContainsFunc(doc.Examples(files...), func(e *doc.Example) bool { return e.Output != "" || e.EmptyOutput }) {
		t.Errorf("%s has no Example with an // Output: comment", p.ImportPath)
	}
}

func checkLength(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	if bytes.HasPrefix(text, []byte("// Code generated ")) {
		return
	}
	if lines := bytes.Count(text, []byte("\n")); lines > mostLines {
		t.Errorf("%s has %d lines, more than %d: it is two files", file, lines, mostLines)
	}
}

// TestRules proves that the rules catch what they are for.
func TestRules(t *testing.T) {
	tests := []struct {
		from, name, to string
		allowed        bool
	}{
		{"foundation/audit", "audit", "foundation/identity", true},
		{"foundation/audit", "audit", "foundation/sqldb", false},
		{"foundation/audit/auditbun", "auditbun", "foundation/sqldb", true},
		{"foundation/audit/auditbun", "auditbun", "foundation/audit", true},
		{"foundation/audit", "audit", "foundation/audit/auditbun", false},
		{"foundation/audit", "audit", "transport", false},
		{"foundation/sqldb/sqldbtest", "sqldbtest", "foundation/sqldb/sqldbtest/postgrestest", true},
		{"transport", "transport", "foundation/fault", true},
		{"transport", "transport", "ackflow", false},
		{"ackflow", "ackflow", "opinio", false},
		{"ackflow/ackflowbun", "ackflowbun", "foundation/sqldb", true},
		{"ackflow/ackflowbun", "ackflowbun", "foundation/sqldb/sqldbtest", false},
		{"ackflow/ackflowtest", "ackflowtest", "foundation/sqldb/sqldbtest", true},
		{"approval", "approval", "ackflow", false},
		{"approval/ackguard", "ackguard", "ackflow", true},
		{"approval/ackguard", "ackguard", "opinio", false},
		{"staff", "staff", "opinio", false},
		{"staff/opiniohires", "opiniohires", "opinio", true},
		{"calendar/approvalgate", "approvalgate", "approval", true},
		{"calendar/approvalgate", "approvalgate", "approval/approvalbun", true},
		{"calendar/imip", "imip", "transport/mail", true},
		{"calendar", "calendar", "refserver/server", false},
		{"refserver", "main", "refserver/server", true},
		{"refserver/server", "server", "calendar", true},
		{"refserver/server", "server", "examples/one", false},
		{"novel", "novel", "foundation/fault", false},
		{"calendar", "calendar", "novel", false},
		{"", "renkei", "calendar", false},
		{"calendar", "calendar", "", false},
		{"foundation/check", "check", "github.com/go-playground/validator/v10", true},
		{"staff", "staff", "github.com/go-playground/validator/v10", false},
		{"transport/delivery", "delivery", "github.com/cenkalti/backoff/v4", false},
		{"calendar/ical", "ical", "github.com/arran4/golang-ical", true},
		{"staff", "staff", "pgregory.net/rapid", false},
		{"staff/stafftest", "stafftest", "pgregory.net/rapid", true},
		{"staff", "staff", "encoding/json", true},
	}
	for _, tt := range tests {
		imported := tt.to
		if !strings.Contains(imported, ".") && imported != "encoding/json" { // a path inside the module
			imported = strings.TrimSuffix(module+"/"+tt.to, "/")
		}
		p := pkg{ImportPath: strings.TrimSuffix(module+"/"+tt.from, "/"), Name: tt.name}
		if fault := badImport(p, imported); (fault == "") != tt.allowed {
			t.Errorf("%s imports %s: %q, want allowed = %t", tt.from, imported, fault, tt.allowed)
		}
	}
}
