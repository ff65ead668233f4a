// Package sametext compares manifests in tests without printing what their Secrets hold.
package sametext

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Assert fails when the texts differ. What it prints has the values of data and stringData hidden.
func Assert(t testing.TB, want, got, reason string) bool {
	t.Helper()
	if want == got {
		return true
	}
	if assert.Equal(t, Hide(want), Hide(got), reason) {
		assert.Fail(t, "values under data differ (they are not shown)", reason)
	}
	return false
}

var dataField = regexp.MustCompile(`^( *(?:- )?)(?:data|stringData|encryptedData):`)

// Hide replaces the values under data and stringData, of whatever object.
func Hide(text string) string {
	lines := strings.Split(text, "\n")
	inside := -1 // the indentation of the data field that we are in
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if inside >= 0 && (indent > inside || strings.TrimSpace(line) == "") {
			key, _, _ := strings.Cut(line, ":")
			if len(key) < len(line) {
				lines[i] = key + ": [hidden]"
			} else if strings.TrimSpace(line) != "" {
				lines[i] = strings.Repeat(" ", indent) + "[hidden]"
			}
			continue
		}
		inside = -1
		if field := dataField.FindStringSubmatch(line); field != nil {
			inside = len(field[1])
			key, _, _ := strings.Cut(line, ":")
			lines[i] = key + ":"
		}
	}
	return strings.Join(lines, "\n")
}

var (
	passwordLine = regexp.MustCompile(`(?m)^( *password: )([A-Za-z0-9+/]{48})$`)
	version4     = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
)

// MaskRandom replaces random passwords, which are version 4 UUIDs in base64, and no others. The same
// password becomes the same text, so that two Secrets that have to agree still can be seen to.
func MaskRandom(text string) string {
	seen := map[string]string{}
	return passwordLine.ReplaceAllStringFunc(text, func(line string) string {
		parts := passwordLine.FindStringSubmatch(line)
		decoded, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || !version4.Match(decoded) {
			return line
		}
		if seen[parts[2]] == "" {
			seen[parts[2]] = fmt.Sprintf("<random password %d>", len(seen)+1)
		}
		return parts[1] + seen[parts[2]]
	})
}
