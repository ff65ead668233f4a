package generator_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator"
)

// TestWalk changes a kept package at random, as happens over months, and renders it after every change. The
// password must change only on request, both Secrets must contain the same one, an error must leave the items
// unchanged, and a second render must change nothing.
func TestWalk(t *testing.T) {
	const walks, steps = 60, 12
	renders, refusals := 0, 0
	for seed := range int64(walks) {
		source := []string{"Seed", "Random", "InCluster"}[seed%3]
		w := walk{random: rand.New(rand.NewSource(seed)), hidden: map[string]string{}, source: source, seeded: source == "Seed"}
		w.items = []*yaml.RNode{
			yaml.MustParse("apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata: {name: x}\n"),
			yaml.MustParse("apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata: {name: a, namespace: ns, annotations: {database.bizmatters.io/password-source: " + source + "}}\nspec: {size: small}\n"),
		}
		for range steps {
			what := w.change()
			w.log = append(w.log, what)
			refused := w.render(t)
			renders++
			if refused {
				refusals++
			}
		}
	}
	require.Greater(t, renders-refusals, renders/3, "the walks must come to something")
	require.Positive(t, refusals)
}

// walk is the state of the package.
type walk struct {
	random   *rand.Rand
	items    []*yaml.RNode
	source   string // of the password
	seeded   bool   // the environment has a seed
	rotation int
	log      []string

	password string            // the current one, "" before the first
	asked    bool              // another one was requested since
	hidden   map[string]string // the contents of the encrypted Secrets, by name
}

func (w *walk) find(kind, name string) *yaml.RNode {
	for _, item := range w.items {
		if item.GetKind() == kind && item.GetName() == name {
			return item
		}
	}
	return nil
}

func (w *walk) remove(kind, name string) {
	w.items = slices.DeleteFunc(w.items, func(item *yaml.RNode) bool { return item.GetKind() == kind && item.GetName() == name })
}

// valueOf returns the password in a Secret, decrypted if necessary.
func (w *walk) valueOf(name string) string {
	secret := w.find("Secret", name)
	if secret == nil {
		return ""
	}
	if plain, found := w.hidden[name]; found {
		return plain
	}
	decoded, _ := base64.StdEncoding.DecodeString(secret.GetDataMap()["password"])
	return string(decoded)
}

// change makes one change and returns its name.
func (w *walk) change() string {
	claim := w.find("DragonflyInstance", "a")
	secret := []string{"a-password", "a-conn"}[w.random.Intn(2)]
	switch w.random.Intn(12) {
	case 0, 1:
		size := []string{"micro", "small", "medium", "large"}[w.random.Intn(4)]
		_ = claim.PipeE(yaml.Lookup("spec"), yaml.SetField("size", yaml.NewStringRNode(size)))
		return "size " + size
	case 2:
		w.rotation++
		w.asked = true
		_ = claim.PipeE(yaml.SetAnnotation("database.bizmatters.io/password-rotation", fmt.Sprint(w.rotation)))
		return "rotate"
	case 3:
		_ = claim.PipeE(yaml.ClearAnnotation("database.bizmatters.io/password-rotation"))
		return "remove the rotation"
	case 4:
		w.seeded = w.source == "Seed" && !w.seeded
		return fmt.Sprint("seed ", w.seeded)
	case 5:
		kind := []string{"StatefulSet", "Service"}[w.random.Intn(2)]
		w.remove(kind, "a")
		return "remove the " + kind
	case 6:
		w.remove("Secret", secret)
		delete(w.hidden, secret)
		return "remove " + secret
	case 7: // a fresh clone, where both are ignored
		for _, name := range []string{"a-password", "a-conn"} {
			w.remove("Secret", name)
			delete(w.hidden, name)
		}
		return "remove both Secrets"
	case 8, 9: // SOPS
		if object := w.find("Secret", secret); object != nil {
			if plain, found := w.hidden[secret]; found {
				object.SetDataMap(map[string]string{"password": base64.StdEncoding.EncodeToString([]byte(plain))})
				_ = object.PipeE(yaml.Clear("sops"))
				delete(w.hidden, secret)
				return "decrypt " + secret
			}
			w.hidden[secret] = w.valueOf(secret)
			object.SetDataMap(map[string]string{"password": "ENC[AES256_GCM,data:x,type:str]"})
			_ = object.PipeE(yaml.SetField("sops", yaml.MustParse("{mac: x}")))
			return "encrypt " + secret
		}
	case 10: // bring your own, where the connection Secret can follow; where it cannot, there is a warning
		if len(w.hidden) == 0 {
			w.remove("Secret", "a-password")
			w.asked = true
			w.items = append(w.items, yaml.MustParse(fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: a-password, namespace: ns}\ndata: {password: %s}\n",
				base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "own-%d", w.random.Int())))))
			return "bring an own password"
		}
	}
	return "nothing"
}

// render runs the function on the package, checks the invariants, and reports whether the function refused.
func (w *walk) render(t *testing.T) (refused bool) {
	t.Helper()
	story := strings.Join(w.log, ", ")
	run := func(in []byte) ([]byte, bool) {
		out, results := generator.Run(in, generator.Environment{
			LookupEnv: func(string) (string, bool) { return "an example seed, not for production", w.seeded },
			Random:    w.random,
		})
		return out, results.ExitCode() != 0
	}
	if w.find("StatefulSet", "a") == nil && w.find("Service", "a") == nil && w.find("Secret", "a-password") == nil && w.find("Secret", "a-conn") == nil {
		w.asked = true // nothing is left of the instance, so it is a new one
	}
	if w.source == "Seed" && w.find("Secret", "a-password") == nil && w.find("Secret", "a-conn") == nil &&
		(w.find("StatefulSet", "a") == nil || strings.HasPrefix(w.password, "own-")) {
		w.asked = true // nothing is left that records a rotation, or the password was not the seed's
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, item := range w.items {
		list.Content = append(list.Content, item.YNode())
	}
	text, err := yaml.Marshal(map[string]any{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": list})
	require.True(t, err == nil)
	out, failed := run(text)
	if failed {
		before, _ := items(text)
		after, _ := items(out)
		require.True(t, bytes.Equal(before, after), "on an error the items must leave as they came: %s", story)
		return true
	}
	again, failed := run(out)
	require.True(t, !failed && bytes.Equal(out, again), "the second run must change nothing: %s", story)

	var rendered struct {
		Items []yaml.Node `yaml:"items"`
	}
	require.True(t, yaml.Unmarshal(out, &rendered) == nil)
	w.items = nil
	for i := range rendered.Items {
		w.items = append(w.items, yaml.NewRNode(&rendered.Items[i]))
	}
	password, connection := w.valueOf("a-password"), w.valueOf("a-conn")
	if w.source == "InCluster" && password == "" {
		require.Empty(t, connection, "neither Secret holds what is made in the cluster: %s", story)
		w.password, w.asked = "", false
		return false
	}
	require.NotEmpty(t, password, story)
	_, hiddenPassword := w.hidden["a-password"]
	_, hiddenConnection := w.hidden["a-conn"]
	if hiddenPassword == hiddenConnection {
		require.True(t, password == connection || hiddenPassword && w.asked, "both Secrets must hold the same: %s", story)
	}
	if !w.asked && w.password != "" {
		require.True(t, password == w.password, "nobody asked for another password: %s", story)
	}
	w.password, w.asked = password, false
	return false
}
