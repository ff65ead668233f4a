// The examples on the page. The generator must accept each of them; the browser test tries them all.

const claim = (name, size = 'small', annotations = '') => `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  name: ${name}
  namespace: my-namespace
${annotations}spec:
  size: ${size}
  storageGB: 10
`;

const configuration = (spec) => `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyGenerator
metadata:
  name: platform
spec:
${spec}`;

export const examples = [
  {
    id: 'cache',
    title: 'A cache',
    claim: claim('my-cache'),
    configuration: '',
  },
  {
    id: 'profile',
    title: 'A platform profile',
    claim: claim('sessions', 'medium', `  annotations:
    database.bizmatters.io/profile: cache
`),
    configuration: configuration(`  storageClassName: standard
  # A claim selects one with its annotation.
  profiles:
    cache: # nothing outlives the pod
      storage: {type: None}
      args: ["--cache_mode=true"]
    durable:
      storageClassName: fast-replicated
      snapshotCron: "*/10 * * * *"
`),
  },
  {
    id: 'tls',
    title: 'TLS with cert-manager',
    claim: claim('my-cache'),
    configuration: configuration(`  tls:
    secretName: "{name}-tls"
    issuerRef: {kind: ClusterIssuer, name: internal}
  connectionSecret:
    extraKeys:
      uri: "{scheme}://:{passwordEncoded}@{endpoint}:{port}/0"
`),
  },
  {
    id: 'operator',
    title: 'Dragonfly Operator, two replicas',
    claim: claim('orders', 'medium'),
    configuration: configuration(`  # More than one pod, and failover, with the Dragonfly Operator.
  backend: Operator
  replicas: 2
`),
  },
];
