package config

import (
	"regexp"
	"strings"
	"sync"

	"golang.org/x/mod/semver"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// firstWithHealthz is the first release that answers GET /healthz, which the readiness probe asks.
const firstWithHealthz = "v1.38"

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

// parseImage returns the tag and the digest of a reference to an image, or "" if there is none.
func parseImage(image string) (tag, digest string, ok bool) {
	match := imageReference().FindStringSubmatch(image)
	if match == nil {
		return "", "", false
	}
	return match[1], match[2], true
}

// image judges a reference to an image.
func (r *reader) image(path, image string) (tag, digest string, ok bool) {
	if tag, digest, ok = parseImage(image); !ok {
		r.Errorf(r.at(path), "is not a valid image reference; write registry, name and tag, such as %s", Default().Image)
	}
	return tag, digest, ok
}

// dragonflyImage also warns of one that is not the same tomorrow, or too old.
func (r *reader) dragonflyImage(image string) {
	tag, digest, ok := r.image("image", image)
	version := "v" + strings.TrimPrefix(tag, "v")
	switch {
	case !ok:
	case digest == "" && (tag == "" || tag == "latest"):
		r.Warnf(r.at("image"), "means latest, so a restart may change the version, and Dragonfly exits on the snapshot of a newer version; pin a release")
	case !semver.IsValid(version) || semver.Compare(semver.MajorMinor(version), firstWithHealthz) >= 0:
	case r.Backend == v1alpha1.Operator:
		r.Warnf(r.at("image"), "is older than %s, the first release that the flags here were tried with; the operator's own probe (healthcheck.sh) decides whether its pods become ready, so try it, or use a newer one", firstWithHealthz)
	default:
		r.Warnf(r.at("image"), "is older than %s and has no /healthz, so its pods never become ready; use a newer one, or another readinessProbe in overrides.statefulSet", firstWithHealthz)
	}
}

// imageVersion returns the minor version that the tag of an image names, such as v1.40, or "".
func imageVersion(image string) string {
	tag, _, _ := parseImage(image)
	return semver.MajorMinor("v" + strings.TrimPrefix(tag, "v"))
}
