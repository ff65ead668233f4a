package instance

import (
	"cmp"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/nearest"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// Likeness is how similar an item that is not a claim is to one.
type Likeness int

const (
	// Unlike is anything else.
	Unlike Likeness = iota
	// NearMiss is a claim or configuration with a mistake in its apiVersion or kind. If it were ignored
	// silently, its instance would look like one without a claim.
	NearMiss
	// Lookalike is a claim of another group, or the composite resource of a Crossplane claim.
	Lookalike
)

// compositeKind is the kind of the composite resource that Crossplane creates for a claim.
const compositeKind = "X" + v1alpha1.ClaimKind

// LikenessOf returns how similar the item is to a claim.
func LikenessOf(item *krm.Item) Likeness {
	group, _, hasVersion := strings.Cut(item.APIVersion, "/")
	isGroupLost := !hasVersion && !strings.Contains(group, ".") // as in `v1alpha1`, or no apiVersion
	switch {
	case IsClaim(item), IsConfig(item):
		return Unlike
	case item.Kind == compositeKind && group == v1alpha1.Group:
		return Lookalike
	case item.Kind == compositeKind:
		return Unlike
	case group == v1alpha1.Group && (item.Kind == "" || isDragonfly(item.Kind)):
		return NearMiss
	case kindMeant(item) != "" && (isGroupLost || isNear(group, v1alpha1.Group)):
		return NearMiss
	case strings.EqualFold(item.Kind, v1alpha1.ClaimKind):
		return Lookalike
	}
	return Unlike
}

// isDragonfly reports whether a kind of our group means Dragonfly. Any other kind may belong to another database.
func isDragonfly(kind string) bool {
	return strings.Contains(strings.ToLower(kind), "dragonfly") && !strings.HasSuffix(kind, "List")
}

// kindMeant returns our kind whose name is close to the item's, or "" if there is none.
func kindMeant(item *krm.Item) string {
	for _, kind := range []string{v1alpha1.ClaimKind, v1alpha1.ConfigKind} {
		if isNear(item.Kind, kind) {
			return kind
		}
	}
	return ""
}

// isNear reports whether a text differs from the name by at most two letters, ignoring case.
func isNear(text, name string) bool {
	const letters = 2
	if d := len(text) - len(name); d > letters || d < -letters {
		return false
	}
	return nearest.Distance(strings.ToLower(text), strings.ToLower(name)) <= letters
}

// reportLikeness reports an item that is similar to a claim or a configuration.
func reportLikeness(item *krm.Item, results *report.Results) {
	switch LikenessOf(item) {
	case NearMiss:
		what, kind := "claim", cmp.Or(kindMeant(item), v1alpha1.ClaimKind)
		if kind == v1alpha1.ConfigKind {
			what = "configuration"
		}
		field := report.Field{Path: "kind", Current: item.Kind, Proposed: kind}
		if item.Kind == kind {
			field = report.Field{Path: "apiVersion", Current: item.APIVersion, Proposed: v1alpha1.APIVersion}
		}
		if field.Current == "" {
			field.Current = nil
		}
		results.FieldErrorf(item, field, "looks like a %s; use kind %s of %s", what, kind, v1alpha1.APIVersion)
	case Lookalike:
		field := report.Field{Path: "apiVersion", Current: item.APIVersion}
		if item.Kind == compositeKind {
			field = report.Field{Path: "kind", Current: item.Kind}
		}
		results.FieldWarnf(item, field, "looks like a claim, but nothing is generated from it; if it is one, use kind %s of %s", v1alpha1.ClaimKind, v1alpha1.APIVersion)
	case Unlike:
	}
}
