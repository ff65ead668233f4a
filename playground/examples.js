// What the page offers to start from. Each has to be accepted by the generator; the browser test tries them all.

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

// Nobody keeps a preview, so its password may be a new one each time.
const password = `  password:
    source: Random # for previews
`;

export const examples = [
  {
    id: 'cache',
    title: 'A cache',
    claim: claim('my-cache'),
    configuration: configuration(password),
  },
  {
    id: 'sizes',
    title: 'Sizes of your own',
    claim: claim('session-store', 'xlarge'),
    configuration: configuration(`${password}  storageClassName: standard
  storage:
    maxGB: 500
  # One more than the four that there are.
  sizes:
    xlarge:
      requests: {cpu: "2", memory: 4Gi}
      limits: {cpu: "8", memory: 16Gi}
  nodeSelector:
    node-role.example.com/databases: "true"
`),
  },
  {
    id: 'tls',
    title: 'TLS',
    claim: claim('my-cache'),
    configuration: configuration(`${password}  args:
  - --tls=true
  - --tls_cert_file=/etc/dragonfly/tls/tls.crt
  - --tls_key_file=/etc/dragonfly/tls/tls.key
  connectionSecret:
    extraKeys:
      uri: "rediss://:{passwordEncoded}@{endpoint}:{port}/0"
  overrides:
    statefulSet:
      spec:
        template:
          spec:
            containers:
            - name: dragonfly
              volumeMounts:
              - name: tls
                mountPath: /etc/dragonfly/tls
                readOnly: true
              readinessProbe:
                httpGet:
                  scheme: HTTPS
            volumes:
            - name: tls
              secret:
                secretName: dragonfly-tls
                defaultMode: 0440
`),
  },
  {
    id: 'operator',
    title: 'Dragonfly Operator, two replicas',
    claim: claim('orders', 'medium'),
    configuration: configuration(`${password}  # More than one pod, and failover, by the Dragonfly Operator.
  backend: Operator
  replicas: 2
`),
  },
];
