package lint

import (
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"golang.org/x/mod/semver"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/nearest"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/overrides"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/specs"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// Platform warns about settings that are valid but likely a mistake.
func Platform(functionConfig *krm.Item, platform config.Platform, results *report.Results) {
	if functionConfig == nil {
		return
	}
	above := map[string]bool{} // warnings about spec
	for _, spec := range platform.All() {
		p := platformLinter{spec: spec, warnings: map[string]string{}}
		if patched, err := overrides.Patched(overrides.Samples(spec)[0]); err == nil { // an error was reported with the patches
			p.patched = patched
		}
		p.image()
		p.images()
		p.sizes()
		p.args()
		p.placeholders()
		p.extraObjects()
		p.sample()
		for _, path := range slices.Sorted(maps.Keys(p.warnings)) {
			warning := strings.TrimPrefix(strings.TrimPrefix(path, spec.Path+"."), "spec.") + p.warnings[path]
			if !above[warning] || spec.Sets(path) {
				results.FieldWarnf(functionConfig, report.Field{Path: path}, "%s", p.warnings[path])
			}
			if spec.Path == "spec" {
				above[warning] = true
			}
		}
	}
}

type platformLinter struct {
	spec     config.Spec
	patched  any               // what runs an instance, with all patches applied; nil if they cannot be applied
	warnings map[string]string // by path
}

// warn adds a warning about a field, unless it already has one.
func (p *platformLinter) warn(path, message string) {
	if p.warnings[path] == "" {
		p.warnings[path] = message
	}
}

func (p *platformLinter) at(path string) string { return p.spec.Path + "." + path }

func (p *platformLinter) isByOperator() bool { return *p.spec.Backend == v1alpha1.Operator }

// server returns the server's container in the patched StatefulSet, or an empty one if there is none.
func (p *platformLinter) server() corev1.Container {
	if set, ok := p.patched.(*appsv1.StatefulSet); ok {
		for _, c := range set.Spec.Template.Spec.Containers {
			if c.Name == specs.ContainerName {
				return c
			}
		}
	}
	return corev1.Container{}
}

// containers returns the containers of the patched pod, or those that patches add to the operator's.
func (p *platformLinter) containers() []corev1.Container {
	switch object := p.patched.(type) {
	case *appsv1.StatefulSet:
		return slices.Concat(object.Spec.Template.Spec.InitContainers, object.Spec.Template.Spec.Containers)
	case *operator.Dragonfly:
		return slices.Concat(object.Spec.InitContainers, object.Spec.AdditionalContainers)
	}
	return nil
}

// httpProbe returns the path of the HTTP request to the server's port that decides whether a pod is ready, or "" if something
// else does: a patch, or the operator.
func (p *platformLinter) httpProbe() string {
	probe := p.server().ReadinessProbe
	if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Port != intstr.FromString(specs.PortName) && probe.HTTPGet.Port != intstr.FromInt32(instance.Port) {
		return ""
	}
	return probe.HTTPGet.Path
}

// firstWithHealthz is the first release with /healthz, which the readiness probe uses.
const firstWithHealthz = "v1.38"

// image warns about an image that may change under the same tag, or that is too old.
func (p *platformLinter) image() {
	if isLatest(*p.spec.Password.Image) {
		p.warn(p.at("password.image"), latestMessage)
	}
	release := v1alpha1.Release(*p.spec.Image)
	switch {
	case isLatest(*p.spec.Image):
		p.warn(p.at("image"), "means latest, so a restart may change the version, and Dragonfly exits on the snapshot of a newer version; pin a release")
	case release == "" || semver.Compare(semver.MajorMinor(release), firstWithHealthz) >= 0:
	case p.isByOperator():
		p.warn(p.at("image"), "is older than "+firstWithHealthz+", the first release that these flags were tested with; the operator's own probe (healthcheck.sh) decides whether its pods become ready, so test it, or use a newer release")
	case p.httpProbe() == specs.HealthPath:
		p.warn(p.at("image"), "is older than "+firstWithHealthz+" and has no /healthz, so its pods never become ready; use a newer release, or another readinessProbe in overrides.statefulSet")
	}
}

const latestMessage = "means latest, so a restart may change the version; pin a release"

func isLatest(image string) bool {
	tag, digest, ok := v1alpha1.ParseImage(image)
	return ok && digest == "" && (tag == "" || tag == "latest")
}

// images warns about the images of containers that patches add, and about containers without one, which is what a misspelled
// name adds.
func (p *platformLinter) images() {
	var lacking []string
	for _, c := range p.containers() {
		if c.Image == "" {
			lacking = append(lacking, c.Name)
		}
	}
	for _, raw := range slices.Concat(p.spec.StatefulSetPatches, p.spec.DragonflyPatches) {
		patch := yamlnode.FromJSON(raw.JSON)
		for _, path := range []string{"spec.template.spec.initContainers", "spec.template.spec.containers", "spec.initContainers", "spec.additionalContainers"} {
			for _, c := range yamlnode.Elements(patch, strings.Split(path, ".")...) {
				image, name := yamlnode.Text(c, "image"), yamlnode.Text(c, "name")
				at := raw.Path + "." + path + "[" + name + "]"
				switch _, question := nearest.Hint(name, []string{specs.ContainerName, specs.PrepareContainer, specs.CertificateContainer}); {
				case image != "" && isLatest(image):
					p.warn(at+".image", latestMessage)
				case slices.Contains(lacking, name):
					p.warn(at, "adds a container without an image, which Kubernetes refuses; "+question+"correct the name, or add an image")
				}
			}
		}
	}
}

func (p *platformLinter) sizes() {
	for name, size := range p.spec.Sizes {
		if size.MemoryPercent() > v1alpha1.DefaultMaxMemoryPercent {
			p.warn(decode.Join(p.at("sizes"), name)+".maxMemoryPercent", "is more than 70, so a full instance may run out of memory every time it loads its snapshot, and never come back; lower it")
		}
	}
}

// flagsVersion is the release that knownFlags lists the flags of.
const flagsVersion = "v1.40"

// args warns about flags that Dragonfly does not have, because it exits on them, and about flags for client certificates.
func (p *platformLinter) args() {
	known := knownFlags()
	for i, arg := range p.spec.Args {
		at := decode.Element(p.at("args"), i)
		name, _ := v1alpha1.FlagName(arg)
		if v1alpha1.AsksForClientCertificates(name) && !p.isByOperator() {
			if p.httpProbe() != "" {
				p.warn(at, "makes Dragonfly require a client certificate, which the probe does not have, so pods never become ready; remove the flag, or use another readinessProbe in overrides.statefulSet")
			}
			if p.spec.TLS != nil && *p.spec.TLS.Reload {
				p.warn(p.at("tls"), "with a flag for client certificates in args, Dragonfly does not reload a renewed certificate, so clients fail when the first one expires; restart the pods when the Secret changes, for example with Stakater's Reloader (see docs/configuration.md), and set reload: false")
			}
		}
		if slices.Contains(known, name) || slices.Contains(known, strings.TrimPrefix(name, "no")) {
			continue
		}
		consequence, hint, remedy := "", "", "check that the version in your image has it, or Dragonfly exits at start"
		if near := nearest.To(name, known); near != "" && v1alpha1.MaySetFlag(near) {
			hint = "did you mean --" + near + "? "
		}
		if semver.MajorMinor(v1alpha1.Release(*p.spec.Image)) == flagsVersion {
			consequence, remedy = ", so it exits at start", "correct or remove it"
		}
		p.warn(at, "sets --"+name+", which Dragonfly "+flagsVersion+" does not have"+consequence+"; "+hint+remedy)
	}
}

// placeholders warns about text that was clearly meant as a placeholder but is not one.
func (p *platformLinter) placeholders() {
	p.inTexts("labels", p.spec.Labels)
	p.inTexts("annotations", p.spec.Annotations)
	p.inTexts("connectionSecret.labels", p.spec.ConnectionSecret.Labels)
	p.inTexts("connectionSecret.annotations", p.spec.ConnectionSecret.Annotations)
	p.inTexts("serviceAccount.annotations", p.spec.ServiceAccount.Annotations)
	for i, arg := range p.spec.Args {
		p.inText(decode.Element(p.at("args"), i), arg)
	}
	if p.spec.ServiceAccount.Name != nil {
		p.inText(p.at("serviceAccount.name"), *p.spec.ServiceAccount.Name)
	}
	if p.spec.TLS != nil {
		p.inText(p.at("tls.secretName"), *p.spec.TLS.SecretName)
		if issuer := p.spec.TLS.IssuerRef; issuer != nil {
			p.inText(p.at("tls.issuerRef.name"), issuer.Name)
		}
	}
	for _, raw := range slices.Concat(p.spec.StatefulSetPatches, p.spec.ServicePatches, p.spec.DragonflyPatches, p.spec.Extra) {
		p.inText(raw.Path, string(raw.JSON))
	}
}

func (p *platformLinter) inTexts(path string, texts map[string]string) {
	for key, text := range texts {
		p.inText(decode.Join(p.at(path), key), text)
	}
}

func (p *platformLinter) inText(path, text string) {
	for _, word := range v1alpha1.Words(text) {
		switch near := misspelling(word); {
		case slices.Contains(v1alpha1.Placeholders, word):
		case slices.Contains(v1alpha1.ConnectionPlaceholders, word):
			p.warn(path, "leaves {"+word+"} as it is, because that is a placeholder in connectionSecret.extraKeys only; the placeholders here are {"+strings.Join(v1alpha1.Placeholders, "} {")+"}")
		case near != "":
			p.warn(path, "leaves {"+word+"} as it is, because that is not a placeholder; did you mean {"+near+"}?")
		}
	}
}

// misspelling returns the placeholder that a word differs from by at most one letter, or "". Words in braces can be
// anything, so this is stricter than for the names of fields.
func misspelling(word string) string {
	sorted := func(text string) string {
		letters := []byte(text)
		slices.Sort(letters)
		return string(letters)
	}
	lower := strings.ToLower(word)
	for _, name := range v1alpha1.Placeholders {
		if nearest.Distance(lower, name) <= 1 || sorted(lower) == sorted(name) {
			return name
		}
	}
	return ""
}

// extraObjects warns about a second PodDisruptionBudget for the pods of an instance.
func (p *platformLinter) extraObjects() {
	if !p.isByOperator() {
		return
	}
	name := overrides.Samples(p.spec)[0].Name
	for _, raw := range p.spec.Extra {
		item := krm.NewItem(yamlnode.FromJSON([]byte(v1alpha1.Fill(string(raw.JSON), name.Values(*p.spec.ClusterDomain)))))
		if item.Group == "policy" && item.Kind == "PodDisruptionBudget" && operator.Selects(yamlnode.Get(item.Node, "spec", "selector"), name.Name) {
			p.warn(raw.Path+".spec.selector", "selects the pods of the instance, for which the operator also creates a PodDisruptionBudget, and with two of them Kubernetes refuses every eviction; remove this object, and set overrides.dragonfly.spec.pdb")
		}
	}
}

// sample warns about problems of an instance with all patches applied.
func (p *platformLinter) sample() {
	switch object := p.patched.(type) {
	case *appsv1.StatefulSet:
		server := p.server()
		if server.StartupProbe != nil {
			p.warn(p.at("overrides.statefulSet"), "adds a startup probe, which restarts a pod again and again while it loads a large snapshot; remove the probe")
		}
		p.bucket(server.Env, server.EnvFrom)
	case *operator.Dragonfly:
		if budget := object.Spec.PDB; budget != nil && budget.MinAvailable != nil && budget.MaxUnavailable != nil {
			p.warn(p.at("overrides.dragonfly.spec.pdb"), "has both minAvailable and maxUnavailable, and with both the operator creates nothing at all; remove one of them")
		}
		p.bucket(object.Spec.Env, nil)
		if object.Spec.ACLFromSecret != nil {
			p.warn(p.at("overrides.dragonfly.spec.aclFromSecret"), "controls access, and a file without the user `default` gives everyone full access; add that user with the instance's password (see docs/operator.md)")
		}
	}
}

// bucket warns about snapshots in a bucket if the server lacks variables that its client needs: the S3 client of Dragonfly
// v1.40 uses us-east-1 if no region is set; the Azure client needs the account, and does not read federated tokens.
func (p *platformLinter) bucket(env []corev1.EnvVar, from []corev1.EnvFromSource) {
	has := func(names ...string) bool {
		return len(from) > 0 || slices.ContainsFunc(env, func(v corev1.EnvVar) bool { return slices.Contains(names, v.Name) })
	}
	scheme, _, _ := strings.Cut(p.spec.Bucket(), "://")
	_, hasRole := p.spec.ServiceAccount.Annotations["eks.amazonaws.com/role-arn"] // with which a webhook sets the region
	isElsewhere := hasRole || p.spec.ServiceAccount.Name != nil ||
		slices.ContainsFunc(p.spec.Args, func(arg string) bool { return strings.Contains(arg, "s3_endpoint") })
	switch {
	case *p.spec.Storage.Type != v1alpha1.InBucket:
	case scheme == "s3" && !isElsewhere && !has("AWS_REGION", "AWS_DEFAULT_REGION"):
		p.warn(p.at("storage.bucket"), "no region is set, so Dragonfly's S3 client uses us-east-1; set the variable AWS_REGION of the container (see docs/configuration.md)")
	case scheme == "az" && !has("AZURE_STORAGE_ACCOUNT"):
		p.warn(p.at("storage.bucket"), "Dragonfly's Azure client needs the variable AZURE_STORAGE_ACCOUNT and a key or connection string, and does not read workload identity tokens; set them on the container (see docs/configuration.md)")
	}
}
