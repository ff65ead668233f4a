package config

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// tls takes how clients connect with TLS.
func (r *reader) tls(spec *v1alpha1.TLS, args []string) {
	if spec == nil {
		return
	}
	r.TLS.Reload = spec.Reload == nil || *spec.Reload
	if r.TLS.Reload && asksForClientCertificates(args) {
		r.TLS.Reload = false // the sidecar has none
		r.Warnf(report.Field{Path: r.path + ".tls"}, "with a flag for client certificates in args, nothing has Dragonfly read a renewed certificate, so clients fail when the first one expires; restart the pods when the Secret changes, for example with Stakater's Reloader (see docs/configuration.md), and set reload: false")
	}
	secretName := r.at("tls.secretName")
	switch {
	case spec.SecretName != nil:
		r.TLS.SecretName = *spec.SecretName
	case spec.IssuerRef != nil:
		r.TLS.SecretName = "{name}-tls"
	default:
		if !r.HasProblemIn(r.path + ".tls") {
			r.Errorf(secretName, "is missing; set the name of the Secret that holds tls.crt and tls.key, such as {name}-tls")
		}
		return
	}
	switch filled := r.placeholders(secretName, r.TLS.SecretName); {
	case len(validation.IsDNS1123Subdomain(filled)) > 0:
		r.Errorf(secretName, "is not a valid Secret name; use lower case letters, digits, dashes and dots, such as {name}-tls")
	case filled == instance.PasswordSecretName(probe.Name) || filled == instance.ConnectionSecretName(probe.Name):
		r.Errorf(secretName, "is the name of another Secret of every instance; use another name, such as {name}-tls")
	}
	if spec.IssuerRef != nil {
		r.issuer(*spec.IssuerRef)
	}
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
