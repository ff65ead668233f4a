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
		"{namespace}", instance.Metadata.Namespace, "{name}", instance.Metadata.Name, "{annotations}", note, "{args}", args,
		"{keep-image}", platform.Spec.Password.Image, "{server-image}", platform.Spec.Image,
	).Replace(asTheContractDescribes)
}

const asTheContractDescribes = `
apiVersion: v1
kind: Secret
metadata: {name: {name}-password, namespace: {namespace}}
type: Opaque
---
apiVersion: v1
kind: Secret
metadata: {name: {name}-conn, namespace: {namespace}}
type: Opaque
stringData: {endpoint: {name}.{namespace}.svc.cluster.local, port: "6379"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: {name}, namespace: {namespace}}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: {name}, namespace: {namespace}}
rules:
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{name}-password, {name}-conn]
  verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: {name}, namespace: {namespace}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {name}}
subjects:
- {kind: ServiceAccount, name: {name}, namespace: {namespace}}
---
apiVersion: v1
kind: Service
metadata: {name: {name}, namespace: {namespace}}
spec:
  selector: {app: {name}, app.kubernetes.io/name: dragonfly}
  ports:
  - {name: dragonfly, port: 6379, targetPort: 6379}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {name}, namespace: {namespace}}
spec:
  serviceName: {name}
  replicas: 1
  selector: {matchLabels: {app: {name}}}
  template:
    metadata:
      labels: {app: {name}, app.kubernetes.io/name: dragonfly}
      annotations: {annotations}
    spec:
      serviceAccountName: {name}
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
        image: {keep-image}
        imagePullPolicy: Never
        args: [{args}]
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
        image: {server-image}
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
        secret: {secretName: {name}-password, optional: true}
      - name: connection
        secret: {secretName: {name}-conn, optional: true}
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
