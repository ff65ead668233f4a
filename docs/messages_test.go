package docs_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bizmatters/dragonfly-generator/internal/cli"
)

const module = "github.com/bizmatters/dragonfly-generator"

// message is a text of the source that the program can print, or a part of one: a hint, a reason. It is cut
// where something is filled in, so a plain text has one part.
type message struct {
	parts []string
	at    string // where it stands
}

func (m message) String() string { return strings.Join(m.parts, "…") }

// Two words in a row are taken for something that is said to people.
var prose = regexp.MustCompile(`[A-Za-z]{2,}[,;:]? [a-z]{2,}`)

var letter = regexp.MustCompile(`[A-Za-z]`)

// messages returns every text in the source that the program can print, once each. It follows no values:
// whatever reads like words counts, wherever it stands, and so does all that is handed to a function that
// makes a message. Left out are the help, and errors of which nobody sees the text.
func (p *program) messages() []message {
	help := helpText()
	seen := map[string]bool{}
	var found []message
	take := func(at ast.Node, parts []string, isMessage bool) {
		parts = slices.Clone(parts)
		parts[0] = severity.ReplaceAllString(parts[0], "")
		last := len(parts) - 1
		parts[last] = strings.TrimSuffix(parts[last], "\n")
		text := strings.Join(parts, "\x00")
		says := prose.MatchString(text) || isMessage && letter.MatchString(text)
		if !says || seen[text] || strings.Contains(text, "\n") || len(parts) == 1 && strings.Contains(help, strings.ReplaceAll(text, "`", "")) {
			return
		}
		seen[text] = true
		found = append(found, message{parts, p.set.Position(at.Pos()).String()})
	}
	for _, file := range p.files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.Field:
				return n.Tag == nil
			case *ast.CallExpr:
				format, isMessage := p.format(n)
				if isUnread := isMessage && p.isError(n) && !p.isPrinted(n, map[ast.Node]bool{}); format != nil && !isUnread {
					take(n, p.fill(n, format), isMessage)
				}
			case *ast.BasicLit, *ast.BinaryExpr:
				if parts := p.text(n.(ast.Expr)); len(parts) > 0 && !p.isInText(n) {
					if assignment, ok := p.parents[n].(*ast.AssignStmt); ok && assignment.Tok == token.ADD_ASSIGN {
						parts = joined([]string{"", ""}, parts)
					}
					take(n, parts, false)
				}
			}
			return true
		})
	}
	return found
}

// severity is what a line begins with.
var severity = regexp.MustCompile(`^(error|warning|info): `)

// fragments returns what messages may be put together from: them, and formats that have no words.
func (p *program) fragments() []message {
	found := p.messages()
	for _, file := range p.files {
		ast.Inspect(file, func(n ast.Node) bool {
			var parts []string
			if call, ok := n.(*ast.CallExpr); ok {
				if format, _ := p.format(call); format != nil {
					parts = p.fill(call, format)
				}
			} else if sum, ok := n.(*ast.BinaryExpr); ok {
				parts = p.text(sum)
			}
			if text := strings.Join(parts, ""); len(parts) > 1 && text != "" && !prose.MatchString(strings.Join(parts, "\x00")) && !strings.Contains(text, "\n") {
				found = append(found, message{parts, p.set.Position(n.Pos()).String()})
			}
			return true
		})
	}
	return found
}

// helpText returns all that the program prints when it is asked for help.
func helpText() string {
	var out bytes.Buffer
	for _, args := range [][]string{{"help"}, {"help", "render"}, {"help", "install"}, {"help", "keep-password"}, {"help", "version"}, {"help", "help"}} {
		cli.Run(args, cli.Streams{Out: &out, Err: &out})
	}
	return out.String()
}

// program is the source of the program: the packages of this module that its main package needs, for every
// operating system, without their tests.
//
// The types of other modules are not looked at, since all that is wanted are our constants, functions and
// variables. So the compiler's complaints mean nothing.
type program struct {
	source   fs.FS
	set      *token.FileSet
	files    []*ast.File
	packages map[string]*types.Package
	info     types.Info

	parents map[ast.Node]ast.Node
	uses    map[types.Object][]*ast.Ident
}

// load reads the program.
func load(source fs.FS) (*program, error) {
	p := &program{
		source: source, set: token.NewFileSet(), packages: map[string]*types.Package{},
		info:    types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}},
		parents: map[ast.Node]ast.Node{}, uses: map[types.Object][]*ast.Ident{},
	}
	if _, err := p.Import(module); err != nil {
		return nil, err
	}
	for _, file := range p.files {
		ast.PreorderStack(file, nil, func(n ast.Node, stack []ast.Node) bool {
			if len(stack) > 0 {
				p.parents[n] = stack[len(stack)-1]
			}
			if ident, ok := n.(*ast.Ident); ok && p.info.Uses[ident] != nil {
				p.uses[p.info.Uses[ident]] = append(p.uses[p.info.Uses[ident]], ident)
			}
			return true
		})
	}
	return p, nil
}

// Import implements types.Importer.
func (p *program) Import(name string) (*types.Package, error) {
	if known := p.packages[name]; known != nil {
		return known, nil
	}
	folder, ours := strings.CutPrefix(name, module)
	if !ours {
		other := types.NewPackage(name, path.Base(name))
		other.MarkComplete()
		p.packages[name] = other
		return other, nil
	}
	names, err := fs.Glob(p.source, path.Join(".", folder, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(p.source, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(p.set, filepath.FromSlash(name), text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no Go files", name)
	}
	config := types.Config{Importer: p, Error: func(error) {}}
	p.packages[name], _ = config.Check(name, p.set, files, &p.info)
	p.files = append(p.files, files...)
	return p.packages[name], nil
}

// value returns the text of a constant, numbers included.
func (p *program) value(e ast.Expr) (text string, isString, found bool) {
	if v := p.info.Types[e].Value; v != nil {
		if v.Kind() == constant.String {
			return constant.StringVal(v), true, true
		}
		return v.ExactString(), false, true
	}
	if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
		text, err := strconv.Unquote(literal.Value)
		return text, true, err == nil
	}
	return "", false, false
}

// text returns the parts of a text that is constant, or put together with +. It returns nil where nothing in
// it is.
func (p *program) text(e ast.Expr) []string {
	if text, isString, _ := p.value(e); isString {
		return []string{text}
	}
	sum, ok := e.(*ast.BinaryExpr)
	if !ok || sum.Op != token.ADD {
		return nil
	}
	left, right := p.text(sum.X), p.text(sum.Y)
	switch {
	case left == nil && right == nil:
		return nil
	case left == nil:
		left = []string{"", ""}
	case right == nil:
		right = []string{"", ""}
	}
	return joined(left, right)
}

func joined(left, right []string) []string {
	last := len(left) - 1
	return append(append(slices.Clone(left[:last]), left[last]+right[0]), right[1:]...)
}

// isInText says whether a text is only part of one that is taken as a whole.
func (p *program) isInText(n ast.Node) bool {
	parent := p.parents[n]
	if call, ok := parent.(*ast.CallExpr); ok {
		format, _ := p.format(call)
		return format == n
	}
	sum, ok := parent.(*ast.BinaryExpr)
	return ok && p.text(sum) != nil
}

// Functions that take a format; those that make an error, a warning or an info of it.
var (
	takesFormat  = regexp.MustCompile(`(Sprintf|Fprintf|[eE]rrorf|[wW]arnf|[iI]nfof)$`)
	makesMessage = regexp.MustCompile(`([eE]rrorf|[wW]arnf|[iI]nfof)$`)
)

// format returns the argument of a call that is the text of a message, or a part of one, nil where there is
// none that is constant.
func (p *program) format(call *ast.CallExpr) (format ast.Expr, isMessage bool) {
	name := types.ExprString(call.Fun)
	isMessage = makesMessage.MatchString(name) || name == "errors.New"
	if !isMessage && !takesFormat.MatchString(name) {
		return nil, false
	}
	for _, argument := range call.Args {
		if _, isString, _ := p.value(argument); isString || name == "errors.New" {
			return argument, isMessage
		}
	}
	return nil, false
}

// isError says whether a call makes an error, and not a result.
func (p *program) isError(call *ast.CallExpr) bool {
	name := types.ExprString(call.Fun)
	return name == "errors.New" || name == "fmt.Errorf"
}

var verb = regexp.MustCompile(`%[-+# 0]*[0-9.]*[a-zA-Z%]`)

// fill returns the parts of a format, with the arguments that are constant.
func (p *program) fill(call *ast.CallExpr, format ast.Expr) []string {
	text := p.text(format)
	if !strings.HasSuffix(types.ExprString(call.Fun), "f") || len(text) != 1 {
		return text
	}
	arguments := call.Args[slices.Index(call.Args, format)+1:]
	parts, rest := []string{""}, text[0]
	for at := verb.FindStringIndex(rest); at != nil; at = verb.FindStringIndex(rest) {
		what, filled := rest[at[0]:at[1]], []string{"", ""}
		switch {
		case what == "%%":
			filled = []string{"%"}
		case len(arguments) > 0:
			if value, isString, found := p.value(arguments[0]); found && isString && what == "%q" {
				filled = []string{strconv.Quote(value)}
			} else if found {
				filled = []string{value}
			}
			arguments = arguments[1:]
		}
		parts = joined(joined(parts, []string{rest[:at[0]]}), filled)
		rest = rest[at[1]:]
	}
	return joined(parts, []string{rest})
}

// isPrinted says whether the text of an error can get into a message. It cannot where the error is only
// compared with nil, handed on by functions of which the same is true, and reported by its type alone, as
// what is a bug. What it cannot follow counts as printed.
func (p *program) isPrinted(e ast.Expr, seen map[ast.Node]bool) bool {
	if seen[e] {
		return false // that is being found out
	}
	seen[e] = true
	switch parent := p.parents[e].(type) {
	case *ast.ReturnStmt:
		function, _ := p.enclosing(parent, isFunction).(*ast.FuncDecl)
		if function == nil {
			return true
		}
		calls := p.uses[p.info.Defs[function.Name]]
		return len(calls) == 0 || slices.ContainsFunc(calls, func(name *ast.Ident) bool {
			var called ast.Expr = name
			if selector, ok := p.parents[name].(*ast.SelectorExpr); ok {
				called = selector
			}
			call, ok := p.parents[called].(*ast.CallExpr)
			return !ok || call.Fun != called || p.isPrinted(call, seen)
		})
	case *ast.AssignStmt:
		variable, ok := parent.Lhs[len(parent.Lhs)-1].(*ast.Ident)
		if !ok || len(parent.Rhs) != 1 {
			return true
		}
		object := p.info.Defs[variable]
		if object == nil {
			object = p.info.Uses[variable]
		}
		return p.variableIsPrinted(object, parent, seen)
	case *ast.BinaryExpr:
		return parent.Op != token.EQL && parent.Op != token.NEQ
	case *ast.CallExpr:
		at := slices.Index(parent.Args, e)
		if format, isMessage := p.format(parent); isMessage {
			text := p.text(format)
			verbs := verb.FindAllString(strings.ReplaceAll(text[0], "%%", ""), -1)
			which := at - slices.Index(parent.Args, format) - 1
			return which < 0 || which >= len(verbs) || verbs[which] != "%T"
		}
		if name, ok := parent.Fun.(*ast.Ident); ok {
			if function, ok := p.info.Uses[name].(*types.Func); ok && at < function.Signature().Params().Len() {
				return p.variableIsPrinted(function.Signature().Params().At(at), nil, seen)
			}
		}
	}
	return true
}

// variableIsPrinted looks at where a variable is read after it was assigned, or anywhere if that is in a loop.
func (p *program) variableIsPrinted(variable types.Object, assigned ast.Node, seen map[ast.Node]bool) bool {
	if variable == nil || assigned != nil && p.isResult(variable) {
		return true
	}
	after := token.NoPos
	if assigned != nil && p.enclosing(assigned, func(n ast.Node) bool { return isFunction(n) || isLoop(n) }) == p.enclosing(assigned, isFunction) {
		after = assigned.End()
	}
	return slices.ContainsFunc(p.uses[variable], func(use *ast.Ident) bool {
		if assignment, ok := p.parents[use].(*ast.AssignStmt); ok && slices.Contains(assignment.Lhs, ast.Expr(use)) {
			return false
		}
		return use.Pos() >= after && p.isPrinted(use, seen)
	})
}

// isResult says whether a variable is the named error of a function, which a bare return hands on.
func (p *program) isResult(variable types.Object) bool {
	for _, file := range p.files {
		found := false
		ast.Inspect(file, func(n ast.Node) bool {
			if function, ok := n.(*ast.FuncType); ok && function.Results != nil {
				found = found || function.Results.Pos() <= variable.Pos() && variable.Pos() < function.Results.End()
			}
			return !found
		})
		if found {
			return true
		}
	}
	return false
}

func (p *program) enclosing(n ast.Node, wanted func(ast.Node) bool) ast.Node {
	for n != nil && !wanted(n) {
		n = p.parents[n]
	}
	return n
}

func isFunction(n ast.Node) bool {
	switch n.(type) {
	case *ast.FuncDecl, *ast.FuncLit:
		return true
	}
	return false
}

func isLoop(n ast.Node) bool {
	switch n.(type) {
	case *ast.ForStmt, *ast.RangeStmt:
		return true
	}
	return false
}
