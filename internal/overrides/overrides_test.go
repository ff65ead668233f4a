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
		{"A name meant for one instance would be on every instance.", "{service: {metadata: {name: my-cache}}}", service + ".metadata.name"},
		{"A mark meant for one instance would be on every instance.", "{statefulSet: {metadata: {annotations: {database.bizmatters.io/generated-from: my-namespace/my-cache}}}}", set + ".metadata.annotations"},
		{"A rotation belongs in the claim.", `{statefulSet: {spec: {template: {metadata: {annotations: {database.bizmatters.io/password-rotation: "1"}}}}}}`, set + ".spec.template.metadata.annotations"},
		{"Kustomize would silently drop the object.", `{statefulSet: {metadata: {annotations: {config.kubernetes.io/local-config: "true"}}}}`, set + ".metadata.annotations"},
		{"kpt would write the object elsewhere.", "{service: {metadata: {annotations: {internal.config.kubernetes.io/path: ../x.yaml}}}}", service + ".metadata.annotations"},
		{"A patch cannot turn it into another object.", "{statefulSet: {kind: Deployment}}", set + ".kind"},
		{"A directive is a word.", "{service: {metadata: {labels: {$patch: []}}}}", service + ".metadata.labels[$patch]"},
		{"A Service stays one.", "{service: {apiVersion: v2}}", service + ".kind"},
		{"The namespace comes from the claim.", "{statefulSet: {metadata: {namespace: my-namespace}}}", set + ".metadata.namespace"},
		{"Pausing the instance, or deleting the StatefulSet, would delete the volume.", "{statefulSet: {spec: {persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}}}}", set + ".spec.persistentVolumeClaimRetentionPolicy"},
		{"A patch changes an object; it cannot delete it.", "{statefulSet: {$patch: delete}}", set + "[$patch]"},
		{"Our labels are needed to find what is ours.", "{statefulSet: {metadata: {labels: {app: my-cache}}}}", set + ".metadata.labels"},
		{"They are on the Service, too.", "{service: {metadata: {labels: {app.kubernetes.io/managed-by: a}}}}", service + ".metadata.labels"},
		{"They select the pods.", "{statefulSet: {spec: {template: {metadata: {labels: {app: null}}}}}}", set + ".spec.template.metadata.labels"},
		{"The governing Service is fixed.", "{statefulSet: {spec: {serviceName: my-cache}}}", set + ".spec.serviceName"},
		{"One instance's Service would be every instance's.", "{service: {spec: {selector: {app: my-cache}}}}", service + ".spec.selector"},
		{"One instance's selector would be every instance's.", "{statefulSet: {spec: {selector: {matchLabels: {app: my-cache}}}}}", set + ".spec.selector"},
		{"Two pods would be two stores.", "{statefulSet: {spec: {replicas: 2}}}", set + ".spec.replicas"},
		{"A pod with another number has another volume.", "{statefulSet: {spec: {ordinals: {start: 3}}}}", set + ".spec.ordinals"},
		{"There cannot be fewer than zero pods.", "{statefulSet: {spec: {replicas: -1}}}", set + ".spec.replicas"},
		{"A null removes a selector too.", "{statefulSet: {spec: {selector: null}}}", set + ".spec.selector"},

		{"The size sets the memory, whatever the size.", inContainer("resources: {limits: {memory: 2Gi}}"), container + ".resources"},
		{"Flags for one size would apply to every size.", inContainer(`args: [--dir=/data, --dbfilename=dump, "--snapshot_cron=*/30 * * * *", --maxmemory=1717986918, --proactor_threads=1, --version_check=false]`), container + ".args"},
		{"The image's version is checked.", inContainer("image: a"), container + ".image"},
		{"A command would bypass the flags.", inContainer("command: [dragonfly]"), container + ".command"},
		{"One instance's password would be every instance's.", inContainer("env: [{name: DFLY_requirepass, valueFrom: {secretKeyRef: {name: my-cache-password, key: password}}}]"), container + ".env"},
		{"A variable acts as a flag.", inContainer(`env: [{name: DFLY_port, value: "1"}]`), container + ".env"},
		{"Anything in the Secret could act as a flag.", inContainer("envFrom: [{secretRef: {name: a}}]"), container + ".envFrom"},
		{"With this prefix too.", inContainer("envFrom: [{prefix: DFL, secretRef: {name: a}}]"), container + ".envFrom"},
		{"The Service's port speaks TCP.", inContainer("ports: [{containerPort: 6379, protocol: UDP}]"), container + ".ports"},
		{"Two ports cannot have one name.", inContainer("ports: [{containerPort: 6380, name: dragonfly}]"), container + ".ports"},
		{"The data would be lost with the pod.", inContainer("volumeMounts: [{mountPath: /data, $patch: delete}]"), container + ".volumeMounts"},
		{"Another volume would hide the data volume.", "{statefulSet: {spec: {template: {spec: {volumes: [{name: x, emptyDir: {}}], containers: [{name: dragonfly, volumeMounts: [{name: x, mountPath: /data/}]}]}}}}}", container + ".volumeMounts"},
		{"A part of the volume would hide the rest.", inContainer("volumeMounts: [{mountPath: /data, subPath: a}]"), container + ".volumeMounts"},
		{"A Service called dfly-… would kill the pod.", inPod("enableServiceLinks: true"), pod + ".enableServiceLinks"},

		{"The claim sets the size of the volume.", "{statefulSet: {spec: {volumeClaimTemplates: [{metadata: {name: dragonfly-data}, spec: {resources: {requests: {storage: 10Gi}}}}]}}}", set + ".spec.volumeClaimTemplates"},
		{"The claim template must stay.", "{statefulSet: {spec: {volumeClaimTemplates: null}}}", set + ".spec.volumeClaimTemplates"},
		{"A claim template needs a name.", "{statefulSet: {spec: {volumeClaimTemplates: [{spec: {accessModes: [ReadWriteMany]}}]}}}", set + ".spec.volumeClaimTemplates"},

		{"The endpoint has this port.", "{service: {spec: {ports: [{port: 6379, protocol: UDP}]}}}", service + ".spec.ports"},
		{"The endpoint must lead to Dragonfly.", "{service: {spec: {ports: [{port: 6379, targetPort: 1}]}}}", service + ".spec.ports"},
		{"A headless Service has no address.", "{service: {spec: {clusterIP: None}}}", service + ".spec.clusterIP"},
		{"The endpoint is the Service's own name.", "{service: {spec: {type: ExternalName}}}", service + ".spec.type"},

		{"The init container that makes the password must stay.", inPod("initContainers: [{name: prepare, $patch: delete}]"), pod + ".initContainers[prepare]"},
		{"Another image would see the token.", inPod("initContainers: [{name: prepare, image: a}]"), pod + ".initContainers[prepare]"},
		{"The token is for nothing else.", inPod("volumes: [{name: password-token, $patch: delete}]"), pod + ".volumes"},
		{"The Secrets must not be hidden from it.", inPod("volumes: [{name: password-secret, secret: {secretName: a}}]"), pod + ".volumes"},
		{"The password must not be hidden from the server.", inContainer("volumeMounts: [{mountPath: /run/dragonfly/flags, $patch: delete}]"), container + ".volumeMounts"},
		{"Nor replaced with another one.", "{statefulSet: {spec: {template: {spec: {volumes: [{name: x, emptyDir: {}}], containers: [{name: dragonfly, volumeMounts: [{name: x, mountPath: /run/dragonfly/flags}]}]}}}}}", container + ".volumeMounts"},
		{"The sidecar that renews the certificate knows the password.", inPod("initContainers: [{name: keep-certificate, image: a}]") + ", tls: {secretName: a}", pod + ".initContainers[keep-certificate]"},
		{"Nothing else may have its name, even without TLS.", inPod("initContainers: [{name: keep-certificate, image: a}]"), pod + ".initContainers[keep-certificate]"},
		{"Nor may it run something else, even without TLS.", inPod("initContainers: [{name: keep-certificate, command: [sh], securityContext: {privileged: true}}]"), pod + ".initContainers[keep-certificate]"},
		{"Without its image, it would be gone.", inPod("initContainers: [{name: prepare, image: null}]"), pod + ".initContainers[prepare]"},
		{"The account is set by the password source.", inPod("serviceAccountName: a"), pod + ".serviceAccountName"},
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
	assert.Contains(t, problemsOf(t, inPod("containers: [{name: dragonfly, $patch: delete}]")), pod+".containers", "The container must stay.")
}

// Patches that the API server refuses, or pods that do not start, are not our concern: a patch is applied as written,
// unless it changes something that the contract of an instance rests on.
func TestOverridesThatAreLeftToTheCluster(t *testing.T) {
	for _, tc := range []struct{ reason, overrides string }{
		{"A probe must have one type.", inContainer("readinessProbe: {tcpSocket: {port: 6379}}")},
		{"A volume must have one type.", inPod("volumes: [{name: tmp, hostPath: {path: /tmp}}]")},
		{"A mount needs its volume.", inPod("volumes: [{name: tmp, $patch: delete}]")},
		{"An init container's mount needs its volume.", inPod("initContainers: [{name: a, image: b, volumeMounts: [{name: x, mountPath: /x}]}]")},
	} {
		assert.Empty(t, problemsOf(t, tc.overrides), tc.reason)
	}
}

func TestOverridesThatAreTaken(t *testing.T) {
	for _, tc := range []struct{ reason, overrides string }{
		{"No patch at all.", "{}"},
		{"A pause.", "{statefulSet: {spec: {replicas: 0}}}"},
		{"Labels and annotations of the platform's own.", "{statefulSet: {metadata: {labels: {app.kubernetes.io/version: a}, annotations: {example.com/a: b}}, spec: {template: {metadata: {labels: {tier: data}, annotations: {a: b}}}}}}"},
		{"A prefix with which no flag starts.", inContainer("envFrom: [{prefix: MY_, secretRef: {name: a}}]")},
		{"Variables that are not flags.", inContainer("env: [{name: TZ, value: UTC}]")},
		{"An init container of the platform's own.", inPod("initContainers: [{name: a, image: b, volumeMounts: [{name: tmp, mountPath: /x}]}]")},
		{"Resources of our init container.", inPod("initContainers: [{name: prepare, resources: {limits: {cpu: 200m}}}]")},
		{"And of the sidecar, even in a pod without one.", inPod("initContainers: [{name: keep-certificate, resources: {requests: {cpu: 1m}}}]")},
		{"A sidecar with anything it likes.", inPod("containers: [{name: exporter, image: a, command: [a], args: [b], env: [{name: DFLY_a, value: b}]}]")},
		{"Another probe instead of ours.", inContainer("readinessProbe: {httpGet: null, tcpSocket: {port: 6379}}")},
		{"Another type of volume instead of ours.", inPod("volumes: [{name: tmp, emptyDir: null, hostPath: {path: /tmp}}]")},
		{"User IDs that the platform assigns.", inPod("securityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}")},
		{"Another way to mount the volume.", "{statefulSet: {spec: {volumeClaimTemplates: [{metadata: {name: dragonfly-data}, spec: {accessModes: [ReadWriteOncePod]}}]}}}"},
		{"A volume of the platform's own.", "{statefulSet: {spec: {volumeClaimTemplates: [{metadata: {name: extra}, spec: {accessModes: [ReadWriteOnce]}}], template: {spec: {containers: [{name: dragonfly, volumeMounts: [{name: extra, mountPath: /extra}]}]}}}}}"},
		{"A Service that is reachable from outside the cluster.", "{service: {metadata: {annotations: {lb: internal}}, spec: {type: LoadBalancer, loadBalancerClass: a}}}"},
	} {
		assert.Empty(t, problemsOf(t, tc.overrides), tc.reason)
	}
}
