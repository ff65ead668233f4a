package config

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// tls takes how clients connect with TLS.
func (r *reader) tls(spec *v1alpha1.TLS) {
	if spec == nil {
		return
	}
	r.TLS.SecretName = spec.SecretName
	if misspelt := r.HasProblemIn(r.path + ".tls"); spec.SecretName == "" && misspelt {
		return
	}
	secretName := r.at("tls.secretName")
	switch filled := r.placeholders(secretName, spec.SecretName); {
	case spec.SecretName == "":
		r.Errorf(secretName, "is missing; set the name of the Secret that holds tls.crt and tls.key, such as {name}-tls")
	case len(validation.IsDNS1123Subdomain(filled)) > 0:
		r.Errorf(secretName, "is not a valid Secret name; use lower case letters, digits, dashes and dots, such as {name}-tls")
	case filled == instance.PasswordSecretName(probe.Name) || filled == instance.ConnectionSecretName(probe.Name):
		r.Errorf(secretName, "is the name of another Secret of every instance; use another name, such as {name}-tls")
	}
	if spec.IssuerRef != nil {
		r.issuer(*spec.IssuerRef)
	}
	r.warnOfRenewal()
}

func (r *reader) issuer(spec v1alpha1.IssuerRef) {
	r.TLS.Issuer = Issuer{Group: "cert-manager.io", Kind: "Issuer", Name: spec.Name}
	if spec.Group != nil {
		r.TLS.Issuer.Group = *spec.Group
	}
	if spec.Kind != nil {
		r.TLS.Issuer.Kind = *spec.Kind
	}
	for _, field := range []struct{ path, value string }{
		{"tls.issuerRef.name", spec.Name}, {"tls.issuerRef.kind", r.TLS.Issuer.Kind}, {"tls.issuerRef.group", r.TLS.Issuer.Group},
	} {
		if filled := r.placeholders(r.at(field.path), field.value); len(validation.IsDNS1123Subdomain(strings.ToLower(filled))) > 0 {
			r.Errorf(r.at(field.path), "is missing or not valid; set the cert-manager issuer that signs the certificates")
		}
	}
	if !strings.Contains(r.TLS.SecretName, "{name}") {
		r.Errorf(r.at("tls.secretName"), "is the same for all instances of a namespace, but with issuerRef each has its own certificate; put {name} in it, such as {name}-tls")
	}
}

// reloaders are those of the names of annotations by which people have pods restarted whose Secrets change.
var reloaders = []string{"reloader.stakater.com/", "wave.pusher.com/", "k8s.cybertec.at/"}

// warnOfRenewal warns where nothing makes Dragonfly take a renewed certificate: it reads the files when it
// starts, and on CONFIG SET tls true.
func (r *reader) warnOfRenewal() {
	isReloader := func(key string) bool {
		for _, known := range reloaders {
			if strings.Contains(key, known) {
				return true
			}
		}
		return false
	}
	for key := range r.Annotations {
		if isReloader(key) {
			return
		}
	}
	for _, layer := range r.layers {
		for _, path := range [][]string{{"annotations"}, {"overrides", "statefulSet", "metadata", "annotations"}, {"overrides", "statefulSet", "spec", "template", "metadata", "annotations"}} {
			for key := range yamlnode.Fields(yamlnode.Get(layer.node, path...)) {
				if isReloader(key.Value) {
					return
				}
			}
		}
	}
	r.Warnf(report.Field{Path: r.path + ".tls"}, "Dragonfly does not read a renewed certificate until it restarts, so clients fail when the first one expires; restart the pods when the Secret changes, for example with Stakater's Reloader (see docs/configuration.md)")
}
