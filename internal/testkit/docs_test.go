package testkit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/testkit"
)

func TestPage(t *testing.T) {
	const text = "# Page\n\n```sh\n# Two\none\n```\n\n## Two\n\n1. Write:\n\n   ```yaml\n   # kustomization.yaml\n   resources:\n   - claim.yaml\n   ```\n\n" +
		"### Deeper\n\n```sh\n# a comment\ntwo\n```\n\n```yaml\n# A sentence.\nspec: {}\n```\n\n## Three\n\n```sh\nthree\n```\n\n```console\n$ four\n$ five\n```\n"
	page := testkit.Page(text)
	assert.Equal(t, []string{"# Two\none\n", "# a comment\ntwo\n", "three\n"}, page.Blocks("sh"))
	two := page.Section(t, "Two")
	assert.Equal(t, []string{"# a comment\ntwo\n"}, two.Blocks("sh"), "a comment in a block is not a heading")
	assert.Equal(t, []testkit.File{{Name: "kustomization.yaml", Text: "# kustomization.yaml\nresources:\n- claim.yaml\n"}}, two.Files())
	assert.Equal(t, []string{"three\n"}, page.Section(t, "Three").Blocks("sh"))
	assert.Len(t, page.Blocks("sh", "yaml"), 5)
	assert.Len(t, page.Blocks(), 6)
	assert.Equal(t, []string{"four\nfive\n"}, page.Commands(t))
	assert.Equal(t, []string{"3\n"}, page.Replace("three", "3").Section(t, "Three").Blocks("sh"))
}
