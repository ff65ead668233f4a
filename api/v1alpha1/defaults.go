package v1alpha1

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// orDefault sets a field that is not set.
func orDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

// Default fills in fields that are not set. Afterward, only fields without a default may be nil: MaxGB, Bucket, TLS, the name
// of the ServiceAccount, the limits of a size, and the password's resources, which ContainerResources fills in.
func (s *ProfileSpec) Default() {
	// Pinned, so that a change in the registry does not change what runs.
	orDefault(&s.Image, "docker.dragonflydb.io/dragonflydb/dragonfly:v1.40.1")
	orDefault(&s.ImagePullPolicy, corev1.PullIfNotPresent)
	orDefault(&s.ClusterDomain, "cluster.local")
	orDefault(&s.StorageClassName, "local-path")
	orDefault(&s.SnapshotCron, "*/30 * * * *")
	orDefault(&s.DefaultSize, "small")
	s.defaultSizes()
	orDefault(&s.Storage.Type, OnVolume)
	orDefault(&s.Storage.MinGB, 1)
	orDefault(&s.Storage.DefaultGB, 10)
	s.Password.setDefaults()
	orDefault(&s.ConnectionSecret.Type, string(corev1.SecretTypeOpaque))
	if s.TLS != nil {
		s.TLS.setDefaults()
	}
	if s.NodeSelector == nil {
		s.NodeSelector = map[string]string{"workload-type": "stateful"}
	}
	orDefault(&s.Backend, StatefulSet)
	orDefault(&s.Replicas, 1)
}

// DefaultPrepareImage is this program's own image.
const DefaultPrepareImage = "ghcr.io/bizmatters/dragonfly-generator:v0.1.0"

func (p *Password) setDefaults() {
	orDefault(&p.Source, InCluster)
	orDefault(&p.Image, DefaultPrepareImage)
}

// ContainerResources returns the resources of the containers that run this program. The init container prepare runs for about
// 50 ms and uses 10 MiB; a pod's request is the larger of the requests of its init containers and of its other containers, so
// it costs nothing even with the smallest size. The requests of the sidecar for certificates are added to the pod's. Because
// requests equal limits, the pod is Guaranteed if the size's requests equal its limits.
func (p *Password) ContainerResources() (requests, limits Resources) {
	requests, limits = p.Resources.Requests, p.Resources.Limits
	for _, r := range []struct {
		request, limit **resource.Quantity
		value          string
	}{
		{&requests.CPU, &limits.CPU, "100m"},
		{&requests.Memory, &limits.Memory, "64Mi"},
	} {
		if *r.limit == nil {
			orDefault(r.request, resource.MustParse(r.value))
		}
		*r.request = cmp.Or(*r.request, *r.limit)
		*r.limit = cmp.Or(*r.limit, *r.request)
	}
	return requests, limits
}

func (t *TLS) setDefaults() {
	orDefault(&t.Reload, true)
	if t.IssuerRef != nil {
		orDefault(&t.SecretName, "{name}-tls")
		orDefault(&t.IssuerRef.Group, "cert-manager.io")
		orDefault(&t.IssuerRef.Kind, "Issuer")
	}
}

// ownSizes are the sizes that every platform has: the sizes of the Crossplane composition that this program replaces, and
// micro.
func ownSizes() map[string]Size {
	size := func(memoryRequest, memoryLimit, cpuRequest, cpuLimit string) Size {
		amount := func(text string) *resource.Quantity { return new(resource.MustParse(text)) }
		return Size{
			Requests: Resources{CPU: amount(cpuRequest), Memory: amount(memoryRequest)},
			Limits:   Resources{CPU: amount(cpuLimit), Memory: amount(memoryLimit)},
		}
	}
	return map[string]Size{
		"micro":  size("256Mi", "1Gi", "100m", "500m"),
		"small":  size("512Mi", "2Gi", "250m", "1000m"),
		"medium": size("1Gi", "4Gi", "500m", "2000m"),
		"large":  size("2Gi", "8Gi", "1000m", "4000m"),
	}
}

// defaultSizes completes the sizes: values of our sizes that are not set keep their defaults, and the requests of a new size
// default to its limits.
func (s *ProfileSpec) defaultSizes() {
	sizes := ownSizes()
	for name, given := range s.Sizes {
		base, isOurs := sizes[name]
		if !isOurs {
			base = Size{Requests: given.Limits}
		}
		if given.Threads != nil { // then there is a CPU limit only if it is set
			base.Limits.CPU = nil
		}
		given.Requests.CPU = cmp.Or(given.Requests.CPU, base.Requests.CPU)
		given.Requests.Memory = cmp.Or(given.Requests.Memory, base.Requests.Memory)
		given.Limits.CPU = cmp.Or(given.Limits.CPU, base.Limits.CPU)
		given.Limits.Memory = cmp.Or(given.Limits.Memory, base.Limits.Memory)
		sizes[name] = given
	}
	s.Sizes = sizes
}

// Default fills in fields that a claim does not set.
func (s *DragonflyInstanceSpec) Default(platform *ProfileSpec) {
	orDefault(&s.Size, *platform.DefaultSize)
	orDefault(&s.StorageGB, *platform.Storage.DefaultGB)
}

// SizeNames returns the names of the sizes, from the smallest memory limit to the largest.
func (s *ProfileSpec) SizeNames() []string {
	return slices.SortedFunc(maps.Keys(s.Sizes), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Sizes[a].MemoryLimit(), s.Sizes[b].MemoryLimit()), cmp.Compare(a, b))
	})
}
