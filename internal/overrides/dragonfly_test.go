package overrides_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// problemsOfOperator returns the fields with problems in a patch of the operator's object.
func problemsOfOperator(t *testing.T, spec string) []string {
	t.Helper()
	return problemsOf(t, "{dragonfly: {spec: "+spec+"}}, backend: Operator, replicas: 2")
}

func TestPatchesOfTheOperatorsObjectThatAreRefused(t *testing.T) {
	const spec = "spec.overrides.dragonfly.spec"
	for _, tc := range []struct{ reason, patch, field string }{
		{"The number of pods is set in one place.", "{replicas: 3}", spec + ".replicas"},
		{"Null is a change too.", "{replicas: null}", spec + ".replicas"},
		{"The certificate is configured in spec.tls.", "{tlsSecretRef: {name: a}}", spec + ".tlsSecretRef"},
		{"The image has its own field, with its own warnings.", "{image: a:latest}", spec + ".image"},
		{"Flags are checked.", "{args: [--a=b]}", spec + ".args"},
		{"A variable acts as a flag.", "{env: [{name: DFLY_requirepass, value: a}]}", spec + ".env"},
		{"Flags follow from the memory.", "{resources: {limits: {memory: 1Gi}}}", spec + ".resources"},
		{"The claim decides where the password comes from.", "{authentication: {passwordFromSecret: {name: a, key: b}}}", spec + ".authentication.passwordFromSecret"},
		{"Without a password, anyone gets in.", "{authentication: null}", spec + ".authentication.passwordFromSecret"},
		{"Through this port too.", "{memcachedPort: 11211}", spec + ".memcachedPort"},
		{"One volume has one writer.", "{snapshot: {existingPersistentVolumeClaimName: a}}", spec + ".snapshot"},
		{"The claim sets the size of the storage.", "{snapshot: {persistentVolumeClaimSpec: {resources: {requests: {storage: 50Gi}}}}}", spec + ".snapshot"},
		{"It would be for one instance only.", "{snapshot: {dir: s3://backups/my-namespace/my-cache, persistentVolumeClaimSpec: null}}", spec + ".snapshot"},
		{"It would be for one namespace only.", "{snapshot: {dir: \"s3://backups/{name}\", persistentVolumeClaimSpec: null}}", spec + ".snapshot"},
		{"Even for each instance, it belongs in spec.storage.", "{snapshot: {dir: \"s3://backups/{namespace}/{name}\", persistentVolumeClaimSpec: null}}", spec + ".snapshot"},
		{"Nobody would look for a snapshot in a folder of the platform's own.", "{snapshot: {dir: /snapshots}}", spec + ".snapshot"},
		{"It would be mounted over everything else.", "{snapshot: {dir: /}}", spec + ".snapshot"},
		{"Applications look it up by the claim's name.", "{serviceSpec: {name: a}}", spec + ".serviceSpec"},
		{"An account with other rights cannot make the password.", "{serviceAccountName: a}", spec + ".serviceAccountName"},
		{"The password needs its init container.", "{initContainers: [{name: prepare, image: a}]}", spec + ".initContainers[prepare]"},
		{"Nor may anything else have the name of the sidecar.", "{initContainers: [{name: keep-certificate, command: [sh]}]}", spec + ".initContainers[keep-certificate]"},
		{"And its volumes.", "{additionalVolumes: [{name: password-secret, secret: {secretName: a}}]}", spec + ".additionalVolumes"},
		{"A sidecar with this name would not be a sidecar.", "{additionalContainers: [{name: dragonfly, image: a}]}", spec + ".additionalContainers"},
		{"The volume with the data is the operator's.", "{additionalVolumes: [{name: df, emptyDir: {}}]}", spec + ".additionalVolumes"},
		{"The operator would create nothing.", "{podMetadata: {labels: {app.kubernetes.io/part-of: a}}}", spec + ".podMetadata.labels"},
		{"Nor here.", "{serviceSpec: {labels: {app: a}}}", spec + ".serviceSpec.labels"},
		{"Nor here either.", "{ownedObjectsMetadata: {labels: {app.kubernetes.io/version: a}}}", spec + ".ownedObjectsMetadata.labels"},
		{"Clients would reach a replica.", "{podMetadata: {labels: {role: master}}}", spec + ".podMetadata.labels.role"},
		{"A rotation belongs in the claim.", `{podMetadata: {annotations: {database.bizmatters.io/password-rotation: "3"}}}`, spec + ".podMetadata.annotations"},
		{"podMetadata would win.", "{labels: {team: a}}", spec + ".labels"},
		{"It would win over annotations too.", "{annotations: {team: a}}", spec + ".annotations"},
		{"Kubernetes has this field, the CRD does not.", "{initContainers: [{name: a, restartPolicyRules: []}]}", spec + ".initContainers[0].restartPolicyRules"},
		{"This field does not exist.", "{networkPolicy: false}", spec + ".networkPolicy"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			assert.Equal(t, []string{tc.field}, problemsOfOperator(t, tc.patch))
		})
	}
}

func TestPatchesOfTheOperatorsObjectMustKeepItsIdentity(t *testing.T) {
	const object = "spec.overrides.dragonfly"
	for _, tc := range []struct{ reason, patch, field string }{
		{"A patch cannot turn it into another object.", "{kind: Redis}", object + ".kind"},
		{"The name comes from the claim.", "{metadata: {name: my-cache}}", object + ".metadata.name"},
		{"Our labels are needed to find what is ours.", "{metadata: {labels: {app: my-cache}}}", object + ".metadata.labels"},
		{"So is the mark.", "{metadata: {annotations: {database.bizmatters.io/generated-from: null}}}", object + ".metadata.annotations"},
		{"The sidecar that renews the certificate knows the password.", "{spec: {initContainers: [{name: keep-certificate, image: a}]}}", object + ".spec.initContainers[keep-certificate]"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			assert.Equal(t, []string{tc.field}, problemsOf(t, "{dragonfly: "+tc.patch+"}, backend: Operator, tls: {secretName: a}"))
		})
	}
}

// Whatever the API server or the operator refuses is left to them.
func TestPatchesOfTheOperatorsObjectThatAreLeftToTheCluster(t *testing.T) {
	for _, tc := range []struct{ reason, patch string }{
		{"A volume must have one type.", "{additionalVolumes: [{name: a, emptyDir: {}, configMap: {name: b}}]}"},
		{"A mount needs its volume.", "{additionalContainers: [{name: a, image: a, volumeMounts: [{name: b, mountPath: /b}]}]}"},
		{"This is skipped already.", "{skipFSGroup: true}"},
		{"The CRD already requires this.", "{pdb: {minAvailable: 1, maxUnavailable: 1}}"},
	} {
		t.Run(tc.reason, func(t *testing.T) { assert.Empty(t, problemsOfOperator(t, tc.patch)) })
	}
}

// A null removes all of them.
func TestOwnContainersOfTheOperatorsObjectMustStay(t *testing.T) {
	const at = "spec.overrides.dragonfly.spec.initContainers"
	assert.Equal(t, []string{at + "[prepare]", at + "[keep-certificate]"}, problemsOfOperator(t, "{initContainers: null}"))
}

func TestPatchesOfTheOperatorsObjectThatAreTaken(t *testing.T) {
	for _, patch := range []string{
		"{}", "{networkPolicyEnabled: true}", "{affinity: {podAntiAffinity: {}}}", "{topologySpreadConstraints: null}",
		"{tolerations: [{operator: Exists}]}", "{nodeSelector: null}", "{priorityClassName: a}", "{pdb: {maxUnavailable: 0}}",
		"{env: [{name: TZ, value: UTC}]}", "{tiering: {persistentVolumeClaimSpec: {resources: {requests: {storage: 1Gi}}}}}",
		"{additionalContainers: [{name: a, image: a, volumeMounts: [{name: df, mountPath: /data}]}]}",
		"{podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}, skipFSGroup: true}",
		"{podSecurityContext: null, skipFSGroup: true}", "{containerSecurityContext: {runAsUser: 1000}}",
		"{snapshot: {enableOnMasterOnly: true}}", "{snapshot: {persistentVolumeClaimSpec: {volumeAttributesClassName: a}}}",
		"{customLivenessProbeConfigMap: {name: a}}", "{authentication: {clientCaCertSecret: {name: a, key: b}}}",
		"{serviceSpec: {type: NodePort, nodePort: 30000, labels: {team: a}}}", "{initContainers: [{name: a, image: a}]}",
		"{initContainers: [{name: prepare, resources: {limits: {cpu: 200m}}}, {name: keep-certificate, resources: {limits: {cpu: 200m}}}]}",
	} {
		t.Run(patch, func(t *testing.T) { assert.Empty(t, problemsOfOperator(t, patch)) })
	}
}
