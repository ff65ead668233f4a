package config

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/decode"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// sizes merges the sizes that are given into ours. One with a problem is kept, so that the claims that
// name it are not reported too.
func (r *reader) sizes(spec v1alpha1.DragonflyGeneratorSpec) {
	for _, name := range slices.Sorted(maps.Keys(spec.Sizes)) {
		given := spec.Sizes[name]
		size, known := r.Sizes[name]
		size.Name = name
		path := decode.Join("sizes", name)
		if len(validation.IsValidLabelValue(name)) > 0 || name == "" {
			r.Errorf(r.at(path), "is no name for a size; use letters, digits, dashes, underscores and dots, with a letter or digit at both ends")
		}
		complete := true
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
			case !known && r.HasProblemIn(r.path+"."+path):
				complete = false
			case !known:
				complete = false
				r.Errorf(r.at(path+".limits."+limit.name), "is missing, and a new size needs both limits; write how much it gets at most")
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

// size judges one size.
func (r *reader) size(path string, size instance.Size) {
	fits := r.Passes(func() {
		r.amount(path, "cpu", size.Requests.CPU, size.Limits.CPU, resource.MustParse("1m"))
		// 512m of memory is half a byte, and a common slip for 512Mi.
		r.amount(path, "memory", size.Requests.Memory, size.Limits.Memory, resource.MustParse("1Mi"))
	})
	if !fits || size.MaxMemory()/instance.MinMemoryPerThread >= size.Threads() {
		return
	}
	r.Errorf(r.at(path+".limits"), "Dragonfly would exit at its start: it wants 256 MiB for each of its %d threads (the CPU limit, rounded up), and gets %d MiB in all (80%% of the memory limit); raise the memory limit, or lower the CPU limit",
		size.Threads(), size.MaxMemory()>>20)
}

func (r *reader) amount(path, name string, request, limit, least resource.Quantity) {
	switch {
	case limit.Cmp(resource.MustParse("1Pi")) > 0: // more than any machine has, and than our arithmetic takes
		r.Errorf(r.at(path+".limits."+name), "is more than there is; write less")
	case limit.Cmp(least) < 0:
		r.Errorf(r.at(path+".limits."+name), "is too small; write %s or more", &least)
	case request.Cmp(least) < 0:
		r.Errorf(r.at(path+".requests."+name), "is too small; write %s or more", &least)
	case request.Cmp(limit) > 0:
		r.Errorf(r.at(path+".requests."+name), "is above the limit of %s; lower it, or raise the limit", &limit)
	}
}

func (r *reader) storage(spec v1alpha1.Storage) {
	take := func(name string, given *int32, into *int) {
		if given == nil {
			return
		}
		*into = int(*given)
		if *given < 1 {
			r.Errorf(r.at("storage."+name), "is too small; write 1 (GiB) or more")
		}
	}
	fits := r.Passes(func() {
		take("minGB", spec.MinGB, &r.Storage.MinGB)
		take("maxGB", spec.MaxGB, &r.Storage.MaxGB)
		take("defaultGB", spec.DefaultGB, &r.Storage.DefaultGB)
	})
	switch s := r.Storage; {
	case !fits:
	case s.MaxGB != 0 && s.MinGB > s.MaxGB:
		r.Errorf(r.at("storage.minGB"), "is %d, and maxGB is %d; make it the smaller one", s.MinGB, s.MaxGB)
	case !s.Allows(s.DefaultGB):
		r.Errorf(r.at("storage.defaultGB"), "is %d, but claims may ask for %s; set it to what a claim gets that asks for nothing", s.DefaultGB, s)
	}
}

// Allows says whether a claim may ask for a volume of so many GiB.
func (s Storage) Allows(gb int) bool { return gb >= s.MinGB && (s.MaxGB == 0 || gb <= s.MaxGB) }

// String returns the bounds, for people.
func (s Storage) String() string {
	if s.MaxGB == 0 {
		return fmt.Sprintf("%d (GiB) or more", s.MinGB)
	}
	return fmt.Sprintf("%d to %d (GiB)", s.MinGB, s.MaxGB)
}
