package handover

import (
	"fmt"
	"strings"
)

const passwordFlag = "--requirepass="

// FlagFileText returns the content of FlagFile: the password and, unless it is 0, maxmemory in bytes.
//
// Abseil, which reads it, strips leading spaces of a line and treats a line that starts with # as a comment, but takes
// everything after --requirepass= literally, up to the end of the line. A password has no line break.
func FlagFileText(password string, maxMemory int64) string {
	text := passwordFlag + password + "\n"
	if maxMemory != 0 {
		text += fmt.Sprintf("--maxmemory=%d\n", maxMemory)
	}
	return text
}

// FlagFilePassword returns the password in the content of FlagFile.
func FlagFilePassword(text string) (password string, found bool) {
	for line := range strings.Lines(text) {
		if password, found := strings.CutPrefix(line, passwordFlag); found {
			return strings.TrimSuffix(password, "\n"), true
		}
	}
	return "", false
}
