package config

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/placeholder"
)

func (r *reader) extraKeys(keys map[string]string) {
	r.ExtraKeys = keys
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
