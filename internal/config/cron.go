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
		r.Errorf(field, "is not a schedule; write minute, hour, day of the month, month and day of the week, in plain numbers with *, comma, dash and slash, such as %q, or \"\" for no snapshots", Default().SnapshotCron)
		return
	}
	fields := strings.Fields(text)
	for i, known := range cronFields {
		for _, element := range strings.Split(fields[i], ",") {
			_, step, _ := strings.Cut(element, "/")
			// The numbers are plain digits; one that is too long for a number is too large as well.
			if n, err := strconv.Atoi(step); step != "" && (err != nil || n > known.values) {
				r.Errorf(field, "has a step for the %s that is larger than its range, on which Dragonfly exits at start; write %d or less", known.name, known.values)
				return
			}
		}
	}
	switch {
	case isRestricted(fields[2]) && isRestricted(fields[4]):
		r.Errorf(field, "restricts both the day of the month and the day of the week, and Dragonfly takes a day only if both match; on dates that are rare it saves without pause; write * for one of them")
	case schedule.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero():
		r.Errorf(field, "is a date that never comes, for which Dragonfly saves without pause; write one that does")
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
