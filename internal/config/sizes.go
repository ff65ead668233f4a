package config

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// sizes merges the configured sizes into the defaults. A size with a problem is kept, so that claims that use
// it are not reported too.
func (r *reader) sizes(spec v1alpha1.ProfileSpec) {
	for _, name := range slices.Sorted(maps.Keys(spec.Sizes)) {
		given := spec.Sizes[name]
		size, known := r.Sizes[name]
		size.Name = name
		path := decode.Join("sizes", name)
		if len(validation.IsValidLabelValue(name)) > 0 || name == "" {
			r.Errorf(r.at(path), "is not a valid size name; use letters, digits, dashes, underscores and dots, with a letter or digit at both ends")
		}
		complete := true
		if given.Threads != nil { // then a CPU limit has to be asked for
			size.ThreadCount, size.Limits.CPU = int64(*given.Threads), resource.Quantity{}
			if *given.Threads < 1 || *given.Threads > maxThreads {
				r.Errorf(r.at(path+".threads"), "is out of range; use 1 to %d", maxThreads)
			}
		}
		if given.MaxMemoryPercent != nil {
			size.MaxMemoryPercent = int64(*given.MaxMemoryPercent)
			r.maxMemoryPercent(path+".maxMemoryPercent", size.MaxMemoryPercent)
		}
		for _, limit := range []struct {
			name  string
			given *resource.Quantity
			into  *resource.Quantity
		}{
			{"cpu", given.Limits.CPU, &size.Limits.CPU},
			{"memory", given.Limits.Memory, &size.Limits.Memory},
		} {
			switch {
			case limit.given != nil:
				*limit.into = *limit.given
				if limit.given.IsZero() { // which is none, and has to be said otherwise
					complete = false
					r.Errorf(r.at(path+".limits."+limit.name), "is too small; raise it, or remove it and set threads for a size without this limit")
				}
			case limit.name == "cpu" && given.Threads != nil:
			case !known && r.HasProblemIn(r.path+"."+path):
				complete = false
			case !known:
				complete = false
				r.Errorf(r.at(path+".limits."+limit.name), "is missing, but a new size needs a memory limit, and a CPU limit or threads; set it")
			}
		}
		if !known {
			size.Requests = size.Limits
		}
		if given.Requests.CPU != nil {
			size.Requests.CPU = *given.Requests.CPU
		}
		if given.Requests.Memory != nil {
			size.Requests.Memory = *given.Requests.Memory
		}
		r.Sizes[name] = size
		if complete {
			r.size(path, size)
		}
	}
	r.SizesUnclear = r.HasProblemIn(r.path+".sizes") || r.Misspelt("sizes")
	if spec.DefaultSize != nil {
		r.DefaultSize = *spec.DefaultSize
	}
	if spec.DefaultSize != nil && !r.SizesUnclear {
		oneOf(r, "defaultSize", r.DefaultSize, r.Sizes.Names()...)
	}
}

// maxThreads is more than any machine has CPUs, and more than Dragonfly supports.
const maxThreads = 1024

func (r *reader) maxMemoryPercent(path string, percent int64) {
	switch {
	case percent < 1 || percent > instance.MaxMaxMemoryPercent:
		r.Errorf(r.at(path), "is out of range; use 1 to %d, and %d or less to be safe", instance.MaxMaxMemoryPercent, instance.DefaultMaxMemoryPercent)
	case percent > instance.DefaultMaxMemoryPercent:
		r.Warnf(r.at(path), "is more than %d, so a full instance may run out of memory each time it loads its snapshot, and never come back; lower it", instance.DefaultMaxMemoryPercent)
	}
}

// size judges one size.
func (r *reader) size(path string, size instance.Size) {
	fits := r.Passes(func() {
		r.amount(path, "cpu", size.Requests.CPU, size.Limits.CPU, resource.MustParse("1m"))
		// 512m of memory is half a byte, and a common slip for 512Mi.
		r.amount(path, "memory", size.Requests.Memory, size.Limits.Memory, resource.MustParse("1Mi"))
	})
	if !fits || r.HasProblemIn(r.path+"."+path) || size.MaxMemory()/instance.MinMemoryPerThread >= size.Threads() {
		return
	}
	r.Errorf(r.at(path+".limits"), "Dragonfly would exit at start: it needs 256 MiB for each of its %d threads, but gets %d MiB in all (%d%% of the memory limit); raise the memory limit, or lower the CPU limit or the threads",
		size.Threads(), size.MaxMemory()>>20, cmp.Or(size.MaxMemoryPercent, instance.DefaultMaxMemoryPercent))
}

// amount validates an amount of CPU or memory. Only CPU may be zero, which means not set.
func (r *reader) amount(path, name string, request, limit, least resource.Quantity) {
	switch {
	case limit.Cmp(resource.MustParse("1Pi")) > 0: // more than any machine has, and than our arithmetic takes
		r.Errorf(r.at(path+".limits."+name), "is larger than 1Pi; use a smaller value")
	case limit.Cmp(least) < 0 && !limit.IsZero(), limit.IsZero() && name == "memory":
		r.Errorf(r.at(path+".limits."+name), "is too small; use %s or more", &least)
	case request.Cmp(least) < 0 && (!request.IsZero() || !limit.IsZero()):
		r.Errorf(r.at(path+".requests."+name), "is too small; use %s or more", &least)
	case request.Cmp(limit) > 0 && !limit.IsZero():
		r.Errorf(r.at(path+".requests."+name), "is above the limit of %s; lower it, or raise the limit", &limit)
	}
}
