// Package script_test runs the command line as people do in a terminal.
package script_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite the expected files with the program's output, for review with git diff")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dragonfly-generator": testkit.Program})
}

// TestScript runs each file in testdata, a terminal session about one behavior. Besides testscript's own commands,
// there are
//
//	exits CODE COMMAND...    runs the command, which must exit with that code
//	remember DIR             records every file below DIR, with its content, permissions and times
//	untouched DIR            fails if anything differs from the record
//	mode PERMISSIONS FILE    fails if the file has other permissions
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Values["remembered"] = map[string]string{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				code := 0
				if err := ts.Exec(args[1], args[2:]...); err != nil {
					var exit *exec.ExitError
					if !errors.As(err, &exit) {
						ts.Fatalf("%v", err)
					}
					code = exit.ExitCode()
				}
				if want := args[0]; strconv.Itoa(code) != want {
					ts.Fatalf("exit code %d, want %s", code, want)
				}
			},
			"remember": func(ts *testscript.TestScript, _ bool, args []string) {
				remembered(ts)[args[0]] = everything(ts, args[0])
			},
			"untouched": func(ts *testscript.TestScript, _ bool, args []string) {
				if before, now := remembered(ts)[args[0]], everything(ts, args[0]); before != now {
					ts.Fatalf("%s was:\n%s\nand is:\n%s", args[0], before, now)
				}
			},
			"mode": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[1]))
				ts.Check(err)
				if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
					ts.Fatalf("%s has the permissions %s, want %s", args[1], got, args[0])
				}
			},
		},
	})
}

func remembered(ts *testscript.TestScript) map[string]string {
	return ts.Value("remembered").(map[string]string)
}

// everything returns all observable properties of the files below a folder.
func everything(ts *testscript.TestScript, folder string) string {
	var all strings.Builder
	ts.Check(filepath.WalkDir(ts.MkAbs(folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content := ""
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(text)
		}
		fmt.Fprintf(&all, "%s %s %s %q\n", path, info.Mode(), info.ModTime(), content)
		return nil
	}))
	return all.String()
}
