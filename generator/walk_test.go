package generator_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// TestWalk changes a package at random, as people do over months, and renders it in place after every change. An error
// must leave the items unchanged, a second render must change nothing, none of our Secrets may ever contain a password,
// and what others wrote must stay.
func TestWalk(t *testing.T) {
	const walks, steps = 60, 12
	renders, refusals := 0, 0
	for seed := range int64(walks) {
		w := walk{random: rand.New(rand.NewSource(seed)), size: "small", theirs: map[string]string{}}
		for range steps {
			w.log = append(w.log, w.change())
			renders++
			if w.render(t) {
				refusals++
			}
		}
	}
	require.Greater(t, renders-refusals, renders/3, "the walks must not all be refused")
	require.Positive(t, refusals)
}

// walk is the state of the package.
type walk struct {
	random                 *rand.Rand
	size, source, rotation string
	claims                 int               // in addition to the first one
	theirs                 map[string]string // what others made, by kind and name
	ours                   []*yaml.Node      // what the function wrote
	log                    []string
}

// change makes a random change, and describes it.
func (w *walk) change() string {
	one := func(values ...string) string { return values[w.random.Intn(len(values))] }
	switch w.random.Intn(7) {
	case 0:
		w.size = one("micro", "small", "large")
		return "size " + w.size
	case 1, 2:
		w.source = one("", "InCluster", "Existing", "External")
		return "source " + w.source
	case 3:
		w.rotation = one("", "2", "3")
		return "rotation " + w.rotation
	case 4:
		w.claims = w.random.Intn(3)
		return fmt.Sprint(w.claims, " more claims")
	case 5:
		if len(w.ours) > 0 {
			i := w.random.Intn(len(w.ours))
			w.ours = append(w.ours[:i:i], w.ours[i+1:]...)
			return "delete one of our files"
		}
	}
	name, kind := one("a-password", "a-conn"), one("Secret", "SealedSecret")
	if w.theirs[kind+name] != "" {
		delete(w.theirs, kind+name)
		return "delete their " + kind + " " + name
	}
	w.theirs[kind+name] = map[string]string{
		"Secret":       "{apiVersion: v1, kind: Secret, metadata: {name: " + name + ", namespace: ns}, data: {password: aHVudGVyMg==}}",
		"SealedSecret": "{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: " + name + ", namespace: ns}, spec: {}}",
	}[kind]
	return "add their " + kind + " " + name
}

func (w *walk) list(t *testing.T) []byte {
	t.Helper()
	texts := []string{"{apiVersion: kpt.dev/v1, kind: Kptfile, metadata: {name: x}}"}
	for i := range w.claims + 1 {
		texts = append(texts, fmt.Sprintf("{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyInstance, metadata: {name: %c, namespace: ns, annotations: {%s%s}}, spec: {size: %s}}",
			'a'+i, annotation("password-source", w.source), annotation("password-rotation", w.rotation), w.size))
	}
	for _, name := range slices.Sorted(maps.Keys(w.theirs)) {
		text := w.theirs[name]
		texts = append(texts, text)
	}
	items := &yaml.Node{Kind: yaml.SequenceNode}
	for _, text := range texts {
		items.Content = append(items.Content, yaml.MustParse(text).YNode())
	}
	items.Content = append(items.Content, w.ours...)
	text, err := yaml.Marshal(map[string]any{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items})
	require.NoError(t, err)
	return text
}

func annotation(name, value string) string {
	if value == "" {
		return ""
	}
	return "database.bizmatters.io/" + name + ": \"" + value + "\", "
}

// render runs the function on the package, checks the invariants, and reports whether the function refused.
func (w *walk) render(t *testing.T) (refused bool) {
	t.Helper()
	story := strings.Join(w.log, ", ")
	in := w.list(t)
	out, results := generator.Run(in)
	before, _ := items(in)
	after, _ := items(out)
	if results.ExitCode() != 0 {
		require.True(t, bytes.Equal(before, after), "after an error the items must be unchanged: %s", story)
		return true
	}
	again, results := generator.Run(out)
	require.True(t, results.ExitCode() == 0 && bytes.Equal(out, again), "the second run must change nothing: %s", story)

	w.ours = nil
	theirs := 0
	for _, item := range itemsOf(t, out) {
		if yamlnode.Text(item, "metadata", "annotations", "database.bizmatters.io/generated-from") == "" {
			if kind := yamlnode.Text(item, "kind"); kind == "Secret" || kind == "SealedSecret" {
				theirs++
			}
			continue
		}
		require.Empty(t, yamlnode.Text(item, "data", "password"), "one of our Secrets contains a password: %s", story)
		w.ours = append(w.ours, item)
	}
	require.Equal(t, len(w.theirs), theirs, "what others wrote must stay: %s", story)
	return false
}
