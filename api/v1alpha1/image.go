package v1alpha1

import (
	"regexp"
	"strings"
	"sync"

	"golang.org/x/mod/semver"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// imageReference is the grammar of a reference to an image: host and port, path, tag, digest. The parsers of
// distribution/reference and go-containerregistry prepare more expressions whenever the program starts than a run
// for one claim takes otherwise.
var imageReference = sync.OnceValue(func() *regexp.Regexp {
	const (
		label     = `[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?`
		host      = `(?:` + label + `(?:\.` + label + `)*|\[[A-Fa-f0-9:]+\])(?::[0-9]+)?`
		component = `[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*`
		tag       = `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
		digest    = `[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}`
	)
	return regexp.MustCompile(`^(?:` + host + `/)?` + component + `(?:/` + component + `)*(?::(` + tag + `))?(?:@(` + digest + `))?$`)
})

// ParseImage returns the tag and the digest of a reference to an image, or "" if there is none.
func ParseImage(image string) (tag, digest string, ok bool) {
	match := imageReference().FindStringSubmatch(image)
	if match == nil {
		return "", "", false
	}
	return match[1], match[2], true
}

func validateImage(path *field.Path, image string) field.ErrorList {
	if _, _, ok := ParseImage(image); !ok {
		return field.ErrorList{problem(path, "is not a valid image reference; write registry, name and tag, such as docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1")}
	}
	return nil
}

// Release returns the release that the tag of an image names, in the form v1.2.3, or "" if it names none.
func Release(image string) string {
	tag, _, _ := ParseImage(image)
	release := "v" + strings.TrimPrefix(tag, "v")
	if !semver.IsValid(release) {
		return ""
	}
	return strings.TrimSuffix(semver.Canonical(release), semver.Prerelease(release)) // which names a distribution
}
