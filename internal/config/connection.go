package config

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
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
		for _, match := range placeholder().FindAllStringSubmatch(keys[key], -1) {
			if slices.Contains(ConnectionPlaceholders, match[1]) {
				continue
			}
			hint := ""
			if near := decode.Nearest(match[1], ConnectionPlaceholders); near != "" {
				hint = "did you mean {" + near + "}? "
			}
			r.Errorf(field, "has an unknown placeholder; %sthe placeholders are {%s}", hint, strings.Join(ConnectionPlaceholders, "} {"))
		}
	}
}
