package generator_test

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator"
)

// FuzzRun feeds lists to the function and checks what holds for all of them: there is no panic; on an
// error the items leave as they came; on success the output is YAML, and a second run changes nothing.
func FuzzRun(f *testing.F) {
	inputs, err := filepath.Glob("../testdata/*/input.yaml")
	require.NoError(f, err)
	require.NotEmpty(f, inputs)
	for _, input := range inputs {
		text, err := os.ReadFile(input)
		require.NoError(f, err)
		f.Add(text, "an example seed, not for production")
		f.Add(text, "")
	}
	f.Fuzz(func(t *testing.T, in []byte, seed string) {
		run := func(in []byte) (out []byte, failed bool) {
			out, results := generator.Run(in, generator.Environment{
				LookupEnv: func(string) (string, bool) { return seed, seed != "" },
				Random:    rand.New(rand.NewSource(1)),
			})
			return out, results.ExitCode() != 0
		}
		out, failed := run(in)
		if out == nil {
			return // no ResourceList
		}
		after, ok := items(out)
		if !ok {
			t.Fatal("the output is not YAML")
		}
		if failed {
			if before, _ := items(in); !bytes.Equal(before, after) {
				t.Fatal("on an error the items must leave as they came")
			}
			return
		}
		again, failed := run(out)
		if failed {
			t.Fatal("the second run must succeed")
		}
		if !bytes.Equal(out, again) {
			t.Fatal("the second run must change nothing")
		}
	})
}

// clearStyle leaves the values: a list in JSON comes back in lines, and some folded texts do as well.
func clearStyle(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		clearStyle(child)
	}
}

// items returns the items of a list in one form, whatever the style they came in.
func items(list []byte) ([]byte, bool) {
	var document yaml.Node
	if err := yaml.Unmarshal(list, &document); err != nil {
		return nil, false
	}
	for i, n := range document.Content[0].Content {
		if n.Value == "items" && i%2 == 0 {
			list := document.Content[0].Content[i+1]
			clearStyle(list)
			text, err := yaml.Marshal(list)
			return text, err == nil
		}
	}
	return nil, true
}
