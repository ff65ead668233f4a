package config

import (
	"slices"
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// backend takes what runs the instances, and how many pods each has.
func (r *reader) backend(spec v1alpha1.ProfileSpec) {
	if spec.Backend != nil {
		r.Backend = *spec.Backend
		oneOf(r, "backend", r.Backend, v1alpha1.StatefulSet, v1alpha1.Operator)
	}
	if spec.Replicas == nil {
		return
	}
	r.Replicas = int(*spec.Replicas)
	switch {
	case r.Replicas < 1:
		r.Errorf(r.at("replicas"), "is too small; use 1 or more")
	case r.Replicas > 1 && r.Backend != v1alpha1.Operator:
		r.Errorf(r.at("replicas"), "needs backend: %s, because the pods of a StatefulSet would be separate stores behind one Service; set it, or remove replicas", v1alpha1.Operator)
	}
}

// operatorFlags are what the Dragonfly Operator sets itself, to reach its pods and to replicate, and what
// needs files that only a mount of its own could bring.
var operatorFlags = []string{
	"admin_port", "admin_nopass", "break_replication_on_master_restart", "replicaof",
	"tls", "tls_cert_file", "tls_key_file", "tls_ca_cert_file", "tls_ca_cert_dir", "tls_replication", "no_tls_on_admin_port",
}

// forOperator reports what of the patches has no counterpart in a Dragonfly of the operator.
func (r *reader) forOperator() {
	for _, patch := range r.Overrides.StatefulSet {
		r.Errorf(report.Field{Path: patch.Path}, "cannot be combined with backend: %s, which makes the StatefulSet itself; remove it, and see docs/scaling.md for alternatives", v1alpha1.Operator)
	}
	for _, patch := range r.Overrides.Service {
		path := patch.Path
		r.carried(patch.Node, path, "apiVersion", "kind", "metadata", "spec")
		r.carried(yamlnode.Get(patch.Node, "metadata"), path+".metadata", "name", "namespace", "labels", "annotations")
		r.carried(yamlnode.Get(patch.Node, "spec"), path+".spec", "type", "ports")
		if ports := yamlnode.Get(patch.Node, "spec", "ports"); ports != nil && ports.Kind == yaml.SequenceNode {
			for i, port := range ports.Content {
				at := decode.Element(path+".spec.ports", i)
				r.carried(port, at, "port", "nodePort")
				if yamlnode.Text(port, "port") != strconv.Itoa(instance.Port) {
					r.Errorf(report.Field{Path: at + ".port"}, "has no counterpart with backend: %s; remove it", v1alpha1.Operator)
				}
			}
		}
	}
}

// carried reports the fields of n that a Dragonfly of the operator has nothing for.
func (r *reader) carried(n *yaml.Node, path string, names ...string) {
	for key := range yamlnode.Fields(n) {
		if !slices.Contains(names, key.Value) {
			r.Errorf(report.Field{Path: decode.Join(path, key.Value)}, "has no counterpart with backend: %s; remove it", v1alpha1.Operator)
		}
	}
}
