package overrides_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// problemsOf reads a configuration with patches, and returns the fields with problems.
func problemsOf(t *testing.T, patches string) []string {
	t.Helper()
	return checked(t, "{overrides: "+patches+"}")
}

func inContainer(fields string) string {
	return "{statefulSet: {spec: {template: {spec: {containers: [{name: dragonfly, " + fields + "}]}}}}}"
}

func inPod(fields string) string {
	return "{statefulSet: {spec: {template: {spec: {" + fields + "}}}}}"
}

func TestOverridesThatAreRefused(t *testing.T) {
	const (
		set       = "spec.overrides.statefulSet"
		pod       = set + ".spec.template.spec"
		container = pod + ".containers[dragonfly]"
		service   = "spec.overrides.service"
	)
	for _, tc := range []struct{ reason, overrides, field string }{
		{"A name that is one instance's would be every instance's.", "{service: {metadata: {name: my-cache}}}", service + ".metadata.name"},
		{"A mark that is one instance's would be every instance's.", "{statefulSet: {metadata: {annotations: {database.bizmatters.io/generated-from: my-namespace/my-cache}}}}", set + ".metadata.annotations"},
		{"A rotation is the claim's.", `{statefulSet: {spec: {template: {metadata: {annotations: {database.bizmatters.io/password-rotation: "1"}}}}}}`, set + ".spec.template.metadata.annotations"},
		{"Kustomize would drop the object in silence.", `{statefulSet: {metadata: {annotations: {config.kubernetes.io/local-config: "true"}}}}`, set + ".metadata.annotations"},
		{"kpt would write the object elsewhere.", "{service: {metadata: {annotations: {internal.config.kubernetes.io/path: ../x.yaml}}}}", service + ".metadata.annotations"},
		{"A patch makes no other object of it.", "{statefulSet: {kind: Deployment}}", set + ".kind"},
		{"A Service stays one.", "{service: {apiVersion: v2}}", service + ".kind"},
		{"The namespace is the claim's.", "{statefulSet: {metadata: {namespace: my-namespace}}}", set + ".metadata.namespace"},
		{"A pause, or a deleted StatefulSet, would delete the volume.", "{statefulSet: {spec: {persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}}}}", set + ".spec.persistentVolumeClaimRetentionPolicy"},
		{"A patch changes an object; it does not delete it.", "{statefulSet: {$patch: delete}}", set + "[$patch]"},
		{"Our labels are needed to find what is ours.", "{statefulSet: {metadata: {labels: {app: my-cache}}}}", set + ".metadata.labels"},
		{"They are on the Service, too.", "{service: {metadata: {labels: {app.kubernetes.io/managed-by: a}}}}", service + ".metadata.labels"},
		{"The pods are selected by them.", "{statefulSet: {spec: {template: {metadata: {labels: {app: null}}}}}}", set + ".spec.template.metadata.labels"},
		{"The governing Service is fixed.", "{statefulSet: {spec: {serviceName: my-cache}}}", set + ".spec.serviceName"},
		{"A Service of one instance would be every instance's.", "{service: {spec: {selector: {app: my-cache}}}}", service + ".spec.selector"},
		{"A selector of one instance would be every instance's.", "{statefulSet: {spec: {selector: {matchLabels: {app: my-cache}}}}}", set + ".spec.selector"},
		{"Two pods would be two stores.", "{statefulSet: {spec: {replicas: 2}}}", set + ".spec.replicas"},
		{"A pod with another number has another volume.", "{statefulSet: {spec: {ordinals: {start: 3}}}}", set + ".spec.ordinals"},
		{"There is no less than no pod.", "{statefulSet: {spec: {replicas: -1}}}", set + ".spec.replicas"},
		{"A null takes a selector away too.", "{statefulSet: {spec: {selector: null}}}", set + ".spec.selector"},

		{"Memory is the size's, of whatever size.", inContainer("resources: {limits: {memory: 2Gi}}"), container + ".resources"},
		{"Flags of one size would be every size's.", inContainer(`args: [--dir=/data, --dbfilename=dump, "--snapshot_cron=*/30 * * * *", --maxmemory=1717986918, --proactor_threads=1, --version_check=false]`), container + ".args"},
		{"The image's version is looked at.", inContainer("image: a"), container + ".image"},
		{"A command goes around the flags.", inContainer("command: [dragonfly]"), container + ".command"},
		{"A password of one instance would be every instance's.", inContainer("env: [{name: DFLY_requirepass, valueFrom: {secretKeyRef: {name: my-cache-password, key: password}}}]"), container + ".env"},
		{"A variable is a flag.", inContainer(`env: [{name: DFLY_port, value: "1"}]`), container + ".env"},
		{"Whatever the Secret holds could be a flag.", inContainer("envFrom: [{secretRef: {name: a}}]"), container + ".envFrom"},
		{"So could it with this prefix.", inContainer("envFrom: [{prefix: DFL, secretRef: {name: a}}]"), container + ".envFrom"},
		{"The Service's port speaks TCP.", inContainer("ports: [{containerPort: 6379, protocol: UDP}]"), container + ".ports"},
		{"Two ports cannot have one name.", inContainer("ports: [{containerPort: 6380, name: dragonfly}]"), container + ".ports"},
		{"The data would be lost with the pod.", inContainer("volumeMounts: [{mountPath: /data, $patch: delete}]"), container + ".volumeMounts"},
		{"Another volume would hide the data's.", "{statefulSet: {spec: {template: {spec: {volumes: [{name: x, emptyDir: {}}], containers: [{name: dragonfly, volumeMounts: [{name: x, mountPath: /data/}]}]}}}}}", container + ".volumeMounts"},
		{"A part of the volume would hide the rest.", inContainer("volumeMounts: [{mountPath: /data, subPath: a}]"), container + ".volumeMounts"},
		{"A Service called dfly-… would kill the pod.", inPod("enableServiceLinks: true"), pod + ".enableServiceLinks"},

		{"The size of the volume is the claim's.", "{statefulSet: {spec: {volumeClaimTemplates: [{metadata: {name: dragonfly-data}, spec: {resources: {requests: {storage: 10Gi}}}}]}}}", set + ".spec.volumeClaimTemplates"},
		{"The claim template has to stay.", "{statefulSet: {spec: {volumeClaimTemplates: null}}}", set + ".spec.volumeClaimTemplates"},
		{"A claim template has a name.", "{statefulSet: {spec: {volumeClaimTemplates: [{spec: {accessModes: [ReadWriteMany]}}]}}}", set + ".spec.volumeClaimTemplates"},

		{"The endpoint has this port.", "{service: {spec: {ports: [{port: 6379, protocol: UDP}]}}}", service + ".spec.ports"},
		{"The endpoint leads to Dragonfly.", "{service: {spec: {ports: [{port: 6379, targetPort: 1}]}}}", service + ".spec.ports"},
		{"A headless Service has no address.", "{service: {spec: {clusterIP: None}}}", service + ".spec.clusterIP"},
		{"The endpoint is the Service's own.", "{service: {spec: {type: ExternalName}}}", service + ".spec.type"},

		{"What makes the password has to stay.", inPod("initContainers: [{name: prepare, $patch: delete}]"), pod + ".initContainers[prepare]"},
		{"Another image would see the token.", inPod("initContainers: [{name: prepare, image: a}]"), pod + ".initContainers[prepare]"},
		{"The token is for nobody else.", inPod("volumes: [{name: password-token, $patch: delete}]"), pod + ".volumes"},
		{"The Secrets are not hidden from it.", inPod("volumes: [{name: password-secret, secret: {secretName: a}}]"), pod + ".volumes"},
		{"The password is not hidden from the server.", inContainer("volumeMounts: [{mountPath: /run/dragonfly/flags, $patch: delete}]"), container + ".volumeMounts"},
		{"Nor is another one put in its place.", "{statefulSet: {spec: {template: {spec: {volumes: [{name: x, emptyDir: {}}], containers: [{name: dragonfly, volumeMounts: [{name: x, mountPath: /run/dragonfly/flags}]}]}}}}}", container + ".volumeMounts"},
		{"What renews the certificate knows the password.", inPod("initContainers: [{name: keep-certificate, image: a}]") + ", tls: {secretName: a}", pod + ".initContainers[keep-certificate]"},
		{"The account follows from what makes the password.", inPod("serviceAccountName: a"), pod + ".serviceAccountName"},
		{"The server needs no token.", inPod("automountServiceAccountToken: true"), pod + ".automountServiceAccountToken"},
		{"An entry needs its key.", inContainer("ports: [{name: metrics}]"), set},
	} {
		assert.Equal(t, []string{tc.field}, problemsOf(t, tc.overrides), tc.reason)
	}
}

// The library that merges patches panics on some of the others.
func TestPatchIsTheOnlyDirective(t *testing.T) {
	for _, directive := range []string{"$retainKeys: [{}]", "$retainKeys: [spec]", "$setElementOrder/a: []", "$deleteFromPrimitiveList/a: [b]", "$patches: delete"} {
		t.Run(directive, func(t *testing.T) {
			var fields []string
			require.NotPanics(t, func() { fields = problemsOf(t, "{service: {"+directive+"}}") })
			require.Len(t, fields, 1)
			assert.Contains(t, fields[0], strings.TrimSuffix(strings.Fields(directive)[0], ":"))
		})
	}
}

func TestOverridesMustKeepTheServer(t *testing.T) {
	const pod = "spec.overrides.statefulSet.spec.template.spec"
	assert.Contains(t, problemsOf(t, inPod("containers: [{name: dragonfly, $patch: delete}]")), pod+".containers", "The container has to stay.")
}

// What the API server refuses, or what does not start, is left to it: a patch is taken as it is written, unless the
// contract of an instance rests on what it changes.
func TestOverridesThatAreLeftToTheCluster(t *testing.T) {
	for _, tc := range []struct{ reason, overrides string }{
		{"A probe has one kind.", inContainer("readinessProbe: {tcpSocket: {port: 6379}}")},
		{"A volume has one kind.", inPod("volumes: [{name: tmp, hostPath: {path: /tmp}}]")},
		{"A mount needs its volume.", inPod("volumes: [{name: tmp, $patch: delete}]")},
		{"An init container's mount needs its volume.", inPod("initContainers: [{name: a, image: b, volumeMounts: [{name: x, mountPath: /x}]}]")},
	} {
		assert.Empty(t, problemsOf(t, tc.overrides), tc.reason)
	}
}

func TestOverridesThatAreTaken(t *testing.T) {
	for _, tc := range []struct{ reason, overrides string }{
		{"None at all.", "{}"},
		{"A pause.", "{statefulSet: {spec: {replicas: 0}}}"},
		{"Labels and annotations of the platform's own.", "{statefulSet: {metadata: {labels: {app.kubernetes.io/version: a}, annotations: {example.com/a: b}}, spec: {template: {metadata: {labels: {tier: data}, annotations: {a: b}}}}}}"},
		{"A prefix with which no flag begins.", inContainer("envFrom: [{prefix: MY_, secretRef: {name: a}}]")},
		{"Variables that are no flags.", inContainer("env: [{name: TZ, value: UTC}]")},
		{"An init container of the platform's own.", inPod("initContainers: [{name: a, image: b, volumeMounts: [{name: tmp, mountPath: /x}]}]")},
		{"A sidecar with what it likes.", inPod("containers: [{name: exporter, image: a, command: [a], args: [b], env: [{name: DFLY_a, value: b}]}]")},
		{"Another probe, with ours taken away.", inContainer("readinessProbe: {httpGet: null, tcpSocket: {port: 6379}}")},
		{"Another kind of volume, with ours taken away.", inPod("volumes: [{name: tmp, emptyDir: null, hostPath: {path: /tmp}}]")},
		{"User ids that the platform assigns.", inPod("securityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}")},
		{"Another way to mount the volume.", "{statefulSet: {spec: {volumeClaimTemplates: [{metadata: {name: dragonfly-data}, spec: {accessModes: [ReadWriteOncePod]}}]}}}"},
		{"A volume of the platform's own.", "{statefulSet: {spec: {volumeClaimTemplates: [{metadata: {name: extra}, spec: {accessModes: [ReadWriteOnce]}}], template: {spec: {containers: [{name: dragonfly, volumeMounts: [{name: extra, mountPath: /extra}]}]}}}}}"},
		{"A Service for more than the cluster.", "{service: {metadata: {annotations: {lb: internal}}, spec: {type: LoadBalancer, loadBalancerClass: a}}}"},
	} {
		assert.Empty(t, problemsOf(t, tc.overrides), tc.reason)
	}
}
