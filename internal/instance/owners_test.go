package instance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

func TestWhose(t *testing.T) {
	name := instance.Name{Namespace: "ns", Name: "a"}
	for _, tc := range []struct {
		reason, mark       string
		stateless, inPlace instance.Ownership
	}{
		{"Without our mark, it is somebody else's.", "other: ns/a", instance.Theirs, instance.Theirs},
		{"An empty mark counts as missing.", `database.bizmatters.io/generated-from: ""`, instance.Theirs, instance.Theirs},
		{"The mark of this claim makes it ours.", "database.bizmatters.io/generated-from: ns/a", instance.Ours, instance.Ours},
		{"With the mark of another existing claim, it is that claim's.", "database.bizmatters.io/generated-from: ns/b", instance.Renamed, instance.Renamed},
		{"The mark of a claim that is gone may have moved along with it, but only kpt moves both.", "database.bizmatters.io/generated-from: old/a", instance.Renamed, instance.Ours},
	} {
		l := list(t, "", claimNamed("ns", "a"), claimNamed("ns", "b"), "{apiVersion: v1, kind: Secret, metadata: {annotations: {"+tc.mark+"}}}")
		for inPlace, want := range map[bool]instance.Ownership{false: tc.stateless, true: tc.inPlace} {
			_, owners := instance.FromClaims(l, inPlace, config.Default(), &report.Results{})
			assert.Equal(t, want, owners.Whose(l.Items[2], name), tc.reason)
		}
	}
}
