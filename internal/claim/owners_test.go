package claim_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

func TestWhose(t *testing.T) {
	name := instance.Name{Namespace: "ns", Name: "a"}
	for _, tc := range []struct {
		reason, mark    string
		stateless, kept claim.Ownership
	}{
		{"Without our mark it is somebody else's.", "other: ns/a", claim.Theirs, claim.Theirs},
		{"An empty mark is none.", `database.bizmatters.io/generated-from: ""`, claim.Theirs, claim.Theirs},
		{"The mark of this claim makes it ours.", "database.bizmatters.io/generated-from: ns/a", claim.Ours, claim.Ours},
		{"The mark of another claim that is there is that claim's.", "database.bizmatters.io/generated-from: ns/b", claim.Renamed, claim.Renamed},
		{"The mark of a claim that is gone has moved with it, but only kpt moves both.", "database.bizmatters.io/generated-from: old/a", claim.Renamed, claim.Ours},
	} {
		l := list(t, "", claimNamed("ns", "a"), claimNamed("ns", "b"), "{apiVersion: v1, kind: Secret, metadata: {annotations: {"+tc.mark+"}}}")
		for kept, want := range map[bool]claim.Ownership{false: tc.stateless, true: tc.kept} {
			_, owners := claim.Find(l, kept, config.Platform{Config: config.Default()}, &report.Results{})
			assert.Equal(t, want, owners.Whose(l.Items[2], name), tc.reason)
		}
	}
}
