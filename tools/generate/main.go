// Command generate writes the files that are generated from the Go types of the API: the JSON schemas of both kinds, the
// claim's definition in the Krmfile, and the reference in docs/configuration.md. `make generate` runs it; with -check, it
// writes nothing and fails if a file is stale.
//
// The types' comments become the descriptions, and their markers the rules, as Kubernetes' controller-gen reads them.
// One marker is our own: `+unit=GiB` gives the unit of a number.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/constant"
	"go/types"
	"os"
	"path/filepath"

	"golang.org/x/tools/go/packages"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-tools/pkg/crd"
	crdmarkers "sigs.k8s.io/controller-tools/pkg/crd/markers"
	"sigs.k8s.io/controller-tools/pkg/loader"
	"sigs.k8s.io/controller-tools/pkg/markers"
)

func main() {
	root := flag.String("root", "../..", "the repository")
	check := flag.Bool("check", false, "write nothing, and fail if a file is stale")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	api, err := load(root)
	if err != nil {
		return err
	}
	stale := false
	for file, generate := range map[string]func(old []byte) ([]byte, error){
		"api/v1alpha1/dragonflyinstance.schema.json":  func([]byte) ([]byte, error) { return api.jsonSchema(api.claim, api.claimKind) },
		"api/v1alpha1/dragonflygenerator.schema.json": func([]byte) ([]byte, error) { return api.jsonSchema(api.config, api.configKind) },
		"Krmfile":               func([]byte) ([]byte, error) { return api.krmfile() },
		"docs/configuration.md": api.reference,
	} {
		path := filepath.Join(root, filepath.FromSlash(file))
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		fresh, err := generate(old)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if bytes.Equal(old, fresh) {
			continue
		}
		if check {
			stale = true
			fmt.Fprintf(os.Stderr, "%s is stale\n", file)
		} else if err := os.WriteFile(path, fresh, 0o644); err != nil {
			return err
		}
	}
	if stale {
		return errors.New("it does not match the Go types of the API; run `make generate`")
	}
	return nil
}

// unit is the marker for the unit of a number. A schema has no field for it, so it is passed as the format, which
// otherwise contains the number of bits.
type unit string

var _ crd.SchemaMarker = unit("")

// ApplyToSchema is how controller-gen's markers change a schema.
func (u unit) ApplyToSchema(_ *crdmarkers.SchemaContext, schema *apiextensions.JSONSchemaProps) error {
	schema.Format = string(u)
	return nil
}

// api holds the information from the Go types.
type api struct {
	group, version        string
	claimKind, configKind string
	claim, config         apiextensions.JSONSchemaProps
	types                 map[string]*markers.TypeInfo // by name
}

func load(root string) (*api, error) {
	roots, err := loader.LoadRootsWithConfig(&packages.Config{Dir: root}, "./api/v1alpha1")
	if err != nil {
		return nil, err
	}
	registry := &markers.Registry{}
	if err := crdmarkers.Register(registry); err != nil {
		return nil, err
	}
	if err := registry.Register(markers.Must(markers.MakeDefinition("unit", markers.DescribesField, unit("")))); err != nil {
		return nil, err
	}
	parser := &crd.Parser{Collector: &markers.Collector{Registry: registry}, Checker: &loader.TypeChecker{}}
	crd.AddKnownTypes(parser)
	pkg := roots[0]
	parser.NeedPackage(pkg)
	schema := func(kind string) apiextensions.JSONSchemaProps {
		ident := crd.TypeIdent{Package: pkg, Name: kind}
		parser.NeedFlattenedSchemaFor(ident)
		return parser.FlattenedSchemata[ident]
	}
	text := func(name string) string {
		value, ok := pkg.Types.Scope().Lookup(name).(*types.Const)
		if !ok {
			return ""
		}
		return constant.StringVal(value.Val())
	}
	read := &api{group: text("Group"), version: text("Version"), claimKind: text("ClaimKind"), configKind: text("ConfigKind")}
	read.claim, read.config = schema(read.claimKind), schema(read.configKind)
	read.types = map[string]*markers.TypeInfo{}
	for ident, info := range parser.Types {
		if ident.Package == pkg {
			read.types[ident.Name] = info
		}
	}
	if loader.PrintErrors(roots, packages.TypeError) {
		return nil, errors.New("the package of the API has errors")
	}
	return read, nil
}
