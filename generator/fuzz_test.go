package generator_test

import (
	"bytes"
	"encoding/base64"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/testkit"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

const (
	fuzzHead    = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n"
	fuzzKptfile = "- {apiVersion: kpt.dev/v1, kind: Kptfile, metadata: {name: x}}\n"
	fuzzClaim   = "- apiVersion: database.bizmatters.io/v1alpha1\n  kind: DragonflyInstance\n  metadata: {name: victim, namespace: theirs}\n"

	// marker is somebody else's password, and must not appear anywhere but in their Secret.
	marker = "hunter2-hunter2-hunter2-hunter2-hunter2"
)

// FuzzRun mutates whole lists.
func FuzzRun(f *testing.F) {
	for _, input := range goldenInputs(f) {
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, in []byte) { runTwice(t, in) })
}

// TestBeginnings runs the function on every prefix of a list, as a broken pipe would deliver it.
func TestBeginnings(t *testing.T) {
	list := fuzzHead + "functionConfig: {apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyGenerator, metadata: {name: x}}\nitems:\n" + fuzzKptfile +
		"- apiVersion: v1\n  kind: Secret\n  metadata: {name: victim-password, namespace: theirs}\n  stringData:\n    password: \"" + marker + "\"\n" + fuzzClaim
	succeeded := 0
	for end := range len(list) + 1 {
		if _, failed := runTwice(t, []byte(list[:end])); !failed {
			succeeded++
		}
	}
	require.Positive(t, succeeded)
	require.Less(t, succeeded, len(list)/2, "most prefixes are not a list")
}

// FuzzClaim mutates one claim, as a hostile author could, next to somebody else's instance. That instance
// must not change, and the objects of the claim must have its own names and run what every instance runs.
func FuzzClaim(f *testing.F) {
	for _, input := range goldenInputs(f) {
		for _, item := range itemsOf(f, input) {
			if yamlnode.Text(item, "kind") == "DragonflyInstance" {
				f.Add(textOf(f, item), true)
				f.Add(textOf(f, item), false)
			}
		}
	}
	theirs := map[bool][]byte{}
	for kept, list := range map[bool]string{true: fuzzKptfile + fuzzClaim, false: fuzzClaim} {
		out, results := generator.Run([]byte(fuzzHead + "items:\n" + list))
		require.Zero(f, results.ExitCode())
		theirs[kept], _, _ = bytes.Cut(out, []byte("\nresults:\n"))
	}
	f.Fuzz(func(t *testing.T, claim string, kept bool) {
		before := theirs[kept]
		after, failed := runTwice(t, []byte(string(before)+"\n- "+indent(claim, 2)+"\n"))
		if after == nil || failed {
			return
		}
		list := itemsOf(t, after)
		there := len(itemsOf(t, before))
		if yamlnode.Text(list[there], "kind") != "DragonflyInstance" || yamlnode.Text(list[there], "apiVersion") != "database.bizmatters.io/v1alpha1" {
			return // the text is no longer part of the claim
		}
		for i, item := range itemsOf(t, before) {
			if !yamlnode.Equal(item, list[i]) {
				t.Fatalf("the claim changed somebody else's %s %s", yamlnode.Text(item, "kind"), yamlnode.Text(item, "metadata", "name"))
			}
		}
		name, namespace := yamlnode.Text(list[there], "metadata", "name"), yamlnode.Text(list[there], "metadata", "namespace")
		source := yamlnode.Text(list[there], "metadata", "annotations", "database.bizmatters.io/password-source")
		want := map[string]int{"": 7, "InCluster": 7, "Existing": 6, "External": 2}[source]
		if len(list) != there+1+want {
			t.Fatalf("a claim must expand into %d objects, not %d", want, len(list)-there-1)
		}
		for _, object := range list[there+1:] {
			checkOwn(t, object, name, namespace)
			if yamlnode.Text(object, "kind") == "StatefulSet" && want == 7 {
				checkPod(t, object, list[slices.IndexFunc(list, isStatefulSet)])
			}
		}
	})
}

func isStatefulSet(n *yaml.Node) bool { return yamlnode.Text(n, "kind") == "StatefulSet" }

// checkOwn checks that an object has the claim's names and is in its folder.
func checkOwn(t *testing.T, object *yaml.Node, name, namespace string) {
	t.Helper()
	kind := yamlnode.Text(object, "kind")
	if got := yamlnode.Text(object, "metadata", "namespace"); got != namespace {
		t.Fatalf("a %s is not in its claim's namespace", kind)
	}
	if got := yamlnode.Text(object, "metadata", "name"); got != name && (kind != "Secret" || got != name+"-password" && got != name+"-conn") {
		t.Fatalf("a %s has a name that does not belong to its claim", kind)
	}
	path := yamlnode.Text(object, "metadata", "annotations", "internal.config.kubernetes.io/path")
	if folder := filepath.Base(filepath.Dir(path)); path != "" && (folder != name+"."+namespace || !filepath.IsLocal(path)) {
		t.Fatalf("a %s is outside its claim's folder", kind)
	}
}

// checkPod compares the pod with that of a default instance: a claim's author can change only its size and rotation.
func checkPod(t *testing.T, object, usual *yaml.Node) {
	t.Helper()
	pod := func(n *yaml.Node) *yaml.Node { return yamlnode.Get(n, "spec", "template", "spec") }
	for _, n := range []*yaml.Node{object, usual} {
		name := yamlnode.Text(n, "metadata", "name")
		if got := yamlnode.Text(pod(n), "serviceAccountName"); got != name {
			t.Fatal("the pod has an account that is not its own")
		}
		yamlnode.Set(pod(n), "serviceAccountName", nil)
		for _, volume := range yamlnode.Get(pod(n), "volumes").Content {
			if secret := yamlnode.Get(volume, "secret"); secret != nil {
				if got := yamlnode.Text(secret, "secretName"); got != name+"-password" && got != name+"-conn" {
					t.Fatal("the pod mounts a Secret that is not its own")
				}
				yamlnode.Set(secret, "secretName", nil)
			}
		}
		container := yamlnode.Get(pod(n), "containers").Content[0]
		yamlnode.Set(container, "resources", nil)
		leaveOut(container, func(arg string) bool {
			flag, value, _ := strings.Cut(arg, "=")
			return flag == "--proactor_threads" && strings.Trim(value, "0123456789") == ""
		})
		leaveOut(yamlnode.Get(pod(n), "initContainers").Content[0], func(arg string) bool {
			flag, value, _ := strings.Cut(arg, "=")
			return (flag == "--max-memory" || flag == "--memory-limit") && strings.Trim(value, "0123456789") == ""
		})
		yamlnode.Set(pod(n), "terminationGracePeriodSeconds", nil) // depends on the size
	}
	if !yamlnode.Equal(pod(object), pod(usual)) {
		t.Fatal("the claim controls what its pod runs")
	}
}

// leaveOut removes the args that may differ.
func leaveOut(container *yaml.Node, mayDiffer func(string) bool) {
	args := yamlnode.Get(container, "args")
	args.Content = slices.DeleteFunc(args.Content, func(arg *yaml.Node) bool { return mayDiffer(arg.Value) })
}

// FuzzConfiguration mutates the configuration.
func FuzzConfiguration(f *testing.F) {
	for _, input := range goldenInputs(f) {
		list, ok := parse(input)
		if config := yamlnode.Get(list, "functionConfig"); ok && yamlnode.Text(config, "kind") == "DragonflyGenerator" {
			if spec := yamlnode.Get(config, "spec"); spec != nil {
				f.Add(textOf(f, spec), true)
				f.Add(textOf(f, spec), false)
			}
		}
	}
	f.Fuzz(func(t *testing.T, spec string, kept bool) {
		items := fuzzClaim
		if kept {
			items += fuzzKptfile
		}
		runTwice(t, []byte(fuzzHead+"functionConfig:\n  apiVersion: database.bizmatters.io/v1alpha1\n  kind: DragonflyGenerator\n  metadata: {name: platform}\n  spec:\n    "+
			indent(spec, 4)+"\nitems:\n"+items))
	})
}

// runTwice runs the function and checks what must hold for every input: no panic, the output is YAML, an error leaves
// the items unchanged, a second run after a success changes nothing, and only Secrets contain secrets.
func runTwice(t *testing.T, in []byte) (out []byte, failed bool) {
	t.Helper()
	out, results := generator.Run(in)
	failed = results.ExitCode() != 0
	checkSecrets(t, in, out, results)
	if out == nil {
		if !failed {
			t.Fatal("no output must mean an error")
		}
		return nil, failed
	}
	after, ok := items(out)
	if !ok {
		t.Fatal("the output is not YAML")
	}
	if failed {
		if before, _ := items(in); !bytes.Equal(before, after) {
			t.Fatal("after an error the items must be unchanged")
		}
		return out, failed
	}
	again, results := generator.Run(out)
	if results.ExitCode() != 0 {
		t.Fatal("the second run must succeed")
	}
	if !bytes.Equal(out, again) {
		// A comment in an odd place, at the end of a list for example, may move once more.
		first, _ := items(out)
		if second, _ := items(again); !bytes.Contains(in, []byte("#")) || !bytes.Equal(first, second) {
			t.Fatal("the second run must change nothing")
		}
	}
	return out, failed
}

// checkSecrets looks for the marker where it must not be: in messages, and in objects other than Secrets.
func checkSecrets(t *testing.T, in, out []byte, results fn.Results) {
	t.Helper()
	encoded := base64.StdEncoding.EncodeToString([]byte(marker))
	shows := func(text string) bool {
		return strings.Contains(text, "hunter2") || strings.Contains(text, encoded[:12])
	}
	if list, ok := parse(in); ok && slices.ContainsFunc(itemsIn(list), func(item *yaml.Node) bool {
		return !isSecret(item) && shows(rawTextOf(item))
	}) {
		return // the input already contains it elsewhere
	}
	if shows(report.Lines(results)) {
		t.Fatal("stderr shows a secret")
	}
	list, ok := parse(out)
	if !ok {
		return
	}
	if n := yamlnode.Get(list, "results"); n != nil && shows(rawTextOf(n)) {
		t.Fatal("the results show a secret")
	}
	if config := yamlnode.Get(list, "functionConfig"); config != nil && shows(rawTextOf(config)) {
		return // text from a patch for a sidecar appears in the objects on purpose
	}
	for _, item := range itemsIn(list) {
		if !isSecret(item) && shows(rawTextOf(item)) {
			t.Fatalf("a %s shows a secret", yamlnode.Text(item, "kind"))
		}
	}
}

func isSecret(item *yaml.Node) bool { return yamlnode.Text(item, "kind") == "Secret" }

func goldenInputs(f *testing.F) [][]byte {
	f.Helper()
	var inputs [][]byte
	for _, c := range testkit.Cases(f) {
		inputs = append(inputs, c.Input)
	}
	return inputs
}

// indent indents all lines but the first, so that they stay in their parent.
func indent(text string, by int) string {
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", by))
}

// parse returns the list as a mapping.
func parse(list []byte) (*yaml.Node, bool) {
	var document yaml.Node
	if err := yaml.Unmarshal(list, &document); err != nil || len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return nil, false
	}
	return document.Content[0], true
}

func itemsIn(list *yaml.Node) []*yaml.Node {
	if n := yamlnode.Get(list, "items"); n != nil && n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return nil
}

func itemsOf(t testing.TB, list []byte) []*yaml.Node {
	t.Helper()
	parsed, _ := parse(list)
	return itemsIn(parsed)
}

// textOf returns a node as YAML, or "" if it cannot be encoded on its own.
func textOf(t testing.TB, n *yaml.Node) string {
	t.Helper()
	text, err := yaml.Marshal(n)
	if err != nil {
		return ""
	}
	return string(text)
}

// rawTextOf returns all texts in n.
func rawTextOf(n *yaml.Node) string {
	var text strings.Builder
	var write func(n *yaml.Node)
	write = func(n *yaml.Node) {
		text.WriteString(strings.Join([]string{n.Value, n.Anchor, n.Tag, n.HeadComment, n.LineComment, n.FootComment, ""}, "\n"))
		for _, child := range n.Content {
			write(child)
		}
	}
	write(n)
	return text.String()
}

// clearStyle removes style and comments. The function rewrites JSON and some folded texts as block YAML,
// spells out nulls, and the YAML library moves comments in unusual places. (Golden cases cover comments in
// usual places.)
func clearStyle(n *yaml.Node) {
	n.Style, n.HeadComment, n.LineComment, n.FootComment = 0, "", "", ""
	if n.Kind == yaml.ScalarNode && yamlnode.IsNull(n) {
		n.Value = ""
	}
	for _, child := range n.Content {
		clearStyle(child)
	}
}

// items returns the items of a list in a normal form, independent of their style.
func items(list []byte) ([]byte, bool) {
	parsed, ok := parse(list)
	if !ok {
		return nil, false
	}
	for i, n := range parsed.Content {
		if n.Value == "items" && i%2 == 0 {
			clearStyle(parsed.Content[i+1])
			text, err := yaml.Marshal(parsed.Content[i+1])
			return text, err == nil
		}
	}
	return nil, true
}
