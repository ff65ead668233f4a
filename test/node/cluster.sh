#!/usr/bin/env bash
# A Kubernetes cluster with one real node on this machine, so that pods really start.
#
#   cluster.sh run COMMAND…                 start it, run the command with KUBECONFIG set, and stop it
#   cluster.sh up                           start it, replacing one that is up, and wait until the node is Ready
#   cluster.sh down                         stop it and remove everything it made
#   cluster.sh reboot                       kill everything on the node, clear its memory, start it again
#   cluster.sh image NAME FOLDER [CONFIG]   load an image whose root is the folder; CONFIG is the OCI image
#                                           config: {"Entrypoint": ["/x"], "User": "1000", …}
#   cluster.sh inside COMMAND…              run a command in the node's namespaces (crictl, ctr, iptables)
#
# It needs root, Debian, and the programs that `make node-test` builds. There is no image registry, no
# Docker, no systemd and no KVM; the container runtime is Debian's containerd with runc, which are installed
# if they are missing.
#
# Everything runs in its own network, mount and PID namespaces. The cluster cannot reach anything outside the machine,
# because it has no default route; its firewall rules and mounts are not the machine's. Killing one process, the init of
# the PID namespace, ends all of it, pods included. `down` undoes what the kubelet changes for the whole machine: a few
# sysctls and the cgroup of the pods.
#
# The IPs of pods and Services are reachable from the machine, which gets routes to them.
set -euo pipefail

NODE_DIR=${NODE_DIR:-${TMPDIR:-/tmp}/dragonfly-generator-node}  # the cluster's files; not below /run or /var
NODE_NET=${NODE_NET:-10.77}                                     # the first half of a /16 that is unused on this machine
NODE_LABELS=${NODE_LABELS:-workload-type=stateful}
NODE_SNAPSHOTTER=${NODE_SNAPSHOTTER:-overlayfs}                 # `native` if / is itself an overlay

# The folder of kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy, kubectl, etcd,
# coredns and pause.
NODE_PROGRAMS=${NODE_PROGRAMS:-}

# The node's side is this script again, as another process.
export NODE_DIR NODE_NET NODE_LABELS NODE_SNAPSHOTTER NODE_PROGRAMS
script=$(readlink -f "${BASH_SOURCE[0]}")
readonly script
readonly machine=$NODE_NET.0.1 node=$NODE_NET.0.2 pods=$NODE_NET.1.0/24 services=$NODE_NET.2.0/24
readonly server=https://$node:6443 link=node-${NODE_NET//./-}
# The parent of the pods' cgroups. A kubelet kills anything under its own that it does not know, so clusters must not
# share one.
if [ -d /sys/fs/cgroup/memory ]; then cgroup=/$link; else cgroup=/; fi # with cgroup v2, they do
readonly cgroup
# The kubelet reaches the API server at its own address, so that a test can stall its connection alone.
readonly kubelet_server=https://127.0.0.2:6443

say() { printf '%s node: %s\n' "$(date +%T)" "$*" >&2; }
die() { say "$*"; exit 1; }

# --- the machine's side ----------------------------------------------------------------------------------

up() {
  [ "$(id -u)" = 0 ] || die "starting a node needs root"
  requirements
  down
  ! ip link show "$link" >/dev/null 2>&1 || die "$NODE_NET belongs to another cluster; set NODE_NET to another network"
  mkdir -p "$NODE_DIR"/{certs,log,run,lib,etc/cni,pause}
  cd "$NODE_DIR"
  credentials
  configuration
  sysctl "${sysctls[@]}" >sysctls
  boot
  cp "$NODE_PROGRAMS/pause" pause/
  wait_for 60 "containerd" image localhost/pause:1 pause '{"Entrypoint":["/pause"]}'
  wait_for 120 "the node" kubectl wait --for condition=Ready node/node --timeout 1s
  wait_for 60 "the service account of namespace default" kubectl get serviceaccount default
  say "up; export KUBECONFIG=$NODE_DIR/kubeconfig"
}

down() {
  shutdown
  if [ -f "$NODE_DIR/sysctls" ]; then sysctl -q -p "$NODE_DIR/sysctls" || true; fi
  rm -rf --one-file-system "$NODE_DIR"
}

# The disk keeps what it had: etcd's data, volumes, images. Processes, mounts, /run and the contents of emptyDir volumes
# in memory are gone, without a clean shutdown.
reboot() {
  init_pid >/dev/null || die "not up"
  cd "$NODE_DIR"
  shutdown
  rm -rf run && mkdir run
  boot
  say "rebooted"
}

run() {
  local from=$PWD
  trap down EXIT
  up
  cd "$from"
  KUBECONFIG=$NODE_DIR/kubeconfig PATH="$NODE_PROGRAMS:$PATH" "$@"
}

requirements() {
  local program package missing=()
  for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl etcd coredns pause; do
    [ -x "$NODE_PROGRAMS/$program" ] || die "NODE_PROGRAMS=$NODE_PROGRAMS has no $program; run make node-test"
  done
  # The quickstart test builds its Redis image from the last two.
  for package in containerd runc containernetworking-plugins iptables iproute2 openssl procps curl busybox-static redis-tools; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

credentials() {
  local admin kubelet
  admin=$(openssl rand -hex 16) kubelet=$(openssl rand -hex 16)
  printf '%s,admin,admin,system:masters\n%s,system:node:node,node,system:nodes\n' "$admin" "$kubelet" >tokens.csv
  kubeconfig "$server" "$admin" >kubeconfig
  kubeconfig "$kubelet_server" "$kubelet" >kubelet.kubeconfig
  chmod 600 tokens.csv ./*kubeconfig
  openssl genrsa -out certs/service-accounts.key 2048 2>/dev/null
}

kubeconfig() { # SERVER TOKEN
  cat <<YAML
apiVersion: v1
kind: Config
current-context: node
clusters:
- {name: node, cluster: {server: "$1", tls-server-name: kubernetes, certificate-authority: $NODE_DIR/certs/apiserver.crt}}
contexts:
- {name: node, context: {cluster: node, user: user}}
users:
- {name: user, user: {token: $2}}
YAML
}

# The sysctls that the kubelet sets for the whole machine.
sysctls=(vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

configuration() {
  cat >etc/containerd.toml <<TOML
version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true # lowering it takes CAP_SYS_RESOURCE, which root in a CI job may lack
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$NODE_SNAPSHOTTER"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$NODE_DIR/etc/cni"
TOML
  # A pair of interfaces for each pod and routes between them: unlike with a bridge, whatever pods send each
  # other passes the node's firewall, so Services work without the kernel module br_netfilter.
  cat >etc/cni/10-node.conflist <<JSON
{
  "cniVersion": "0.4.0",
  "name": "node",
  "plugins": [{
    "type": "ptp",
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods"}]], "routes": [{"dst": "0.0.0.0/0"}]}
  }]
}
JSON
  cat >etc/kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow} # only this machine reaches it
cgroupDriver: cgroupfs
cgroupRoot: $cgroup
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDomain: cluster.local
clusterDNS: ["$node"]
resolvConf: ""
# A full disk or a busy machine is the job's problem, not the pods'.
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100 # no registry has the images
imageMinimumGCAge: 24h
YAML
  cat >etc/Corefile <<COREFILE
.:53 {
  bind $node
  errors
  kubernetes cluster.local {
    kubeconfig $NODE_DIR/kubeconfig
  }
}
COREFILE
}

# boot starts the node's init and waits for the API server and the kubelet.
boot() {
  local controller
  [ "$cgroup" = / ] || for controller in /sys/fs/cgroup/*/; do mkdir -p "$controller$cgroup"; done
  NODE_INIT=$NODE_DIR setsid unshare --mount --net --pid --fork --kill-child --mount-proc \
    "$script" init >>log/init.log 2>&1 </dev/null &
  local outer=$! pid
  until pgrep -P $outer >pid; do kill -0 $outer 2>/dev/null || { cat log/init.log; die "no namespaces"; }; sleep 0.05; done
  pid=$(cat pid)
  ip link add "$link" type veth peer name eth0 netns "$pid"
  ip address add "$machine/30" dev "$link"
  ip link set "$link" up
  ip route add "$pods" via "$node"
  ip route add "$services" via "$node"
  wait_for 120 "kube-apiserver" kubectl get --raw /readyz
  wait_for 60 "the kubelet" inside curl -sf http://127.0.0.1:10248/healthz
}

shutdown() {
  local pid controller folder
  if pid=$(init_pid); then
    kill -KILL "$pid"
    for _ in $(seq 100); do [ -e "/proc/$pid" ] || break; sleep 0.1; done
    ip link delete "$link" 2>/dev/null || true # unless the kernel already has, with the network namespace
  fi
  # The pods' cgroups stay behind, empty, and the next kubelet would take seconds for each. With cgroup v1 there is
  # one tree for each controller.
  folder=${cgroup#/}
  for controller in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -d "$controller/${folder:=kubepods}" ] || continue
    find "$controller/$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

# init_pid prints the PID of the node's init, as the machine sees it, if it is running.
init_pid() {
  local pid
  pid=$(cat "$NODE_DIR/pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "NODE_INIT=$NODE_DIR" && echo "$pid"
}

inside() {
  local pid
  pid=$(init_pid) || die "not up"
  nsenter --target "$pid" --mount --net --pid -- env PATH="$NODE_PROGRAMS:$PATH" "$@"
}

kubectl() { "$NODE_PROGRAMS/kubectl" --kubeconfig "$NODE_DIR/kubeconfig" "$@"; }

wait_for() { # SECONDS WHAT COMMAND…
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    init_pid >/dev/null || { tail -n 20 "$NODE_DIR/log/init.log" >&2; die "the node ended"; }
    [ $SECONDS -lt $end ] || { tail -n 5 "$NODE_DIR"/log/*.log >&2; die "$what did not answer in time; see $NODE_DIR/log"; }
    sleep 0.2
  done
}

image() { # NAME FOLDER [CONFIG]
  local name=$1 folder=$2 config=${3:-} work layer code=0
  work=$(mktemp -d)
  tar -C "$folder" --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 -cf "$work/layer.tar" .
  layer=$(sha256sum <"$work/layer.tar")
  printf '{"architecture":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(dpkg --print-architecture)" "${config:-{\}}" "${layer%% *}" >"$work/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$name" >"$work/manifest.json"
  tar -C "$work" -c manifest.json config.json layer.tar |
    inside ctr --namespace k8s.io images import --snapshotter "$NODE_SNAPSHOTTER" - >/dev/null || code=$?
  rm -rf "$work"
  return $code
}

# --- the node's side -------------------------------------------------------------------------------------

# The init of the PID namespace: everything below is its child, and ends with it.
init() {
  cd "$NODE_DIR"
  export PATH="$NODE_PROGRAMS:$PATH"
  # The usual paths, but this node's own folders. The binds stay in this mount namespace.
  mount --bind run /run
  mount --bind lib /var/lib
  mount --bind log /var/log
  mkdir -p /run/lock /var/lib/kubelet
  mount --bind /var/lib/kubelet /var/lib/kubelet
  mount --make-rshared /
  ip link set lo up
  until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
  ip address add "$node/30" dev eth0
  ip link set eth0 up
  # Without a route, a Service without endpoints would be "unreachable" instead of "refused".
  ip route add "$services" dev eth0
  sysctl -q -w net.ipv4.ip_forward=1

  start etcd --data-dir /var/lib/etcd --unsafe-no-fsync
  start containerd --config etc/containerd.toml
  start kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=0.0.0.0 --advertise-address="$node" --secure-port=6443 --cert-dir=certs \
    --token-auth-file=tokens.csv --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --service-cluster-ip-range="$services" --allow-privileged --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file=certs/service-accounts.key --service-account-signing-key-file=certs/service-accounts.key
  until kubectl get --raw /readyz >/dev/null 2>&1; do sleep 0.2; done
  start kube-controller-manager --kubeconfig=kubeconfig --leader-elect=false --secure-port=0 \
    --use-service-account-credentials --root-ca-file=certs/apiserver.crt \
    --service-account-private-key-file=certs/service-accounts.key
  start kube-scheduler --kubeconfig=kubeconfig --leader-elect=false --secure-port=0
  start kubelet --kubeconfig=kubelet.kubeconfig --config=etc/kubelet.yaml --hostname-override=node \
    --node-ip="$node" --node-labels="$NODE_LABELS"
  start kube-proxy --kubeconfig kubeconfig --hostname-override=node --proxy-mode=iptables --cluster-cidr="$pods" \
    --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
  start coredns -conf etc/Corefile
  # An init must reap every orphan, and must report any component that ends, so it waits for each process, not for all.
  while :; do
    local code=0 ended=
    wait -n -p ended || code=$?
    [ -n "$ended" ] || { sleep 1; continue; }
    say "$(cat "run/$ended.name" 2>/dev/null || echo "process $ended") ended with $code"
  done
}

start() { # PROGRAM ARGUMENT…
  "$@" >>"log/$1.log" 2>&1 </dev/null &
  echo "$1" >"run/$!.name"
}

case ${1:-} in
  up | down | reboot | init) "$1" ;;
  run | image | inside) "$@" ;;
  *) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
