package config

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
)

// bucketURL is an object store, a bucket or container, and a prefix, as Dragonfly v1.40 takes them for --dir.
var bucketURL = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(s3|gs|az)://[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9_=][A-Za-z0-9._=-]*)*/?$`)
})

func (r *reader) storageType(spec v1alpha1.Storage) {
	if spec.Type != nil {
		r.Storage.Type = *spec.Type
		oneOf(r, "storage.type", r.Storage.Type, v1alpha1.OnVolume, v1alpha1.NoStorage, v1alpha1.InBucket)
	}
	if spec.Bucket != nil {
		r.Storage.Bucket = strings.TrimSuffix(*spec.Bucket, "/")
		if !bucketURL().MatchString(*spec.Bucket) {
			r.Errorf(r.at("storage.bucket"), "is not a valid bucket URL; write s3://, gs:// or az://, the bucket's name and an optional prefix, such as s3://backups/dragonfly")
		}
	}
	switch hasBucket := spec.Bucket != nil; {
	case hasBucket && r.Storage.Type != v1alpha1.InBucket:
		r.Errorf(r.at("storage.bucket"), "has no effect with storage.type: %s; set it to %s, or remove the bucket", r.Storage.Type, v1alpha1.InBucket)
	case !hasBucket && r.Storage.Type == v1alpha1.InBucket:
		r.Errorf(r.at("storage.bucket"), "is missing; set the bucket for the snapshots, such as s3://backups/dragonfly")
	}
}

func (r *reader) storage(spec v1alpha1.Storage) {
	take := func(name string, given *int32, into *int) {
		if given == nil {
			return
		}
		*into = int(*given)
		if *given < 1 {
			r.Errorf(r.at("storage."+name), "is too small; use 1 (GiB) or more")
		}
	}
	r.storageType(spec)
	fits := r.Passes(func() {
		take("minGB", spec.MinGB, &r.Storage.MinGB)
		take("maxGB", spec.MaxGB, &r.Storage.MaxGB)
		take("defaultGB", spec.DefaultGB, &r.Storage.DefaultGB)
	})
	switch s := r.Storage; {
	case !fits:
	case s.MaxGB != 0 && s.MinGB > s.MaxGB:
		r.Errorf(r.at("storage.minGB"), "is %d, but maxGB is %d; lower it, or raise maxGB", s.MinGB, s.MaxGB)
	case !s.Allows(s.DefaultGB):
		r.Errorf(r.at("storage.defaultGB"), "is %d, but claims may ask for %s; set it to a value that a claim may ask for", s.DefaultGB, s)
	}
}

// Allows reports whether a claim may ask for a volume of so many GiB.
func (s Storage) Allows(gb int) bool { return gb >= s.MinGB && (s.MaxGB == 0 || gb <= s.MaxGB) }

// String returns the bounds for messages.
func (s Storage) String() string {
	if s.MaxGB == 0 {
		return fmt.Sprintf("%d (GiB) or more", s.MinGB)
	}
	return fmt.Sprintf("%d to %d (GiB)", s.MinGB, s.MaxGB)
}
