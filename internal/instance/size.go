package instance

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Size holds the resources of an instance.
type Size struct {
	Name     string
	Requests Resources
	// Limits may be without CPU where ThreadCount is given.
	Limits Resources
	// ThreadCount is the number of Dragonfly's threads, 0 for as many as the CPU limit has CPUs.
	ThreadCount int64
	// MaxMemoryPercent is the part of the memory limit that may be data, 0 for DefaultMaxMemoryPercent.
	MaxMemoryPercent int64
}

// Resources is an amount of CPU and of memory. Zero means not set.
type Resources struct {
	CPU    resource.Quantity
	Memory resource.Quantity
}

// DefaultMaxMemoryPercent is the part of the memory limit that Dragonfly may fill with data.
//
// A Dragonfly v1.40.1 that was filled to maxmemory needs more than that while it loads its snapshot: 109 to
// 120% of maxmemory, and with 80%, which is what it takes itself when it is not told, instances of 512 MiB to
// 2 GiB that were full of 100-byte values were killed while they loaded (exit 137). 70% leaves 120% of
// maxmemory, and a sixth of the limit on top of that for what is not data.
const DefaultMaxMemoryPercent = 70

// MaxMaxMemoryPercent is the largest part that was measured to survive snapshots under writes: at 80% they
// reached 99.3% of the memory limit.
const MaxMaxMemoryPercent = 80

// MaxMemory returns Dragonfly's --maxmemory in bytes: its part of the memory limit, rounded down.
func (s Size) MaxMemory() int64 {
	percent := s.MaxMemoryPercent
	if percent == 0 {
		percent = DefaultMaxMemoryPercent
	}
	limit := s.Limits.Memory.Value()
	return limit/100*percent + limit%100*percent/100 // in this order a limit near the end of int64 does not overflow
}

// Threads returns Dragonfly's --proactor_threads: what the size says, or else the CPU limit, rounded up.
func (s Size) Threads() int64 {
	if s.ThreadCount != 0 {
		return s.ThreadCount
	}
	return s.Limits.CPU.Value()
}

// MinMemoryPerThread is the maxmemory in bytes that Dragonfly demands for each thread; it exits at
// start when it has less.
const MinMemoryPerThread = 256 << 20

// What a snapshot takes. Each thread writes its own part: Dragonfly v1.40.1 wrote 7.9 MiB/s on epoll, by one
// thread on an idle machine, whatever the disk could do. Half of that is counted, as machines are busy.
const (
	snapshotBytesPerSecond  = 4 << 20 // of one thread
	minTerminationGraceSecs = 600
)

// TerminationGraceSeconds returns how long the pod may take to write its last snapshot, which it does when it
// is told to stop. If it is interrupted, all writes since the previous snapshot are lost.
func (s Size) TerminationGraceSeconds() int64 {
	perSecond := max(s.Threads(), 1) * snapshotBytesPerSecond
	return max(minTerminationGraceSecs, (s.MaxMemory()+perSecond-1)/perSecond)
}

// Sizes are the sizes that a claim can name, by name.
type Sizes map[string]Size

// DefaultSizes returns the sizes that every platform has: those of the Crossplane composition that this
// program replaces, and micro.
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
