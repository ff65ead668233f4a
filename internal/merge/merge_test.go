package merge

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// The situation that a row of a fate table describes.
var yes, no, either = []bool{true}, []bool{false}, []bool{false, true}

// constants returns the names of the constants of a type that counts from 0, in order.
func constants(t *testing.T, file, typeName string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var names []string
	for _, declaration := range parsed.Decls {
		block, is := declaration.(*ast.GenDecl)
		if !is || block.Tok != token.CONST {
			continue
		}
		if first, is := block.Specs[0].(*ast.ValueSpec).Type.(*ast.Ident); !is || first.Name != typeName {
			continue
		}
		for _, spec := range block.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				names = append(names, name.Name)
			}
		}
	}
	require.NotEmpty(t, names, "%s must declare the constants of %s.", file, typeName)
	return names
}

// checkFates fails unless the rows cover every combination, once, and every fate.
func checkFates[S comparable, F ~int](t *testing.T, combinations []S, rows map[S]F, fateOf func(S) F, fates []string) {
	t.Helper()
	assert.Len(t, rows, len(combinations), "The rows must cover only combinations that exist.")
	reached := map[F]bool{}
	for _, combination := range combinations {
		want, found := rows[combination]
		require.True(t, found, "No row covers %+v.", combination)
		got := fateOf(combination)
		require.Less(t, int(got), len(fates))
		assert.Equal(t, fates[want], fates[got], "The fate of %+v.", combination)
		reached[want] = true
	}
	for i, name := range fates {
		assert.True(t, reached[F(i)], "No row has the fate %s.", name)
	}
}

// TestFates checks what happens to an object with a name that an instance needs.
func TestFates(t *testing.T) {
	owners := constants(t, "merge.go", "owner")
	require.Equal(t, 4, reflect.TypeFor[situation]().NumField(), "Every other field must be in the rows.")
	var combinations []situation
	for o := range owners {
		for _, has := range either {
			for _, inPlace := range either {
				for _, same := range either {
					combinations = append(combinations, situation{has: has, owner: owner(o), inPlace: inPlace, upToDate: same})
				}
			}
		}
	}
	rows := map[situation]fate{}
	for _, row := range []struct {
		reason             string
		owner              owner
		has, inPlace, same []bool
		want               fate
	}{
		{"A missing object is created.", nobody, yes, either, either, add},
		{"A name that the other backend needs is free.", nobody, no, either, either, leave},
		{"Without our mark, an object is never overwritten.", theirs, either, either, either, refuseTheirs},
		{"An object that is as it should be stays.", ours, yes, either, yes, leave},
		{"An object is updated if results are kept.", ours, yes, yes, no, replace},
		{"If they are not kept, the outdated object would be back at the next run.", ours, yes, no, no, refuseChanged},
		{"An object that the other backend makes in the cluster is removed from the files.", ours, no, yes, either, remove},
		{"It cannot be removed if results are not kept.", ours, no, no, either, refuseChanged},
		{"A folder was copied for a new claim.", renamed, either, yes, either, refuseCopy},
		{"Something renamed it after the function ran.", renamed, either, no, either, refuseRenamed},
	} {
		for _, has := range row.has {
			for _, inPlace := range row.inPlace {
				for _, same := range row.same {
					s := situation{has: has, owner: row.owner, inPlace: inPlace, upToDate: same}
					require.NotContains(t, rows, s, "Two rows cover the same combination: %s", row.reason)
					rows[s] = row.want
				}
			}
		}
	}
	checkFates(t, combinations, rows, situation.fate, constants(t, "merge.go", "fate"))
}

func TestWhose(t *testing.T) {
	const mark = "database.bizmatters.io/generated-from: "
	for _, tc := range []struct {
		reason, annotation string
		stateless, inPlace owner
	}{
		{"Without our mark, it is somebody else's.", "other: ns/a", theirs, theirs},
		{"An empty mark counts as missing.", mark + `""`, theirs, theirs},
		{"The mark of this claim makes it ours.", mark + "ns/a", ours, ours},
		{"With the mark of another existing claim, it is that claim's.", mark + "ns/b", renamed, renamed},
		{"The mark of a claim that is gone may have moved along with it, but only kpt moves both.", mark + "old/a", renamed, ours},
	} {
		n, err := yaml.Parse("{apiVersion: v1, kind: Secret, metadata: {annotations: {" + tc.annotation + "}}}")
		require.NoError(t, err)
		item, claims := krm.NewItem(n.YNode()), instance.Claims{"ns/a": {}, "ns/b": {}}
		for inPlace, want := range map[bool]owner{false: tc.stateless, true: tc.inPlace} {
			m := merger{Input: Input{Options: Options{InPlace: inPlace}, Claims: claims}}
			assert.Equal(t, want, m.whose(item, instance.Name{Namespace: "ns", Name: "a"}), tc.reason)
		}
	}
}

// TestFatesOfLeftovers checks what happens to an object with our mark that no instance needs.
func TestFatesOfLeftovers(t *testing.T) {
	require.Equal(t, 3, reflect.TypeFor[leftover]().NumField(), "Every other field must be in the rows.")
	var combinations []leftover
	for _, inPlace := range either {
		for _, claimed := range either {
			for _, ownName := range either {
				combinations = append(combinations, leftover{inPlace, claimed, ownName})
			}
		}
	}
	rows := map[leftover]leftoverFate{}
	for _, row := range []struct {
		reason                    string
		inPlace, claimed, ownName []bool
		want                      leftoverFate
	}{
		{"The instance no longer has it.", yes, yes, yes, dropped},
		{"A copy that somebody keeps under another name is theirs.", yes, yes, no, stays},
		{"The claim was deleted, and so the instance goes.", yes, no, yes, gone},
		{"Without a claim and with another name, somebody must decide.", yes, no, no, moved},
		{"It was made before the function ran here, and does not match the claim.", no, yes, yes, isChanged},
		{"It may come from somebody's rendered base.", no, no, yes, stays},
		{"Something renamed it after the function ran.", no, either, no, isRenamed},
	} {
		for _, inPlace := range row.inPlace {
			for _, claimed := range row.claimed {
				for _, ownName := range row.ownName {
					l := leftover{inPlace, claimed, ownName}
					require.NotContains(t, rows, l, "Two rows cover the same combination: %s", row.reason)
					rows[l] = row.want
				}
			}
		}
	}
	checkFates(t, combinations, rows, leftover.fate, constants(t, "leftovers.go", "leftoverFate"))
}

// outcome is what a merge decides about the objects of one kind.
type outcome struct {
	add, replace []string
	remove       map[string]Reason
	gone         map[string]bool // whether the objects of a claim that is gone are removed, by claim
	reports      string          // errors and warnings
}

// decide merges the instances of the claims among the items, and returns the outcome for objects of a kind.
func decide(t *testing.T, kind string, inPlace, prune bool, items ...string) outcome {
	t.Helper()
	_, changes, results := merged(t, inPlace, prune, items...)
	o := outcome{reports: report.Lines(results.All())}
	for _, a := range changes.Add {
		if item := krm.NewItem(a.Node); item.Kind == kind {
			o.add = append(o.add, item.Name)
		}
	}
	for _, r := range changes.Replace {
		if r.Item.Kind == kind {
			o.replace = append(o.replace, r.Item.Name)
		}
	}
	for _, r := range changes.Remove {
		if r.Item.Kind == kind {
			if o.remove == nil {
				o.remove = map[string]Reason{}
			}
			o.remove[r.Item.Name] = r.Why
		}
	}
	for _, g := range changes.Gone {
		if o.gone == nil {
			o.gone = map[string]bool{}
		}
		o.gone[g.Instance.String()] = g.Removed
	}
	return o
}

func merged(t *testing.T, inPlace, prune bool, items ...string) (*krm.List, Changes, *report.Results) {
	t.Helper()
	list, err := krm.ResourceList([]byte("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- " + strings.Join(items, "\n- ") + "\n"))
	require.NoError(t, err)
	var results report.Results
	instances, claims := instance.FromClaims(list, config.Default(), &results)
	built := overrides.Build(list, instance.Sources(list, instances, claims, &results), &results)
	return list, Plan(Input{Options: Options{InPlace: inPlace, Prune: prune}, List: list, Instances: built, Claims: claims}, &results), &results
}

func claim(name string, annotations ...string) string {
	return "{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyInstance, metadata: {name: " + name + ", namespace: ns, annotations: {" + strings.Join(annotations, ", ") + "}}}"
}

const external = "database.bizmatters.io/password-source: External"

// marked returns an object that was generated from the claim, or from none if it is "".
func marked(kind, name, claim string) string {
	apiVersion := map[string]string{"Service": "v1", "Role": "rbac.authorization.k8s.io/v1", "Dragonfly": "dragonflydb.io/v1alpha1"}[kind]
	mark := ""
	if claim != "" {
		mark = "database.bizmatters.io/generated-from: ns/" + claim
	}
	return "{apiVersion: " + apiVersion + ", kind: " + kind + ", metadata: {name: " + name + ", namespace: ns, annotations: {" + mark + "}}}"
}

// upToDate returns an object of the claim as the function makes it.
func upToDate(t *testing.T, kind, claimed string) string {
	t.Helper()
	_, changes, _ := merged(t, false, false, claim(claimed))
	for _, a := range changes.Add {
		if krm.NewItem(a.Node).Kind == kind {
			text, err := yaml.Marshal(a.Node)
			require.NoError(t, err)
			return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n  ")
		}
	}
	require.Fail(t, "the claim has no "+kind)
	return ""
}

func TestDecide(t *testing.T) {
	const (
		stale, copied, moved = "no longer matches the claim", "is a copy of an object of the claim ns/b", "was generated from the claim ns/b and then renamed"
		inPlace, prune       = true, true
	)
	for _, tc := range []struct {
		reason         string
		kind           string
		inPlace, prune bool
		items          []string
		want           outcome // without its reports
		report         string  // the report about the object, "" for none
	}{
		// Objects with a name that an instance needs.
		{"A missing object is added.", "Service", !inPlace, !prune, []string{claim("a")}, outcome{add: []string{"a"}}, ""},
		{"An unneeded object is not missed.", "Dragonfly", inPlace, !prune, []string{claim("a")}, outcome{}, ""},
		{"An up-to-date object stays.", "Service", !inPlace, !prune, []string{claim("a"), upToDate(t, "Service", "a")}, outcome{}, ""},
		{"It stays even if results are written in place.", "Service", inPlace, prune, []string{claim("a"), upToDate(t, "Service", "a")}, outcome{}, ""},
		{"A stale object is replaced.", "Service", inPlace, !prune, []string{claim("a"), marked("Service", "a", "a")}, outcome{replace: []string{"a"}}, ""},
		{"An object that moved with its claim is replaced.", "Service", inPlace, !prune, []string{claim("a"), marked("Service", "a", "before")}, outcome{replace: []string{"a"}}, ""},
		{"An object that the other backend makes is removed.", "Dragonfly", inPlace, !prune, []string{claim("a"), marked("Dragonfly", "a", "a")}, outcome{remove: map[string]Reason{"a": OtherBackend}}, ""},
		{"An object without a mark is not ours.", "Service", inPlace, prune, []string{claim("a"), marked("Service", "a", "")}, outcome{}, "the claim ns/a needs this name for its own Service"},
		{"An object without a mark has a name that the other backend needs.", "Dragonfly", inPlace, prune, []string{claim("a"), marked("Dragonfly", "a", "")}, outcome{}, "the claim ns/a needs this name for the object that runs it"},
		{"A stale object cannot be kept up to date.", "Service", !inPlace, !prune, []string{claim("a"), marked("Service", "a", "a")}, outcome{}, stale},
		{"An object that the other backend makes cannot be removed.", "Dragonfly", !inPlace, !prune, []string{claim("a"), marked("Dragonfly", "a", "a")}, outcome{}, stale},
		{"An object made from another claim is a copy.", "Service", inPlace, prune, []string{claim("a"), claim("b"), marked("Service", "a", "b")}, outcome{add: []string{"b"}}, copied},
		{"An object made from another claim was renamed.", "Service", !inPlace, !prune, []string{claim("a"), claim("b"), marked("Service", "a", "b")}, outcome{add: []string{"b"}}, moved},

		// Leftovers.
		{"An object that the instance no longer has is removed.", "Role", inPlace, !prune, []string{claim("a", external), marked("Role", "a", "a")}, outcome{remove: map[string]Reason{"a": Dropped}}, ""},
		{"An object that the instance no longer has cannot be removed.", "Role", !inPlace, !prune, []string{claim("a", external), marked("Role", "a", "a")}, outcome{}, stale},
		{"A copy under another name stays.", "Role", inPlace, prune, []string{claim("a", external), marked("Role", "other", "a")}, outcome{}, ""},
		{"An object is removed with its claim.", "Role", inPlace, prune, []string{claim("a"), marked("Role", "b", "b")}, outcome{add: []string{"a"}, remove: map[string]Reason{"b": ClaimGone}, gone: map[string]bool{"ns/b": true}}, ""},
		{"It stays unless removal is asked for.", "Role", inPlace, !prune, []string{claim("a"), marked("Role", "b", "b")}, outcome{add: []string{"a"}, gone: map[string]bool{"ns/b": false}}, ""},
		{"It stays if no claim is left, which is more likely a mistake.", "Role", inPlace, prune, []string{marked("Role", "b", "b")}, outcome{gone: map[string]bool{"ns/b": false}}, ""},
		{"It stays if it may be somebody's base.", "Role", !inPlace, !prune, []string{claim("a"), marked("Role", "b", "b")}, outcome{add: []string{"a"}}, ""},
		{"With another name and no claim, it stays, and somebody must decide.", "Role", inPlace, prune, []string{claim("a"), marked("Role", "other", "b")}, outcome{add: []string{"a"}}, "was renamed after it was generated from the claim ns/b, which is gone"},
		{"With another name in the same build, it is refused.", "Role", !inPlace, !prune, []string{claim("a"), marked("Role", "other", "b")}, outcome{add: []string{"a"}}, moved},

		// Rules that override all fates.
		{"With two objects, neither is the right one.", "Service", inPlace, prune, []string{claim("a"), marked("Service", "a", "a"), marked("Service", "a", "a")}, outcome{}, "the same object is in items[1] and items[2]"},
		{"An object that others may refer to cannot change.", "Service", inPlace, prune, []string{claim("a"), strings.Replace(marked("Service", "a", "a"), "metadata: ", "metadata: &m ", 1)}, outcome{}, "has YAML anchors"},
		{"An object that others may refer to cannot be removed.", "Role", inPlace, prune, []string{claim("a"), strings.Replace(marked("Role", "b", "b"), "metadata: ", "metadata: &m ", 1)}, outcome{add: []string{"a"}}, "has YAML anchors"},
		{"After an error, nothing is removed with a claim that is gone.", "Role", inPlace, prune, []string{claim("a"), claim("A"), marked("Role", "b", "b")}, outcome{add: []string{"a"}}, "rename the claim"},
		{"The needs of a claim with problems are not decided.", "Role", inPlace, prune, []string{claim("a", "database.bizmatters.io/password-source: x"), marked("Role", "a", "a")}, outcome{}, "unknown password source"},
		{"A claim's path points outside its package.", "Service", inPlace, prune, []string{claim("a", "internal.config.kubernetes.io/path: ../a.yaml")}, outcome{add: []string{"a"}}, "points outside the package"},
		{"An object without a namespace could be anyone's.", "Service", inPlace, prune, []string{claim("a"), strings.Replace(marked("Service", "a", ""), "namespace: ns, ", "", 1)}, outcome{add: []string{"a"}}, "it is not clear whether this belongs to the claim ns/a"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			got := decide(t, tc.kind, tc.inPlace, tc.prune, tc.items...)
			reports := got.reports
			got.reports = ""
			assert.Equal(t, tc.want, got)
			if tc.report == "" {
				assert.Empty(t, reports)
				return
			}
			assert.Contains(t, reports, tc.report)
			assert.Equal(t, 1, strings.Count(reports, "\n"), "A problem is reported once: %s", reports)
		})
	}
}

// A replaced object keeps its position and the comments around it, and a new one goes beside its claim.
func TestApply(t *testing.T) {
	const where = "internal.config.kubernetes.io/path"
	old := "# by hand\n  apiVersion: v1\n  kind: Service\n  metadata:\n    name: a\n    namespace: ns\n    annotations:\n" +
		"      database.bizmatters.io/generated-from: ns/a\n      " + where + ": services.yaml\n      example.com/by: hand"
	list, changes, results := merged(t, true, true, claim("a", where+": caches/a.yaml"), old, marked("Dragonfly", "a", "a"))
	require.Empty(t, results.All())
	changes.Apply(list)

	service := list.Find(krm.ID{Kind: "Service", Namespace: "ns", Name: "a"})
	require.Len(t, service, 1)
	assert.Equal(t, "services.yaml", service[0].Annotation(where), "A replaced object stays in its file.")
	assert.Empty(t, service[0].Annotation("example.com/by"), "Nothing that the function must not keep is left.")
	assert.Equal(t, "ClusterIP", yamlnode.Text(service[0].Node, "spec", "type"), "The content is new.")
	role := list.Find(krm.ID{Group: "rbac.authorization.k8s.io", Kind: "Role", Namespace: "ns", Name: "a"})
	require.Len(t, role, 1)
	assert.Equal(t, "caches/a.ns/role.yaml", role[0].Annotation(where), "A new object goes beside its claim.")
	assert.False(t, slices.ContainsFunc(list.Items, func(item *krm.Item) bool { return item.Kind == "Dragonfly" }), "A removed object is gone.")

	text, err := list.Bytes(nil)
	require.NoError(t, err)
	assert.Equal(t, 1, bytes.Count(text, []byte("# by hand\n")), "A comment above an object stays, and does not spread to other objects.")

	again, err := krm.ResourceList(text)
	require.NoError(t, err)
	var second report.Results
	instances, claims := instance.FromClaims(again, config.Default(), &second)
	built := overrides.Build(again, instance.Sources(again, instances, claims, &second), &second)
	assert.Equal(t, Changes{}, Plan(Input{Options: Options{InPlace: true, Prune: true}, List: again, Instances: built, Claims: claims}, &second), "The second run changes nothing.")
}
