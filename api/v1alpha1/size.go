package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// DefaultMaxMemoryPercent is the share of the memory limit that Dragonfly may fill with data.
//
// A Dragonfly v1.40.1 that was filled to maxmemory needs more than that while it loads its snapshot: 109 to 120% of
// maxmemory. With 80%, which is Dragonfly's own default, instances of 512 MiB to 2 GiB that were full of 100-byte values were
// killed while they loaded (exit 137). 70% leaves room for 120% of maxmemory, plus a sixth of the limit for memory other than
// data.
const DefaultMaxMemoryPercent = 70

// maxSafePercent is the largest share with which an instance survived snapshots under writes in measurements: at 80%,
// memory use reached 99.3% of the limit.
const maxSafePercent = 80

// MinMemoryPerThread is the maxmemory, in bytes, that Dragonfly requires for each thread. With less, it exits at start.
const MinMemoryPerThread = 256 << 20

// MemoryPercent is the share of the memory limit that may be data.
func (s Size) MemoryPercent() int64 {
	if s.MaxMemoryPercent == nil {
		return DefaultMaxMemoryPercent
	}
	return int64(*s.MaxMemoryPercent)
}

// MemoryLimit returns the memory limit in bytes.
func (s Size) MemoryLimit() int64 { return valueOf(s.Limits.Memory) }

// valueOf returns an amount, rounded up to a whole number, or 0 if it is nil.
func valueOf(amount *resource.Quantity) int64 {
	if amount == nil {
		return 0
	}
	return amount.Value()
}

// MaxMemory returns Dragonfly's --maxmemory in bytes: its share of the memory limit, rounded down.
func (s Size) MaxMemory() int64 {
	return Percent(s.MemoryLimit(), s.MemoryPercent())
}

// Percent returns percent of n, rounded down.
func Percent(n, percent int64) int64 {
	return n/100*percent + n%100*percent/100 // in this order, a large n does not overflow
}

// ThreadCount returns Dragonfly's --proactor_threads: the threads of the size, or else the CPU limit, rounded up.
func (s Size) ThreadCount() int64 {
	if s.Threads != nil {
		return int64(*s.Threads)
	}
	return valueOf(s.Limits.CPU)
}

// How long a snapshot takes. Each thread writes its own part: with epoll, one thread of Dragonfly v1.40.1 wrote 7.9 MiB/s on an
// idle machine, regardless of the disk. We assume half of that, because machines are busy.
const (
	snapshotBytesPerSecond  = 4 << 20 // of one thread
	minTerminationGraceSecs = 600
)

// TerminationGraceSeconds returns how long the pod may take to write its last snapshot when it is stopped. If it is
// interrupted, all writes since the previous snapshot are lost.
func (s Size) TerminationGraceSeconds() int64 {
	perSecond := max(s.ThreadCount(), 1) * snapshotBytesPerSecond
	return max(minTerminationGraceSecs, (s.MaxMemory()+perSecond-1)/perSecond)
}
