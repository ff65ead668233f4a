package nearest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/nearest"
)

func TestTo(t *testing.T) {
	names := []string{"size", "storageGB", "labels"}
	for text, want := range map[string]string{
		"size": "size", "sise": "size", "SIZE": "size", "storage": "storageGB", "storageGb": "storageGB", "label": "labels", "szie": "size", "bite": "", "b": "",
		"password": "", "": "", strings.Repeat("a", 101): "",
	} {
		assert.Equal(t, want, nearest.To(text, names), text)
	}
	assert.Empty(t, nearest.To("size", nil))

	near, question := nearest.Hint("sise", names)
	assert.Equal(t, "size", near)
	assert.Equal(t, `did you mean "size"? `, question)
	_, question = nearest.Hint("password", names)
	assert.Empty(t, question)
}
