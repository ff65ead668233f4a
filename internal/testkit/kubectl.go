package testkit

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Kubectl runs kubectl with stdin, in the cluster that KUBECONFIG names, and returns its stdout. An error has its stderr.
func Kubectl(stdin string, args ...string) (string, error) {
	cmd := exec.Command("kubectl", args...) //nolint:gosec // arguments of tests
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.String(), nil
}

// WaitForTrue waits for a condition of an object. kubectl wait fails on an object that has no conditions yet.
func WaitForTrue(t testing.TB, object, condition string) {
	t.Helper()
	var status string
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		status, err = Kubectl("", "get", object, "-o", `jsonpath={.status.conditions[?(@.type=="`+condition+`")].status}`)
		if err == nil && status == "True" {
			return
		}
	}
	require.NoError(t, err)
	require.Equal(t, "True", status, "condition %s of %s after two minutes", condition, object)
}
