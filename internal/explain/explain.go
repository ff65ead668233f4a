// Package explain says what the sizes, the profiles and the fields of the API mean, for somebody at a terminal. It says
// nothing of its own: descriptions come from the schemas, which come from the Go types, and sizes and profiles from the
// tables and the configuration that instances are made from.
package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Platform is what there is to explain: the configuration, and the object that it was read from, nil for none.
type Platform struct {
	config.Platform
	Object *yaml.Node
}

// width is that of a line, in characters.
const width = 100

// Topics are the words that are no field.
var Topics = []string{"size", "sizes", "profile", "profiles"}

// Explain returns what is to be said about the words of a topic. An error is about these words.
func Explain(words []string, platform Platform) (string, error) {
	all, err := fields()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	switch topic := strings.Join(words, " "); {
	case topic == "":
		overview(&out, all)
	case topic == "sizes":
		return sizes(platform.Config), nil
	case topic == "size":
		field, err := explainField(all, v1alpha1.ClaimKind+".spec.size", platform)
		return field + "\n" + sizes(platform.Config), err
	case words[0] == "size" && len(words) == 2:
		return size(words[1], platform.Config)
	case topic == "profile", topic == "profiles":
		return profiles(platform)
	case words[0] == "profile" && len(words) == 2:
		return profile(words[1], platform)
	case len(words) == 1:
		return explainField(all, topic, platform)
	default:
		return "", errors.New("explain takes one topic; see `dragonfly-generator help explain`")
	}
	return out.String(), nil
}

// Words returns what can be asked for, for the completion of a shell.
func Words() []string {
	all, err := fields()
	if err != nil {
		return Topics
	}
	words := slices.Clone(Topics)
	for _, f := range all {
		switch {
		case f.path == "":
			words = append(words, f.kind)
		case !f.schema.isIgnored():
			words = append(words, strings.TrimPrefix(f.path, "spec."))
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func overview(out *strings.Builder, all []field) {
	for _, kind := range kinds {
		root := find(all, kind)[0]
		paragraph(out, "", root.schema.Description)
		fmt.Fprintf(out, "\n")
		topFields(out, all, kind)
		fmt.Fprintf(out, "\n")
	}
	for _, line := range []struct{ command, meaning string }{
		{"explain sizes", "what each size gives"},
		{"explain profiles --config FILE", "what the profiles of a configuration are"},
		{"explain storage.type", "what a field means"},
	} {
		fmt.Fprintf(out, "  dragonfly-generator %-31s %s\n", line.command, line.meaning)
	}
}

// topFields writes the fields of a kind's spec, a line each.
func topFields(out *strings.Builder, all []field, kind string) {
	for _, f := range all {
		if name, isTop := strings.CutPrefix(f.path, "spec."); f.kind == kind && isTop && !strings.ContainsAny(name, ".[*") && !f.schema.isIgnored() {
			fmt.Fprintf(out, "  %-18s %s\n", name, summary(f.schema))
		}
	}
}

// ConfigurationFields returns the fields of a configuration's spec, a line each: for the help, which is also what
// `kpt fn doc` shows.
func ConfigurationFields() string {
	var out strings.Builder
	if all, err := fields(); err == nil {
		topFields(&out, all, v1alpha1.ConfigKind)
	}
	return out.String()
}

// summary returns the start of a description, on one line.
func summary(s *schema) string {
	if s.Const != "" {
		return s.Const
	}
	text := s.Description
	for _, end := range []string{". ", ": ", "; "} {
		if i := strings.Index(text, end); i > 0 {
			text = text[:i]
		}
	}
	text = strings.TrimSuffix(text, ".")
	const most = width - 22
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}

func explainField(all []field, asked string, platform Platform) (string, error) {
	if text, found := annotation(asked); found {
		return text, nil
	}
	found := find(all, asked)
	if len(found) == 0 {
		names := append(slices.Clone(Topics), slices.Collect(maps.Keys(annotations))...)
		for _, f := range all {
			names = append(names, f.path, strings.TrimPrefix(f.path, "spec."))
		}
		slices.Sort(names)
		if near := decode.Nearest(asked, names); near != "" {
			return "", fmt.Errorf("there is no field %q; did you mean %q?", asked, near)
		}
		if len(platform.profiles()) > 0 && slices.Contains(platform.profiles(), asked) {
			return "", fmt.Errorf("%q is a profile; write `explain profile %s`", asked, asked)
		}
		return "", fmt.Errorf("there is no field %q; `dragonfly-generator explain` lists them", asked)
	}
	var out strings.Builder
	for i, f := range found {
		if i > 0 {
			out.WriteString("\n")
		}
		f.explain(&out)
	}
	return out.String(), nil
}

func (p Platform) profiles() []string { return p.Profiles() }

func (f field) explain(out *strings.Builder) {
	if f.path == "" {
		fmt.Fprintf(out, "%s of %s\n\n", f.kind, v1alpha1.APIVersion)
	} else {
		fmt.Fprintf(out, "%s of a %s\n\n", f.path, f.kind)
	}
	paragraph(out, "  ", f.schema.Description)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "  %-9s %s\n", name, value)
		}
	}
	out.WriteString("\n")
	s := f.schema
	row("type", typeName(s))
	row("unit", s.Unit)
	if f.required {
		row("required", "yes")
	}
	row("default", flow(s.Default))
	var values []string
	for _, value := range s.Enum {
		if value != nil {
			values = append(values, fmt.Sprint(value))
		}
	}
	row("one of", strings.Join(values, ", "))
	row("from", number(s.Minimum))
	row("to", number(s.Maximum))
	row("length", number(s.MaxLength))
	if s.Type != nil && typeName(s) != "quantity" {
		row("pattern", s.Pattern)
	}
	for _, example := range s.Examples {
		row("example", flow(example))
	}
	inner := s
	if s.Items != nil {
		inner = s.Items
	} else if values := s.additional(); values != nil {
		inner = values
	}
	if len(inner.Properties) == 0 || f.path == "spec.profiles" {
		return
	}
	out.WriteString("\n")
	var ignored []string
	for _, name := range slices.Sorted(maps.Keys(inner.Properties)) {
		if child := inner.Properties[name]; child.isIgnored() {
			ignored = append(ignored, name)
		} else {
			fmt.Fprintf(out, "  %-18s %s\n", name, summary(child))
		}
	}
	if len(ignored) > 0 {
		out.WriteString("\n")
		paragraph(out, "  ", "Accepted, and without a meaning here: "+strings.Join(ignored, ", ")+".")
	}
}

func number(n *json.Number) string {
	if n == nil {
		return ""
	}
	return n.String()
}

// flow returns a value as YAML on one line, "" for none.
func flow(value any) string {
	if value == nil {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	n, err := yaml.Parse(string(text))
	if err != nil {
		return string(text)
	}
	unquote(n.YNode())
	out, err := yaml.Marshal(n.YNode())
	if err != nil {
		return string(text)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// unquote removes the quotes of JSON where YAML needs none.
func unquote(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, child := range n.Content {
		unquote(child)
	}
}

// annotations are those of a claim that say what its schema has no field for.
var annotations = map[string]string{
	v1alpha1.Profile: "Names the profile of the platform's configuration that the instance takes; `explain profiles --config FILE` lists them.\n",
	v1alpha1.PasswordSourceAnnotation: "Where this instance's own password comes from, whatever the configuration says: one of the sources that " +
		"`explain password.source` lists.\n",
	v1alpha1.PasswordRotation: "Asks for a new password whenever its value, 1 to 63 printable ASCII characters, differs from the one before: " +
		"write \"2\", and increment it the next time.\n",
}

func annotation(asked string) (string, bool) {
	name, _ := strings.CutPrefix(asked, v1alpha1.Group+"/")
	meaning, found := annotations[v1alpha1.Group+"/"+name]
	isTopic := asked == "profile" // which explains a profile of the configuration
	if !found || isTopic {
		return "", false
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s/%s, an annotation of a %s\n\n", v1alpha1.Group, name, v1alpha1.ClaimKind)
	paragraph(&out, "  ", meaning)
	return out.String(), true
}

// sizes returns the table of the sizes.
func sizes(cfg config.Config) string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "SIZE\tMEMORY REQUEST\tLIMIT\tCPU REQUEST\tLIMIT\tTHREADS\tDATA\tTIME TO STOP")
	for _, name := range cfg.Sizes.Names() {
		s := cfg.Sizes[name]
		shown := name
		if name == cfg.DefaultSize {
			shown += " (default)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d s\n", shown, s.Requests.Memory.String(), s.Limits.Memory.String(),
			amount(s.Requests), amount(s.Limits), s.Threads(), mebibytes(s), s.TerminationGraceSeconds())
	}
	_ = table.Flush() // into memory
	return out.String()
}

// amount returns the CPU, which may be without a limit.
func amount(r instance.Resources) string {
	if r.CPU.IsZero() {
		return "none"
	}
	return r.CPU.String()
}

func mebibytes(s instance.Size) string { return fmt.Sprintf("%d MiB", s.MaxMemory()>>20) }

// size returns what one size means.
func size(name string, cfg config.Config) (string, error) {
	s, found := cfg.Sizes[name]
	if !found {
		if near := decode.Nearest(name, cfg.Sizes.Names()); near != "" {
			return "", fmt.Errorf("there is no size %q; did you mean %q?", name, near)
		}
		return "", fmt.Errorf("there is no size %q; the sizes are %s", name, strings.Join(cfg.Sizes.Names(), ", "))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "size: %s\n\n", name)
	table := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	for _, row := range [][2]string{
		{"memory", fmt.Sprintf("%s requested, %s at most", s.Requests.Memory.String(), s.Limits.Memory.String())},
		{"CPU", fmt.Sprintf("%s requested, %s at most", amount(s.Requests), amount(s.Limits))},
		{"data", fmt.Sprintf("%s at most (--maxmemory), the rest is for loading a snapshot", mebibytes(s))},
		{"threads", fmt.Sprintf("%d (--proactor_threads), each of which needs %d MiB of data", s.Threads(), instance.MinMemoryPerThread>>20)},
		{"time to stop", fmt.Sprintf("%d s, in which the last snapshot is written", s.TerminationGraceSeconds())},
	} {
		fmt.Fprintf(table, "  %s\t%s\n", row[0], row[1])
	}
	_ = table.Flush() // into memory
	return out.String(), nil
}

// profiles returns the names of the profiles, with what each of them sets.
func profiles(p Platform) (string, error) {
	if p.Object == nil {
		return "", errors.New("profiles are part of a configuration; name its file with --config FILE")
	}
	names := p.profiles()
	if len(names) == 0 {
		return "The configuration has no profiles.\n", nil
	}
	var out strings.Builder
	fmt.Fprintf(&out, "A claim takes one by the annotation %s: NAME\n\n", v1alpha1.Profile)
	for _, name := range names {
		var set []string
		for key := range yamlnode.Fields(yamlnode.Get(p.Object, "spec", "profiles", name)) {
			set = append(set, key.Value)
		}
		fmt.Fprintf(&out, "  %-18s sets %s\n", name, strings.Join(set, ", "))
	}
	return out.String(), nil
}

// profile returns what a profile sets, and what an instance of it is then.
func profile(name string, p Platform) (string, error) {
	if p.Object == nil {
		return profiles(p)
	}
	cfg, found := p.For(name)
	if !found || name == "" {
		if near := decode.Nearest(name, p.profiles()); near != "" {
			return "", fmt.Errorf("there is no profile %q; did you mean %q?", name, near)
		}
		return "", fmt.Errorf("there is no profile %q; `explain profiles` lists them", name)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "profile %s sets\n\n", name)
	text, err := yaml.Marshal(yamlnode.Get(p.Object, "spec", "profiles", name))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		out.WriteString("  " + line)
	}
	out.WriteString("\nso an instance of it has\n\n")
	effective(&out, cfg)
	out.WriteString("\n" + sizes(cfg))
	return out.String(), nil
}

// effective writes what an instance has, from all that was set.
func effective(out *strings.Builder, cfg config.Config) {
	storage := string(cfg.Storage.Type)
	switch cfg.Storage.Type {
	case v1alpha1.OnVolume:
		storage = fmt.Sprintf("a volume of %d GiB unless the claim says otherwise, of class %q", cfg.Storage.DefaultGB, cfg.StorageClassName)
	case v1alpha1.InBucket:
		storage = "snapshots in " + cfg.Storage.Bucket
	case v1alpha1.NoStorage:
		storage = "none; the data goes with the process"
	}
	encryption := "off"
	if cfg.TLS.IsOn() {
		encryption = "on, from the Secret " + cfg.TLS.SecretName
	}
	snapshots := cfg.SnapshotCron
	if snapshots == "" || cfg.Storage.Type == v1alpha1.NoStorage {
		snapshots = "never"
	}
	pods := string(cfg.Backend)
	if cfg.Backend == v1alpha1.Operator {
		pods = fmt.Sprintf("%s, %d pods", cfg.Backend, cfg.Replicas)
	}
	var selector []string
	for _, key := range slices.Sorted(maps.Keys(cfg.NodeSelector)) {
		selector = append(selector, key+"="+cfg.NodeSelector[key])
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, row := range [][2]string{
		{"image", cfg.Image}, {"backend", pods}, {"storage", storage}, {"snapshots", snapshots},
		{"password", string(cfg.Password.Source)}, {"TLS", encryption},
		{"nodes", strings.Join(selector, ",")}, {"flags", strings.Join(cfg.Args, " ")},
	} {
		if row[1] != "" {
			fmt.Fprintf(table, "  %s\t%s\n", row[0], row[1])
		}
	}
	_ = table.Flush() // into memory
}

// paragraph writes a text in lines of width.
func paragraph(out *strings.Builder, indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if line != indent && len([]rune(line))+len([]rune(word)) >= width {
			fmt.Fprintln(out, strings.TrimRight(line, " "))
			line = indent
		}
		line += word + " "
	}
	if line != indent {
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
}
