package config

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/placeholder"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// connectionSecret takes what the Secret that applications read has besides endpoint, port and password.
func (r *reader) connectionSecret(spec v1alpha1.ConnectionSecret) {
	r.extraKeys(spec.ExtraKeys)
	r.Connection.Labels, r.Connection.Annotations = spec.Labels, spec.Annotations
	for _, key := range slices.Sorted(maps.Keys(spec.Labels)) {
		field := r.at(decode.Join("connectionSecret.labels", key))
		if _, own := (instance.Name{}).OwnLabels()[key]; own {
			r.Errorf(field, "is a label that every object gets from its claim; remove it")
			continue
		}
		r.Label(field, key, r.placeholders(field, spec.Labels[key]))
		r.refuseReplacing(field, key, spec.Labels[key])
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Annotations)) {
		path := decode.Join("connectionSecret.annotations", key)
		r.annotation(path, key)
		r.placeholders(r.at(path), spec.Annotations[key])
		r.refuseReplacing(r.at(path), key, spec.Annotations[key])
	}
	if spec.Type == nil {
		return
	}
	r.Connection.Type = corev1.SecretType(*spec.Type)
	switch field := r.at("connectionSecret.type"); {
	case *spec.Type == "":
		r.Errorf(field, "is empty; set a type, such as servicebinding.io/redis, or remove it")
	case strings.HasPrefix(*spec.Type, "kubernetes.io/"):
		r.Errorf(field, "is a type of Kubernetes' own, which demands other keys; use another, such as servicebinding.io/redis")
	case len(validation.IsQualifiedName(*spec.Type)) > 0:
		r.Errorf(field, "is not a valid Secret type; use letters, digits, dashes, underscores and dots, optionally with a domain and a slash in front")
	}
}

func (r *reader) extraKeys(keys map[string]string) {
	r.Connection.ExtraKeys = keys
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		field := r.at(decode.Join("connectionSecret.extraKeys", key))
		switch {
		case len(validation.IsConfigMapKey(key)) > 0:
			r.Errorf(field, "is not a valid Secret key; use letters, digits, dashes, underscores and dots")
		case key == instance.EndpointKey || key == instance.PortKey || key == instance.PasswordKey:
			r.Errorf(field, "is a key that every connection Secret already has; use another name")
		}
		for _, word := range placeholder.Words(keys[key]) {
			if slices.Contains(ConnectionPlaceholders, word) {
				continue
			}
			hint := ""
			if near := decode.Nearest(word, ConnectionPlaceholders); near != "" {
				hint = "did you mean {" + near + "}? "
			}
			r.Errorf(field, "has an unknown placeholder; %sthe placeholders are {%s}", hint, strings.Join(ConnectionPlaceholders, "} {"))
		}
	}
}

// The labels and annotations by which Argo CD and Flux replace an object as a whole.
const (
	argoSyncOptions = "argocd.argoproj.io/sync-options"
	fluxForce       = "kustomize.toolkit.fluxcd.io/force"
)

// refuseReplacing reports a label or annotation of Secrets by which an applier would put the manifest, which has no
// password, in the place of the live Secret.
func (r *reader) refuseReplacing(field report.Field, key, value string) {
	if WithoutReplacing(key, value) != value {
		r.Errorf(field, "would have the live Secrets replaced by the manifests, which hold no password; set it in overrides.statefulSet.metadata or overrides.service.metadata, which Secrets do not get")
	}
}

// WithoutReplacing returns the value of a label or annotation without what has an applier replace the object as a
// whole.
func WithoutReplacing(key, value string) string {
	switch key {
	case fluxForce:
		return ""
	case argoSyncOptions:
		options := strings.Split(value, ",")
		harmless := slices.DeleteFunc(slices.Clone(options), func(option string) bool {
			option = strings.TrimSpace(option)
			return option == "Replace=true" || option == "Force=true"
		})
		if len(harmless) < len(options) {
			return strings.Join(harmless, ",")
		}
	}
	return value
}
