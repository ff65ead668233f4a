// Command release-notes prints the section of a version in CHANGELOG.md, for the page of its release. It fails if there is
// none, or if the version cannot be released.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/semver"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "error: %s\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("exactly one argument is needed: the version, such as v1.2.3")
	}
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	text, err := notes(string(changelog), args[0])
	if err != nil {
		return err
	}
	_, err = fmt.Print(text)
	return err
}

// notes returns the section of a version, without its heading.
func notes(changelog, version string) (string, error) {
	// A tag may be anything, and becomes part of commands and file names. An image tag cannot contain a plus sign.
	if semver.Canonical(version) != version || !semver.IsValid(version) {
		return "", fmt.Errorf("%q is not a version; tag one such as v1.2.3 or v1.2.3-rc.1", version)
	}
	var text strings.Builder
	found, inside := false, false
	for line := range strings.Lines(changelog) {
		heading, isHeading := strings.CutPrefix(line, "## ")
		if !isHeading {
			if inside {
				text.WriteString(line)
			}
			continue
		}
		// Something may follow the version, such as a date.
		fields := strings.Fields(heading)
		inside = len(fields) > 0 && fields[0] == version
		if inside && found {
			return "", fmt.Errorf("CHANGELOG.md has two sections %s; merge them", version)
		}
		found = found || inside
	}
	if !found {
		return "", fmt.Errorf("CHANGELOG.md has no section %s; add one", version)
	}
	trimmed := strings.TrimSpace(text.String())
	if trimmed == "" {
		return "", fmt.Errorf("the section %s of CHANGELOG.md is empty; describe what has changed", version)
	}
	return trimmed + "\n", nil
}
