package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const changelog = `# Changelog

All notable changes.

## Unreleased

- Not yet.

## v1.10.0 - 2026-03-01

- Ten.

### Fixed

- A line
  and the rest of it.

## v1.1.0

- One, see v1.10.0.

## v1.0.0-rc.1

## v0.9.0

- Once.

## v0.9.0

- Twice.
`

func TestNotes(t *testing.T) {
	for _, test := range []struct{ reason, version, want string }{
		{"A section can have parts and a date.", "v1.10.0", "- Ten.\n\n### Fixed\n\n- A line\n  and the rest of it.\n"},
		{"A version can be a prefix of another one.", "v1.1.0", "- One, see v1.10.0.\n"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			got, err := notes(changelog, test.version)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestNoNotes(t *testing.T) {
	for _, test := range []struct{ reason, version, want string }{
		{"It is not mentioned.", "v1.2.3", "CHANGELOG.md has no section v1.2.3; add one"},
		{"Part of a version is not a version.", "v1.10", `"v1.10" is not a version; tag one such as v1.2.3 or v1.2.3-rc.1`},
		{"A pre-release needs its own section.", "v1.1.0-rc.1", "CHANGELOG.md has no section v1.1.0-rc.1; add one"},
		{"An empty section does not count.", "v1.0.0-rc.1", "the section v1.0.0-rc.1 of CHANGELOG.md is empty; describe what has changed"},
		{"Which one is meant?", "v0.9.0", "CHANGELOG.md has two sections v0.9.0; merge them"},
		{"A section, but not a version.", "Unreleased", `"Unreleased" is not a version; tag one such as v1.2.3 or v1.2.3-rc.1`},
		{"Git allows a tag that is a command.", "v1.1.0;id", `"v1.1.0;id" is not a version; tag one such as v1.2.3 or v1.2.3-rc.1`},
		{"A registry does not allow a plus sign in a tag.", "v1.1.0+linux", `"v1.1.0+linux" is not a version; tag one such as v1.2.3 or v1.2.3-rc.1`},
		{"Nothing at all.", "", `"" is not a version; tag one such as v1.2.3 or v1.2.3-rc.1`},
	} {
		t.Run(test.reason, func(t *testing.T) {
			_, err := notes(changelog, test.version)
			assert.EqualError(t, err, test.want)
		})
	}
}
