// Package preview runs the generator on two texts while the user types them: the claims and other resources to render, and
// the configuration. The results can be shown directly: the manifests one by one, and each message with the line that it is
// about.
//
// The page calls it in the browser, through WebAssembly. It has no side effects, so its tests need neither.
package preview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/generator"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// ClaimFile and ConfigurationFile are the names of the two texts in messages.
const (
	ClaimFile         = "claim.yaml"
	ConfigurationFile = "dragonfly-generator.yaml"
)

// Severities, as KRM results have them.
const (
	Error   = string(fn.Error)
	Warning = string(fn.Warning)
	Info    = string(fn.Info)
)

// Preview is the result for the two texts.
type Preview struct {
	// Manifests are the objects that would be applied, in the generator's order; none if there is an error.
	Manifests []Manifest `json:"manifests"`
	Messages  []Message  `json:"messages"`
	// Claims are the claims in the claim text, in order.
	Claims []Claim `json:"claims"`
	// Profiles are the profiles in the configuration, in order.
	Profiles []string `json:"profiles"`
}

// Manifest is one object.
type Manifest struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	File      string `json:"file"` // a name that no other manifest has
	YAML      string `json:"yaml"`
}

// Message is a result of the generator, or a text that is not YAML.
type Message struct {
	Severity string `json:"severity"`
	File     string `json:"file"` // ClaimFile, ConfigurationFile, or "" for neither
	Line     int    `json:"line"` // of the field, from 1; 0 if there is none
	Subject  string `json:"subject"`
	Field    string `json:"field"`
	Text     string `json:"text"`
}

// Claim is the location of a claim, and what it asks for.
type Claim struct {
	Line    int    `json:"line"` // where it starts, from 1
	Name    string `json:"name"`
	Size    string `json:"size"`    // "" for the default
	Profile string `json:"profile"` // "" for none
}

// Of runs the generator.
func Of(claims, configuration string) Preview {
	shown := Preview{Manifests: []Manifest{}, Messages: []Message{}, Claims: []Claim{}, Profiles: []string{}}
	items, problems := parse(ClaimFile, claims)
	shown.Messages = append(shown.Messages, problems...)
	configs, problems := parse(ConfigurationFile, configuration)
	shown.Messages = append(shown.Messages, problems...)
	if len(configs) > 1 {
		shown.Messages = append(shown.Messages, Message{
			Severity: Error, File: ConfigurationFile, Line: configs[1].root.Line,
			Text: "there is more than one configuration; the function accepts only one, so remove this one",
		})
	}
	shown.Claims = append(shown.Claims, claimsOf(items)...)
	if len(configs) > 0 {
		shown.Profiles = append(shown.Profiles, keys(yamlnode.Get(configs[0].root, "spec", "profiles"))...)
	}
	if len(shown.Messages) > 0 {
		return shown
	}
	out, results := generator.Run(resourceList(items, configs))
	shown.Messages = append(shown.Messages, messages(results, append(items, configs...))...)
	for _, m := range shown.Messages {
		if m.Severity == Error {
			return shown
		}
	}
	shown.Manifests = append(shown.Manifests, manifests(out)...)
	return shown
}

// fileOf returns an unused file name in kpt's style.
func fileOf(m Manifest, taken map[string]bool) string {
	name := cmp.Or(strings.ToLower(m.Kind), "object") + "_" + cmp.Or(m.Name, "unnamed")
	if taken[name] {
		name += "_" + m.Namespace
	}
	file := name
	for i := 2; taken[file]; i++ {
		file = fmt.Sprintf("%s_%d", name, i)
	}
	taken[file] = true
	return strings.ReplaceAll(file, "/", "_") + ".yaml"
}

// messages assigns each result to the line that it is about. Nothing else depends on the type of results.
func messages(results fn.Results, sources []source) []Message {
	var all []Message
	for _, result := range results {
		m := Message{Severity: string(result.Severity), Text: result.Message}
		if ref := result.ResourceRef; ref != nil {
			m.Subject = strings.TrimSpace(ref.Kind + " " + ref.Name)
		}
		if result.Field != nil {
			m.Field = result.Field.Path
		}
		if s, found := about(result, sources); found {
			m.File, m.Line = s.file, s.root.Line
			if m.Field != "" {
				m.Line = lineOf(s.root, m.Field)
			}
		}
		all = append(all, m)
	}
	return all
}

// about returns the object that the result is about: by its file and index if it is annotated with them, otherwise by its
// name.
func about(result *fn.Result, sources []source) (source, bool) {
	ref := result.ResourceRef
	best, most := -1, 0
	for i, s := range sources {
		points := 0
		if file := result.File; file != nil && file.Path == s.file && file.Index == s.index {
			points += 2
		}
		if item := krm.NewItem(s.root); ref != nil && item.Kind == ref.Kind && item.Name == ref.Name && item.Namespace == ref.Namespace {
			points++
		}
		if points > most {
			best, most = i, points
		}
	}
	if best < 0 {
		return source{}, false
	}
	return sources[best], true
}

// Sizes returns the sizes that a claim can use, smallest first, or none if there is an error in the configuration.
func Sizes(configuration string) []string {
	configs, problems := parse(ConfigurationFile, configuration)
	list, err := krm.ResourceList(resourceList(nil, configs))
	if len(problems) > 0 || err != nil {
		return []string{}
	}
	platform := config.Read(list.FunctionConfig, new(report.Results))
	spec, _ := platform.For("")
	if !platform.IsValid() {
		return []string{}
	}
	return spec.SizeNames()
}

func claimsOf(items []source) []Claim {
	var claims []Claim
	for _, item := range items {
		if claim := krm.NewItem(item.root); instance.IsClaim(claim) {
			claims = append(claims, Claim{
				Line: item.root.Line, Name: claim.Name, Size: yamlnode.Text(item.root, "spec", "size"), Profile: claim.Annotation(v1alpha1.Profile),
			})
		}
	}
	return claims
}

// resourceList puts the objects together as an orchestrator would. It records where each comes from, to distinguish messages
// about two objects with the same name.
func resourceList(items, configs []source) []byte {
	list := &yaml.Node{Kind: yaml.MappingNode}
	yamlnode.SetText(list, kio.ResourceListAPIVersion, "apiVersion")
	yamlnode.SetText(list, kio.ResourceListKind, "kind")
	if len(configs) > 0 {
		configs[0].annotate()
		yamlnode.Set(list, "functionConfig", configs[0].root)
	}
	sequence := &yaml.Node{Kind: yaml.SequenceNode}
	for _, item := range items {
		item.annotate()
		sequence.Content = append(sequence.Content, item.root)
	}
	yamlnode.Set(list, "items", sequence)
	return []byte(encode(list))
}

// manifests splits the items, without the claims and anything else that is not for a cluster.
func manifests(list []byte) []Manifest {
	var root yaml.Node
	if err := yaml.Unmarshal(list, &root); err != nil || len(root.Content) == 0 {
		return nil
	}
	var all []Manifest
	taken := map[string]bool{}
	for _, n := range yamlnode.Elements(root.Content[0], "items") {
		item := krm.NewItem(n)
		if item.Annotation(fn.KptLocalConfig) == "true" {
			continue
		}
		removeBookkeeping(n)
		m := Manifest{Kind: item.Kind, Name: item.Name, Namespace: item.Namespace, YAML: encode(n)}
		m.File = fileOf(m, taken)
		all = append(all, m)
	}
	// The object that runs comes first, because people look for that.
	slices.SortStableFunc(all, func(a, b Manifest) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

func rank(m Manifest) int {
	if m.Kind == "StatefulSet" || m.Kind == "Dragonfly" {
		return 0
	}
	return 1
}
