package v1alpha1

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// cronFields are the fields of a schedule, each with the number of its values.
var cronFields = []struct {
	name   string
	values int
}{{"minute", 60}, {"hour", 24}, {"day of the month", 31}, {"month", 12}, {"day of the week", 7}}

// validateCron accepts five plain fields. Dragonfly prepends a field for the seconds, so six fields would mean something
// else to it; and names and macros do not mean the same in every cron.
func validateCron(path *field.Path, text string) field.ErrorList {
	if text == "" {
		return nil
	}
	refuse := func(detail string) field.ErrorList { return field.ErrorList{problem(path, detail)} }
	schedule, err := cron.ParseStandard(text)
	if err != nil || !plainCron().MatchString(text) {
		return refuse(`is not a valid schedule; write minute, hour, day of the month, month and day of the week, as plain numbers with *, comma, dash and slash, such as "*/30 * * * *", or "" for no snapshots`)
	}
	fields := strings.Fields(text)
	for i, known := range cronFields {
		for _, element := range strings.Split(fields[i], ",") {
			_, step, _ := strings.Cut(element, "/")
			// The numbers are plain digits; one that is too long to parse is also too large.
			if n, err := strconv.Atoi(step); step != "" && (err != nil || n > known.values) {
				return refuse("has a step for the " + known.name + " that is larger than its range, so Dragonfly would exit at start; use " + strconv.Itoa(known.values) + " or less")
			}
		}
	}
	switch {
	case isRestricted(fields[2]) && isRestricted(fields[4]):
		return refuse("restricts both the day of the month and the day of the week, and Dragonfly saves continuously if the next day that matches both is far away; use * for one of them")
	case schedule.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero():
		return refuse("is a date that never comes, so Dragonfly would save continuously; use a date that exists")
	}
	return nil
}

// isRestricted reports whether a field excludes any values.
func isRestricted(field string) bool { return field != "*" && field != "*/1" }

// plainCron is five fields of stars, numbers and ranges, with steps.
var plainCron = sync.OnceValue(func() *regexp.Regexp {
	const element = `(\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?`
	const field = element + `(,` + element + `)*`
	return regexp.MustCompile(`^` + field + `( ` + field + `){4}$`)
})
