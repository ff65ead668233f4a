package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// Filled returns the configuration with its placeholders filled in, except in the extra keys, some of which the pod fills
// in, and in the extra objects, whose names must follow prefixes.
func (s Spec) Filled(values map[string]string) Spec {
	fill := func(text string) string { return v1alpha1.Fill(text, values) }
	pointer := func(text *string) *string {
		if text == nil {
			return nil
		}
		return new(fill(*text))
	}
	all := func(texts map[string]string) map[string]string {
		filled := maps.Clone(texts)
		for key, text := range filled {
			filled[key] = fill(text)
		}
		return filled
	}
	s.Args = slices.Clone(s.Args)
	for i, arg := range s.Args {
		s.Args[i] = fill(arg)
	}
	s.Labels, s.Annotations = all(s.Labels), all(s.Annotations)
	s.ConnectionSecret.Labels, s.ConnectionSecret.Annotations = all(s.ConnectionSecret.Labels), all(s.ConnectionSecret.Annotations)
	s.ServiceAccount.Annotations, s.ServiceAccount.Name = all(s.ServiceAccount.Annotations), pointer(s.ServiceAccount.Name)
	if s.TLS != nil {
		tls := *s.TLS
		tls.SecretName = pointer(tls.SecretName)
		if tls.IssuerRef != nil {
			issuer := *tls.IssuerRef
			issuer.Name, issuer.Kind, issuer.Group = fill(issuer.Name), pointer(issuer.Kind), pointer(issuer.Group)
			tls.IssuerRef = &issuer
		}
		s.TLS = &tls
	}
	for _, list := range []*[]Raw{&s.StatefulSetPatches, &s.ServicePatches, &s.DragonflyPatches} {
		*list = slices.Clone(*list)
		for i, raw := range *list {
			// Braces of JSON never enclose a bare word, and the values need no escapes.
			(*list)[i].JSON = json.RawMessage(fill(string(raw.JSON)))
		}
	}
	return s
}

// Bucket returns the URL of the folder in the bucket for the snapshots of all instances, without a trailing slash, or "" if
// there is no bucket.
func (s Spec) Bucket() string {
	if s.Storage.Bucket == nil {
		return ""
	}
	return strings.TrimRight(*s.Storage.Bucket, "/")
}
