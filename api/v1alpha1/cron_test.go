package v1alpha1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSnapshotCron(t *testing.T) {
	for _, good := range []string{"", "*/30 * * * *", "0 3 * * 0-6", "0,30 1-5,8 1 12 *", "1-59/2 * * * *", "0 0 29 2 *", "*/60 */24 * * *", "0 0 */1 * 1", "0 0 * * */7"} {
		assert.Empty(t, problems(t, "{snapshotCron: '"+good+"'}"), good)
	}
	for _, bad := range []string{
		"@daily", "* * * *", "* * * * * *", "MON * * * *", "* * * * MON", "? * * * *", "TZ=UTC * * * * *",
		"60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7", "*/0 * * * *", "5-1 * * * *",
		"0 0 1 * 1", "0 0 */2 * 1-5", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "*/61 * * * *", "*/256 * * * *", "0 0-5/99999999999999999999 * * *", "* */25 * * *", "* * */32 * *", "* * * */13 *",
		"1,,2 * * * *", "*-5 * * * *", " * * * * *", "*  * * * *", "* * * * * ", "a", "-1 * * * *", "1- * * * *", "*/ * * * *", "hunter2",
	} {
		assert.Equal(t, []string{"spec.snapshotCron"}, paths(problems(t, "{snapshotCron: '"+bad+"'}")), bad)
	}
}

func TestWhyASnapshotCronIsRefused(t *testing.T) {
	for cron, want := range map[string]string{
		"@daily":       "not a valid schedule",
		"*/61 * * * *": "step for the minute",
		"* * */32 * *": "step for the day of the month",
		"0 0 1 * 1":    "use * for one of them",
		"0 0 30 2 *":   "never comes",
	} {
		errs := problems(t, "{snapshotCron: '"+cron+"'}")
		require.Len(t, errs, 1, cron)
		assert.Contains(t, errs[0].Detail, want, cron)
	}
}
