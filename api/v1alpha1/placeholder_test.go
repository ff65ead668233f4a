package v1alpha1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

func TestFill(t *testing.T) {
	values := map[string]string{"name": "my-cache", "password": "{name}"}
	for text, want := range map[string]string{
		"":                        "",
		"{name}-tls":              "my-cache-tls",
		"{name}{name}":            "my-cachemy-cache",
		"${name} {{name}} {Name}": "${name} {{name}} {Name}",
		`{"a": "{name}"}`:         `{"a": "my-cache"}`,
		"{port} {name":            "{port} {name",
		"{password}":              "{name}", // values are not expanded again
		"name":                    "name",
		"{{ name }}":              "{{ name }}",
		"{na{name}":               "{namy-cache",
	} {
		assert.Equal(t, want, v1alpha1.Fill(text, values), text)
	}
}

func TestWords(t *testing.T) {
	assert.Equal(t, []string{"name", "prot"}, v1alpha1.Words("{name}:{prot} ${shell} {{template}} {} {a-b}"))
}
