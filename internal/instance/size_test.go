package instance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

func TestDefaultSizes(t *testing.T) {
	sizes := instance.DefaultSizes()
	for _, tc := range []struct {
		name                                             string
		memoryRequest, memoryLimit, cpuRequest, cpuLimit string
		maxMemory, threads                               int64
	}{
		{"micro", "256Mi", "1Gi", "100m", "500m", 751619276, 1},
		{"small", "512Mi", "2Gi", "250m", "1", 1503238553, 1},
		{"medium", "1Gi", "4Gi", "500m", "2", 3006477107, 2},
		{"large", "2Gi", "8Gi", "1", "4", 6012954214, 4},
	} {
		size, found := sizes[tc.name]
		require.True(t, found, "Every platform has the size %s.", tc.name)
		assert.Equal(t, tc.name, size.Name)
		assert.Equal(t, tc.memoryRequest, size.Requests.Memory.String(), "The memory request of %s.", tc.name)
		assert.Equal(t, tc.memoryLimit, size.Limits.Memory.String(), "The memory limit of %s.", tc.name)
		assert.Equal(t, tc.cpuRequest, size.Requests.CPU.String(), "The CPU request of %s.", tc.name)
		assert.Equal(t, tc.cpuLimit, size.Limits.CPU.String(), "The CPU limit of %s.", tc.name)
		assert.Equal(t, tc.maxMemory, size.MaxMemory(), "Dragonfly gets 70%% of the memory limit of %s.", tc.name)
		assert.Equal(t, tc.threads, size.Threads(), "Dragonfly gets a thread for each CPU of %s that it may use a part of.", tc.name)
	}
	assert.Len(t, sizes, 4, "A size that is not in this table is not tested.")
	for name, size := range sizes {
		assert.GreaterOrEqual(t, size.MaxMemory(), instance.MinMemoryPerThread*size.Threads(),
			"Dragonfly exits at start when it has less memory for each thread; size %s.", name)
	}
	assert.EqualValues(t, 268435456, instance.MinMemoryPerThread, "Dragonfly demands 256 MiB for each thread.")
}

func TestDefaultSizesAreNotShared(t *testing.T) {
	sizes := instance.DefaultSizes()
	delete(sizes, "small")
	assert.Contains(t, instance.DefaultSizes(), "small", "A configuration that changes the sizes does not change the defaults.")
}

func TestMaxMemory(t *testing.T) {
	for _, tc := range []struct {
		reason, limit string
		want          int64
	}{
		{"70% are rounded down.", "9", 6},
		{"70% of one byte are none.", "1", 0},
		{"What divides by ten stays exact.", "10", 7},
		{"A limit in decimal units is in bytes all the same.", "1G", 700000000},
		{"A limit of a terabyte does not lose a byte.", "1Ti", 769658139443},
		{"The largest limit does not overflow.", "9223372036854775807", 6456360425798343064},
	} {
		size := instance.Size{Limits: instance.Resources{Memory: resource.MustParse(tc.limit)}}
		assert.Equal(t, tc.want, size.MaxMemory(), tc.reason)
	}
}

func TestMaxMemoryPercent(t *testing.T) {
	size := instance.Size{Limits: instance.Resources{Memory: resource.MustParse("2Gi")}, MaxMemoryPercent: 60}
	assert.EqualValues(t, 1288490188, size.MaxMemory(), "A size can leave more than the default.")
	assert.EqualValues(t, 70, instance.DefaultMaxMemoryPercent, "With more, full instances were killed while they loaded.")
}

func TestTerminationGrace(t *testing.T) {
	for _, tc := range []struct {
		reason, memory, cpu string
		threads, want       int64
	}{
		{"Every size that comes with the program has the least.", "8Gi", "4", 0, 600},
		{"A thread writes 4 MiB a second.", "16Gi", "1", 0, 2868},
		{"Every thread writes its part.", "16Gi", "4", 0, 717},
		{"The threads count, and not the CPUs.", "16Gi", "4", 2, 1434},
		{"Without a CPU limit too.", "16Gi", "0", 2, 1434},
		{"A second is started.", "3438Mi", "1", 0, 602},
	} {
		size := instance.Size{Limits: instance.Resources{Memory: resource.MustParse(tc.memory), CPU: resource.MustParse(tc.cpu)}, ThreadCount: tc.threads}
		assert.Equal(t, tc.want, size.TerminationGraceSeconds(), tc.reason)
	}
}

func TestThreads(t *testing.T) {
	for _, tc := range []struct {
		reason, limit string
		want          int64
	}{
		{"A tenth of a CPU is one thread.", "100m", 1},
		{"One CPU is one thread.", "1", 1},
		{"A thousand thousandths are one CPU.", "1000m", 1},
		{"A part of a further CPU is a further thread.", "1001m", 2},
		{"A decimal point is as good as thousandths.", "2.5", 3},
		{"The smallest part is a thread.", "1n", 1},
	} {
		size := instance.Size{Limits: instance.Resources{CPU: resource.MustParse(tc.limit)}}
		assert.Equal(t, tc.want, size.Threads(), tc.reason)
	}
}

func TestNamesOfSizes(t *testing.T) {
	assert.Equal(t, []string{"micro", "small", "medium", "large"}, instance.DefaultSizes().Names(),
		"An error lists the sizes as people think of them.")

	of := func(memory string) instance.Size {
		return instance.Size{Limits: instance.Resources{Memory: resource.MustParse(memory)}}
	}
	sizes := instance.Sizes{"b": of("1Gi"), "z": of("512Mi"), "c": of("1024Mi"), "a": of("1Gi"), "y": of("1G")}
	assert.Equal(t, []string{"z", "y", "a", "b", "c"}, sizes.Names(), "Sizes of the same memory are in the order of their names, at every run.")
}
