// Package docs_test checks what the pages say:
//
//   - Every link leads to a page and a heading that exist (links_test.go).
//   - Every YAML block is valid, and the function accepts the configurations among them (blocks_test.go).
//   - Every command that writes into a Secret names its own field manager (commands_test.go).
//   - Every test that SECURITY.md names exists (security_test.go).
//   - Every message that troubleshooting.md quotes comes from the program (troubleshooting_test.go). Messages carry
//     their own remedy, so the page need not list them all.
package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

var (
	// A message is a list item that starts with code. Its placeholders are in angle brackets.
	quoted      = regexp.MustCompile("(?m)^- (``.+?``|`[^`]+`)")
	placeholder = regexp.MustCompile(`<[a-z][a-z ]*>`)
	verb        = regexp.MustCompile(`%[-+# 0]*[0-9*]*(?:\[[0-9]+\])?[a-zA-Z]`)
)

// texts returns the strings in a Go file, with concatenations joined. A NUL stands for each value that is filled in.
func texts(file *ast.File) []string {
	var found []string
	var text func(ast.Expr) string
	text = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			if value, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
				return value
			}
		case *ast.BinaryExpr:
			return text(e.X) + text(e.Y)
		}
		return "\x00"
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			found = append(found, text(n))
			return n.Op != token.ADD
		case *ast.BasicLit:
			found = append(found, text(n))
		}
		return true
	})
	for i, text := range found {
		found[i] = strings.ReplaceAll(verb.ReplaceAllString(text, "\x00"), "%%", "%")
	}
	return found
}

// source returns the program's strings, without those in its tests.
func source(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, folder := range []string{"api", "generator", "internal"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(testkit.Root(t), folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				found = append(found, texts(file)...)
			}
			return err
		}))
	}
	return found
}

// isIn reports whether a message is part of one of the texts.
func isIn(message string, texts []string) bool {
	parts := placeholder.Split(message, -1)
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	pattern := regexp.MustCompile(strings.Join(parts, "\x00"))
	return slices.ContainsFunc(texts, pattern.MatchString)
}

func TestQuotedMessages(t *testing.T) {
	page := testkit.ReadPage(t, "docs/troubleshooting.md")
	program := source(t)
	messages := quoted.FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(messages), 25, "most messages are not found on the page")
	for _, message := range messages {
		text := strings.TrimSpace(strings.Trim(message[1], "`"))
		assert.True(t, isIn(text, program), "the program has no message with: %s", text)
	}
}

func TestIsIn(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", `package main

func main() {
	r.Errorf("the claim %s is %d%% "+hint+"; remove it", name, 80)
	r.Warnf("set `+"`"+`spec`+"`"+` to %q", value)
}
`, 0)
	require.NoError(t, err)
	program := texts(file)
	for message, want := range map[string]bool{
		"the claim <claim> is <number>% <why>; remove it": true,
		"; remove it":                 true,
		"is <number>% <why>; remove":  true,
		"set `spec` to <value>":       true,
		"the claim my-cache is":       false,
		"remove it; set":              false,
		"the claims <claim> is":       false,
		"is 80% ":                     false,
		"<why>; remove it from there": false,
	} {
		assert.Equal(t, want, isIn(message, program), message)
	}
}
