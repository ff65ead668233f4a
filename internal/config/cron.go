package config

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// cronFields are the fields of a schedule, each with how many values it has.
var cronFields = []struct {
	name   string
	values int
}{{"minute", 60}, {"hour", 24}, {"day of the month", 31}, {"month", 12}, {"day of the week", 7}}

// snapshotCron takes five plain fields. Dragonfly puts one for the seconds in front, so six would be
// something else to it; and not every cron means the same by names and macros.
func (r *reader) snapshotCron(text string) {
	r.SnapshotCron = text
	if text == "" {
		return
	}
	field := r.at("snapshotCron")
	schedule, err := cron.ParseStandard(text)
	if err != nil || !plainCron().MatchString(text) {
		r.Errorf(field, "is not a valid schedule; write minute, hour, day of the month, month and day of the week, as plain numbers with *, comma, dash and slash, such as %q, or \"\" for no snapshots", Default().SnapshotCron)
		return
	}
	fields := strings.Fields(text)
	for i, known := range cronFields {
		for _, element := range strings.Split(fields[i], ",") {
			_, step, _ := strings.Cut(element, "/")
			// The numbers are plain digits; one that is too long for a number is too large as well.
			if n, err := strconv.Atoi(step); step != "" && (err != nil || n > known.values) {
				r.Errorf(field, "has a step for the %s that is larger than its range, so Dragonfly exits at start; use %d or less", known.name, known.values)
				return
			}
		}
	}
	switch {
	case isRestricted(fields[2]) && isRestricted(fields[4]):
		r.Errorf(field, "restricts both the day of the month and the day of the week, and Dragonfly saves without pause when a day that matches both is far away; use * for one of them")
	case schedule.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero():
		r.Errorf(field, "is a date that never comes, so Dragonfly saves without pause; use a date that exists")
	}
}

// isRestricted reports whether a field leaves values out.
func isRestricted(field string) bool { return field != "*" && field != "*/1" }

// plainCron is five fields of stars, numbers and ranges, with steps.
var plainCron = sync.OnceValue(func() *regexp.Regexp {
	const element = `(\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?`
	const field = element + `(,` + element + `)*`
	return regexp.MustCompile(`^` + field + `( ` + field + `){4}$`)
})
