package instance

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Size is what an instance may use.
type Size struct {
	Name     string
	Requests Resources
	Limits   Resources
}

// Resources is an amount of CPU and of memory.
type Resources struct {
	CPU    resource.Quantity
	Memory resource.Quantity
}

// MaxMemory returns Dragonfly's --maxmemory in bytes: 80% of the memory limit, rounded down. That is
// the share that Dragonfly itself takes of a cgroup when it is not told.
func (s Size) MaxMemory() int64 {
	limit := s.Limits.Memory.Value()
	return limit/5*4 + limit%5*4/5 // in this order a limit near the end of int64 does not overflow
}

// Threads returns Dragonfly's --proactor_threads: the CPU limit, rounded up.
func (s Size) Threads() int64 { return s.Limits.CPU.Value() }

// MinMemoryPerThread is the maxmemory in bytes that Dragonfly demands for each thread; it exits at
// start when it has less.
const MinMemoryPerThread = 256 << 20

// Sizes are the sizes that a claim can name, by name.
type Sizes map[string]Size

// DefaultSizes returns the sizes that every platform has. The table is the one of the Crossplane
// composition that we carry on, and micro.
func DefaultSizes() Sizes {
	size := func(name, memoryRequest, memoryLimit, cpuRequest, cpuLimit string) Size {
		return Size{
			Name:     name,
			Requests: Resources{CPU: resource.MustParse(cpuRequest), Memory: resource.MustParse(memoryRequest)},
			Limits:   Resources{CPU: resource.MustParse(cpuLimit), Memory: resource.MustParse(memoryLimit)},
		}
	}
	return Sizes{
		"micro":  size("micro", "256Mi", "1Gi", "100m", "500m"),
		"small":  size("small", "512Mi", "2Gi", "250m", "1000m"),
		"medium": size("medium", "1Gi", "4Gi", "500m", "2000m"),
		"large":  size("large", "2Gi", "8Gi", "1000m", "4000m"),
	}
}

// Names returns the names from the smallest memory limit to the largest.
func (s Sizes) Names() []string {
	return slices.SortedFunc(maps.Keys(s), func(a, b string) int {
		left, right := s[a].Limits.Memory, s[b].Limits.Memory
		if order := left.Cmp(right); order != 0 {
			return order
		}
		if a < b {
			return -1
		}
		return 1
	})
}
