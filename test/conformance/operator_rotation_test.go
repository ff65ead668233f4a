//go:build conformance && linux

package conformance

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

// A rotation with backend Operator, as the operator v1.6.1 performs it: the replicas first, then the master. The first
// pod that starts makes the new password, the others adopt it, whichever they are, and no server from before the
// rotation can start with the new one. Keeping up replication meanwhile is the operator's job: it replicates over port
// 9999, which asks for no password (according to its source; not run here).
func TestOperatorRotation(t *testing.T) {
	t.Parallel()
	const secret, connection = "my-cache-password", "my-cache-conn"
	const config = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: platform}\nspec: {backend: Operator, replicas: 3}\n"
	of := func(rotation string) string {
		return claim("operator-rotation", "my-cache", "small", rotated(rotation))
	}
	pods := []*pod{newPodOf(t, of("1"), config), {}, {}}
	for _, replica := range pods[1:] {
		*replica = *pods[0]
		replica.makeRoot(t)
		replica.authority(t, replica.server, nil)
	}
	start := func(i int, rotation string) (log string) {
		pods[i].render(t, of(rotation), config)
		pods[i].name = fmt.Sprintf("my-cache-%d", i)
		pods[i].mount(t)
		log, err := pods[i].end(t, pods[i].begin(t))
		assert.NoError(t, err, log)
		return log
	}
	keys := func() map[string]string { return pods[0].data(t, secret) }

	for i := range pods {
		start(i, "1")
	}
	before := keys()[handover.RotationKey("1")]
	assert.NotEmpty(t, before)

	log := start(2, "2")
	assert.Contains(t, log, "created a new password for the rotation")
	now := keys()[handover.RotationKey("2")]
	assert.NotEqual(t, before, now)
	assert.Equal(t, map[string]string{"password": now, handover.RotationKey("2"): now}, keys(),
		"an old server, including the master, must no longer find its key, whatever restarts it")
	assert.Equal(t, now, pods[0].data(t, connection)["password"], "applications that start now must read the password that the next master accepts")

	assert.NotContains(t, start(0, "1"), "made", "a pod from the old template must follow, and must not rotate back")
	assert.Equal(t, map[string]string{"password": now, handover.RotationKey("2"): now}, keys())

	// The copies on a pod's volumes may be stale, so the first start in a rotation asks the API server.
	reads := []string{"GET my-cache-conn", "GET my-cache-password"}
	for _, tc := range []struct {
		pod  int
		want []string
	}{{1, reads}, {0, reads}, {2, nil}, {1, nil}} {
		i := tc.pod
		g := pods[i].gateway(t)
		assert.NotContains(t, start(i, "2"), "made")
		assert.ElementsMatch(t, tc.want, g.forget(), "my-cache-%d's requests to the API server", i)
		assert.Equal(t, map[string]string{"password": now, handover.RotationKey("2"): now}, keys())
	}
}

// With the source Existing, the server reads the owner's key, and the pod fills in what applications read.
func TestOperatorExisting(t *testing.T) {
	t.Parallel()
	const config = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\nmetadata: {name: platform}\nspec: {backend: Operator, replicas: 2}\n"
	documents := []string{claim("operator-existing", "my-cache", "small", annotated("password-source", "Existing", "password-rotation", "2")), config}
	p := newPodOf(t, documents...)
	p.makeSecret(t, "my-cache-password", "of-their-own")
	theirs := p.object(t, "my-cache-password")
	for i := range 2 {
		p.name = fmt.Sprintf("my-cache-%d", i)
		p.mount(t)
		log, err := p.end(t, p.begin(t))
		assert.NoError(t, err, log)
		assert.Equal(t, "of-their-own", p.data(t, "my-cache-conn")["password"])
	}
	assert.Equal(t, theirs, p.object(t, "my-cache-password"))
	assert.NoFileExists(t, filepath.Join(p.root, handover.FlagFile), "the operator must mount none")
}
