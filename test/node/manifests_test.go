//go:build node

package node

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// config is the configuration of every instance here: images that the node has, and never pulls.
const config = `
apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata: {name: node}
spec:
  image: localhost/dragonfly-standin:test
  imagePullPolicy: Never
  password: {source: InCluster, image: localhost/dragonfly-generator:test}
`

// claim returns the claim of instance my-cache.
func claim(namespace, rotation string) string {
	text := "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyInstance\nmetadata:\n  name: my-cache\n  namespace: " + namespace + "\n"
	if rotation != "" {
		text += "  annotations: {database.bizmatters.io/password-rotation: \"" + rotation + "\"}\n"
	}
	return text + "spec: {size: micro}\n"
}

// manifests returns what a claim becomes under a configuration.
func manifests(t *testing.T, claim, config string) string {
	t.Helper()
	var instance struct {
		Metadata struct {
			Name, Namespace string
			Annotations     map[string]string
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(claim), &instance))
	var platform struct {
		Spec struct {
			Image    string
			Password struct{ Image string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(config), &platform))
	rotation, note := instance.Metadata.Annotations["database.bizmatters.io/password-rotation"], "{}"
	args := `"keep-password", "--data=/data", "--flag-file"`
	if rotation != "" {
		note = `{database.bizmatters.io/password-rotation: "` + rotation + `"}`
		args += `, "--rotation=` + rotation + `"`
	}
	return strings.NewReplacer(
		"NAMESPACE", instance.Metadata.Namespace, "NAME", instance.Metadata.Name, "NOTE", note, "ARGS", args,
		"KEEP-IMAGE", platform.Spec.Password.Image, "SERVER-IMAGE", platform.Spec.Image,
	).Replace(asTheContractDescribes)
}

const asTheContractDescribes = `
apiVersion: v1
kind: Secret
metadata: {name: NAME-password, namespace: NAMESPACE}
type: Opaque
---
apiVersion: v1
kind: Secret
metadata: {name: NAME-conn, namespace: NAMESPACE}
type: Opaque
stringData: {endpoint: NAME.NAMESPACE.svc.cluster.local, port: "6379"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME, namespace: NAMESPACE}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: NAME, namespace: NAMESPACE}
rules:
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [NAME-password, NAME-conn]
  verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: NAME, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}
subjects:
- {kind: ServiceAccount, name: NAME, namespace: NAMESPACE}
---
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  selector: {app: NAME, app.kubernetes.io/name: dragonfly}
  ports:
  - {name: dragonfly, port: 6379, targetPort: 6379}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  serviceName: NAME
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata:
      labels: {app: NAME, app.kubernetes.io/name: dragonfly}
      annotations: NOTE
    spec:
      serviceAccountName: NAME
      automountServiceAccountToken: false
      enableServiceLinks: false
      nodeSelector: {workload-type: stateful}
      terminationGracePeriodSeconds: 600
      securityContext:
        runAsUser: 1000
        runAsGroup: 1000
        fsGroup: 2000
        runAsNonRoot: true
        seccompProfile: {type: RuntimeDefault}
      initContainers:
      - name: password
        image: KEEP-IMAGE
        imagePullPolicy: Never
        args: [ARGS]
        env:
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        securityContext: &restricted
          runAsNonRoot: true
          readOnlyRootFilesystem: true
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          seccompProfile: {type: RuntimeDefault}
        volumeMounts:
        - {name: dragonfly-data, mountPath: /data}
        - {name: flags, mountPath: /run/dragonfly/flags}
        - {name: password, mountPath: /run/dragonfly/password-secret, readOnly: true}
        - {name: connection, mountPath: /run/dragonfly/connection-secret, readOnly: true}
        - {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
      containers:
      - name: dragonfly
        image: SERVER-IMAGE
        imagePullPolicy: Never
        args: ["--dir=/data", "--dbfilename=dump", "--snapshot_cron=*/30 * * * *", "--maxmemory=751619276",
          "--proactor_threads=1", "--version_check=false", "--flagfile=/run/dragonfly/flags/flagfile"]
        ports:
        - {name: dragonfly, containerPort: 6379}
        readinessProbe: {httpGet: {path: /healthz, port: dragonfly}, periodSeconds: 2, timeoutSeconds: 5}
        livenessProbe: {tcpSocket: {port: dragonfly}, timeoutSeconds: 5, failureThreshold: 6}
        resources:
          requests: {cpu: 100m, memory: 256Mi}
          limits: {cpu: 500m, memory: 1Gi}
        securityContext: *restricted
        volumeMounts:
        - {name: dragonfly-data, mountPath: /data}
        - {name: flags, mountPath: /run/dragonfly/flags, readOnly: true}
        - {name: tmp, mountPath: /tmp}
      volumes:
      - name: tmp
        emptyDir: {}
      - name: flags
        emptyDir: {medium: Memory}
      - name: password
        secret: {secretName: NAME-password, optional: true}
      - name: connection
        secret: {secretName: NAME-conn, optional: true}
      - name: token
        projected:
          sources:
          - serviceAccountToken: {path: token, expirationSeconds: 3600}
          - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
          - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
  volumeClaimTemplates:
  - metadata: {name: dragonfly-data}
    spec:
      accessModes: [ReadWriteOnce]
      storageClassName: local-path
      resources: {requests: {storage: 10Gi}}
`
