package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func TestImagesThatAreRefused(t *testing.T) {
	for _, image := range []string{
		"", " ", "a b", "a:", "a:v1@", "a@sha256:00", "a:-1", "A", "a/", "/a", "a//b", "a:1:2", "https://a/b:v1.40.1", "a_-b:v1.40.1", "a:v1.40.1\nb", "{name}:v1.40.1", "hunter2:",
	} {
		quoted := `"` + strings.ReplaceAll(image, "\n", `\n`) + `"`
		assert.Equal(t, []string{"spec.image"}, paths(problems(t, "{image: "+quoted+"}")), image)
		assert.Equal(t, []string{"spec.password.image"}, paths(problems(t, "{password: {image: "+quoted+"}}")), image)
	}
}

func TestParseImage(t *testing.T) {
	for image, want := range map[string]struct{ tag, digest, release string }{
		"dragonfly":                 {},
		"a/dragonfly:latest":        {tag: "latest"},
		"localhost:5000/dragonfly":  {},
		"localhost:5000/a:v1.40.1":  {tag: "v1.40.1", release: "v1.40.1"},
		"[::1]:5000/a:v1.40.1":      {tag: "v1.40.1", release: "v1.40.1"},
		"a.b/c/d__e/f--g.h:v1.40.1": {tag: "v1.40.1", release: "v1.40.1"},
		"a:1.38":                    {tag: "1.38", release: "v1.38.0"},
		"a:v1.9.0-alpine":           {tag: "v1.9.0-alpine", release: "v1.9.0"},
		"a:v0.1":                    {tag: "v0.1", release: "v0.1.0"},
		"a:nightly":                 {tag: "nightly"},
		"a@" + digest:               {digest: digest},
		"a:latest@" + digest:        {tag: "latest", digest: digest},
		"a:v1.37.2@" + digest:       {tag: "v1.37.2", digest: digest, release: "v1.37.2"},
	} {
		tag, digest, ok := v1alpha1.ParseImage(image)
		assert.True(t, ok, image)
		assert.Equal(t, want.tag, tag, image)
		assert.Equal(t, want.digest, digest, image)
		assert.Equal(t, want.release, v1alpha1.Release(image), image)
		assert.Empty(t, problems(t, "{image: '"+image+"'}"), image)
	}
}
