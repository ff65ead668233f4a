package instance

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/nearest"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// texts returns labels or annotations as written.
func texts(given map[string]intstr.IntOrString) map[string]string {
	all := map[string]string{}
	for key, value := range given {
		all[key] = value.StrVal // they are decoded as texts
	}
	return all
}

// trackingDomains are the domains of labels with which tools track the objects that they own. Copied to our
// objects, these labels could make a tool own them twice or prune them.
var trackingDomains = []string{
	"kpt.dev", "cli-utils.sigs.k8s.io", "config.k8s.io", // kpt
	"argoproj.io", "fluxcd.io", "helm.sh", "crossplane.io",
	"config.kubernetes.io",                            // kustomize
	"kubectl.kubernetes.io", "applyset.kubernetes.io", // kubectl
}

// ownAnnotations are the annotations of our group that a claim can have.
var ownAnnotations = []string{v1alpha1.Profile, v1alpha1.PasswordSourceAnnotation, v1alpha1.PasswordRotation}

// labels returns the labels to copy to the objects.
func (c *claim) labels(given map[string]string) map[string]string {
	labels := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		field := report.Field{Path: decode.Join("metadata.labels", key)}
		switch detail := v1alpha1.InvalidLabel(key, given[key]); {
		case slices.Contains(ownAnnotations, key):
			c.Errorf(field, "is an annotation and has no effect as a label; move it to metadata.annotations")
		case detail != "":
			c.Errorf(field, "%s", detail)
		case !isTracking(key):
			labels[key] = given[key]
		}
	}
	return labels
}

func isTracking(label string) bool {
	domain, _, found := strings.Cut(label, "/")
	return found && label != fluxPrune && slices.ContainsFunc(trackingDomains, func(tracking string) bool {
		return domain == tracking || strings.HasSuffix(domain, "."+tracking)
	})
}

// annotations returns the annotations to copy to the objects, and reports misspelled ones of our group, which would
// otherwise be ignored silently.
func (c *claim) annotations(given map[string]string, carry []string) map[string]string {
	annotations := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		field := report.Field{Path: decode.Join("metadata.annotations", key)}
		protected, meant := protection(key, given[key]), meantAnnotation(key)
		switch {
		case slices.Contains(carry, key):
			annotations[key] = given[key]
		case protected != "":
			annotations[key] = protected
		case key == v1alpha1.PasswordRotation && !isRotation(given[key]):
			field.Current = given[key]
			c.Errorf(field, "must be 1 to 63 printable ASCII characters without `${`; use a number, and increment it for the next rotation")
		case slices.Contains(ownAnnotations, key):
		case meant != "":
			field.Proposed = meant
			c.Errorf(field, "unknown annotation; did you mean %q?", meant)
		case strings.HasPrefix(key, v1alpha1.Group+"/"):
			c.Results.FieldWarnf(c.Item, field, "is unknown, so it has no effect; remove it, or use one of %s", strings.Join(ownAnnotations, ", "))
		}
	}
	return annotations
}

// meantAnnotation returns our annotation whose name or group is misspelled in the key, or "".
func meantAnnotation(key string) string {
	domain, name, found := strings.Cut(key, "/")
	if !found {
		domain, name = "", key
	}
	if domain == v1alpha1.Group {
		var names []string
		for _, own := range ownAnnotations {
			names = append(names, strings.TrimPrefix(own, v1alpha1.Group+"/"))
		}
		name = nearest.To(name, names)
	}
	own := v1alpha1.Group + "/" + name
	organization := strings.Split(v1alpha1.Group, ".")[1]
	// In another group of the organization's, or in none, a profile may be anything.
	isMeant := (domain == "" || strings.Contains(domain, organization)) && own != v1alpha1.Profile || isNear(domain, v1alpha1.Group)
	if !slices.Contains(ownAnnotations, own) || !isMeant {
		return ""
	}
	return own
}

func isRotation(text string) bool {
	return len(text) >= 1 && len(text) <= 63 && !strings.Contains(text, "${") &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
