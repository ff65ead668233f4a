package v1alpha1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// size returns a size with the given limits; "" means no limit.
func size(memory, cpu string) v1alpha1.Size {
	var s v1alpha1.Size
	if memory != "" {
		s.Limits.Memory = new(resource.MustParse(memory))
	}
	if cpu != "" {
		s.Limits.CPU = new(resource.MustParse(cpu))
	}
	return s
}

func TestDefaultSizes(t *testing.T) {
	sizes := profile(t, "{}").Sizes
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
		assert.Equal(t, tc.memoryRequest, size.Requests.Memory.String(), "The memory request of %s.", tc.name)
		assert.Equal(t, tc.memoryLimit, size.Limits.Memory.String(), "The memory limit of %s.", tc.name)
		assert.Equal(t, tc.cpuRequest, size.Requests.CPU.String(), "The CPU request of %s.", tc.name)
		assert.Equal(t, tc.cpuLimit, size.Limits.CPU.String(), "The CPU limit of %s.", tc.name)
		assert.Equal(t, tc.maxMemory, size.MaxMemory(), "Dragonfly gets 70%% of the memory limit of %s.", tc.name)
		assert.Equal(t, tc.threads, size.ThreadCount(), "Dragonfly gets a thread for each CPU of %s, even if it may use only part of it.", tc.name)
	}
	assert.Len(t, sizes, 4, "Every built-in size must be in this table.")
	for name, size := range sizes {
		assert.GreaterOrEqual(t, size.MaxMemory(), v1alpha1.MinMemoryPerThread*size.ThreadCount(),
			"With less memory per thread, Dragonfly exits at startup; size %s.", name)
	}
	assert.EqualValues(t, 268435456, v1alpha1.MinMemoryPerThread, "Dragonfly demands 256 MiB per thread.")
}

func TestDefaultSizesAreNotShared(t *testing.T) {
	sizes := profile(t, "{}").Sizes
	delete(sizes, "small")
	assert.Contains(t, profile(t, "{}").Sizes, "small", "A configuration that changes the sizes does not change the defaults.")
}

// A size inherits from the built-in one of the same name; a new one uses its own limits.
func TestSizesAreCompleted(t *testing.T) {
	sizes := profile(t, "{sizes: {small: {limits: {memory: 3e9}}, micro: {}, xl: {limits: {cpu: 2, memory: 16Gi}, requests: {cpu: 1}}}}").Sizes
	small, micro, xl := sizes["small"], sizes["micro"], sizes["xl"]
	assert.EqualValues(t, 3000000000, small.MemoryLimit(), "A field that is set takes effect.")
	assert.Equal(t, "1", small.Limits.CPU.String(), "A field that is not set keeps its default.")
	assert.Equal(t, "512Mi", small.Requests.Memory.String())
	assert.Equal(t, profile(t, "{}").Sizes["micro"].MaxMemory(), micro.MaxMemory())
	assert.Equal(t, "1", xl.Requests.CPU.String())
	assert.Equal(t, "16Gi", xl.Requests.Memory.String(), "The requests of a new size default to its limits.")
}

func TestMaxMemory(t *testing.T) {
	for _, tc := range []struct {
		reason, limit string
		want          int64
	}{
		{"70% is rounded down.", "9", 6},
		{"70% of one byte is zero.", "1", 0},
		{"A multiple of ten stays exact.", "10", 7},
		{"A limit in decimal units is in bytes too.", "1G", 700000000},
		{"A limit of a terabyte does not lose a byte.", "1Ti", 769658139443},
		{"The largest limit does not overflow.", "9223372036854775807", 6456360425798343064},
		{"No limit stays no limit.", "", 0},
	} {
		assert.Equal(t, tc.want, size(tc.limit, "").MaxMemory(), tc.reason)
	}
}

func TestMaxMemoryPercent(t *testing.T) {
	of := size("2Gi", "")
	of.MaxMemoryPercent = new(int32(60))
	assert.EqualValues(t, 1288490188, of.MaxMemory(), "A size can leave more than the default.")
	assert.EqualValues(t, 60, of.MemoryPercent())
	assert.EqualValues(t, 70, size("2Gi", "").MemoryPercent())
	assert.EqualValues(t, 70, v1alpha1.DefaultMaxMemoryPercent, "With more, full instances were killed while loading.")
}

func TestTerminationGrace(t *testing.T) {
	for _, tc := range []struct {
		reason, memory, cpu string
		threads             int32
		want                int64
	}{
		{"Every built-in size gets the minimum.", "8Gi", "4", 0, 600},
		{"A thread writes 4 MiB per second.", "16Gi", "1", 0, 2868},
		{"Every thread writes its share.", "16Gi", "4", 0, 717},
		{"The threads count, not the CPUs.", "16Gi", "4", 2, 1434},
		{"Even without a CPU limit.", "16Gi", "", 2, 1434},
		{"A fraction of a second is rounded up.", "3438Mi", "1", 0, 602},
	} {
		of := size(tc.memory, tc.cpu)
		if tc.threads > 0 {
			of.Threads = new(tc.threads)
		}
		assert.Equal(t, tc.want, of.TerminationGraceSeconds(), tc.reason)
	}
}

func TestThreads(t *testing.T) {
	for _, tc := range []struct {
		reason, limit string
		want          int64
	}{
		{"A tenth of a CPU is one thread.", "100m", 1},
		{"One CPU is one thread.", "1", 1},
		{"A thousand millicores are one CPU.", "1000m", 1},
		{"A fraction of another CPU is another thread.", "1001m", 2},
		{"A decimal fraction works like millicores.", "2.5", 3},
		{"The smallest fraction is a thread.", "1n", 1},
	} {
		assert.Equal(t, tc.want, size("", tc.limit).ThreadCount(), tc.reason)
	}
}

func TestNamesOfSizes(t *testing.T) {
	spec := profile(t, "{}")
	assert.Equal(t, []string{"micro", "small", "medium", "large"}, spec.SizeNames(),
		"An error lists the sizes in the order that people expect.")

	spec.Sizes = map[string]v1alpha1.Size{"b": size("1Gi", ""), "z": size("512Mi", ""), "c": size("1024Mi", ""), "a": size("1Gi", ""), "y": size("1G", "")}
	assert.Equal(t, []string{"z", "y", "a", "b", "c"}, spec.SizeNames(), "Sizes with the same memory are sorted by name, on every run.")
}

func TestSizesWithThreads(t *testing.T) {
	const settings = "{sizes: {burst: {limits: {memory: 2Gi}, threads: 2}, small: {threads: 1}, both: {limits: {cpu: 1, memory: 2Gi}, threads: 2, maxMemoryPercent: 60}}}"
	assert.Empty(t, problems(t, settings))
	sizes := profile(t, settings).Sizes
	burst, small, both := sizes["burst"], sizes["small"], sizes["both"]
	assert.Nil(t, burst.Limits.CPU, "With threads a size needs no CPU.")
	assert.Nil(t, burst.Requests.CPU, "With threads a size needs no CPU.")
	assert.EqualValues(t, 2, burst.ThreadCount())
	assert.Nil(t, small.Limits.CPU, "A built-in size can lose its limit too.")
	assert.Equal(t, "250m", small.Requests.CPU.String())
	assert.Equal(t, "1", both.Limits.CPU.String(), "If both are set, both apply.")
	assert.EqualValues(t, 1288490188, both.MaxMemory())
}

func TestSizesThatAreRefused(t *testing.T) {
	for size, want := range map[string][]string{
		"{limits: {memory: 2Gi}}":                                  {"spec.sizes.x.limits.cpu"},
		"{limits: {cpu: 1}, threads: 1}":                           {"spec.sizes.x.limits.memory"},
		"{}":                                                       {"spec.sizes.x.limits.cpu", "spec.sizes.x.limits.memory"},
		"{limits: {memory: 2Gi}, threads: 0}":                      {"spec.sizes.x.threads"},
		"{limits: {memory: 2Gi}, threads: 1025}":                   {"spec.sizes.x.threads"},
		"{limits: {memory: 2Gi}, threads: 6}":                      {"spec.sizes.x.limits"},
		"{limits: {memory: 2Gi}, threads: 5}":                      {},
		"{limits: {memory: 2Gi, cpu: 0}, threads: 1}":              {"spec.sizes.x.limits.cpu"},
		"{limits: {memory: 2Gi, cpu: 0}}":                          {"spec.sizes.x.limits.cpu"},
		"{limits: {memory: 0, cpu: 1}}":                            {"spec.sizes.x.limits.memory"},
		"{limits: {memory: 2Gi, cpu: 1}, requests: {cpu: 0}}":      {"spec.sizes.x.requests.cpu"},
		"{limits: {memory: 2Gi, cpu: 1}, requests: {cpu: 2}}":      {"spec.sizes.x.requests.cpu"},
		"{limits: {memory: 2Gi, cpu: 1}, requests: {memory: 3Gi}}": {"spec.sizes.x.requests.memory"},
		"{limits: {memory: 512m, cpu: 1}}":                         {"spec.sizes.x.limits.memory"},
		"{limits: {memory: 2Gi}, threads: 1, requests: {cpu: 8}}":  {},
		"{limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 80}":    {},
		"{limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 81}":    {"spec.sizes.x.maxMemoryPercent"},
		"{limits: {memory: 2Gi, cpu: 1}, maxMemoryPercent: 0}":     {"spec.sizes.x.maxMemoryPercent"},
		"{limits: {memory: 1Gi, cpu: 1}, maxMemoryPercent: 24}":    {"spec.sizes.x.limits"},
		"{limits: {memory: 1Gi, cpu: 1}, maxMemoryPercent: 25}":    {},
		"{limits: {memory: 2000Ti, cpu: 1}}":                       {"spec.sizes.x.limits.memory"},
	} {
		assert.Equal(t, want, paths(problems(t, "{sizes: {x: "+size+"}}")), size)
	}
	for settings, want := range map[string][]string{
		"{sizes: {a b: {limits: {cpu: 1, memory: 2Gi}}}}": {"spec.sizes[a b]"},
		"{sizes: {'': {limits: {cpu: 1, memory: 2Gi}}}}":  {"spec.sizes[]"},
		"{sizes: {v1.2: {limits: {cpu: 1}}}}":             {"spec.sizes[v1.2].limits.memory"},
		"{sizes: {small: {limits: {memory: 256Mi}}}}":     {"spec.sizes.small.requests.memory"},
		"{defaultSize: hunter2}":                          {"spec.defaultSize"},
	} {
		assert.Equal(t, want, paths(problems(t, settings)), settings)
	}
	assert.Contains(t, problems(t, "{defaultSize: huge}")[0].Detail, "micro, small, medium, large")
}
