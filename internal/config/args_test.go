package config_test

import (
	"testing"

	"github.com/GoogleContainerTools/kpt-functions-sdk/go/fn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Dragonfly exits at start on a flag that it does not have.
func TestUnknownFlags(t *testing.T) {
	for _, tc := range []struct{ reason, spec, want string }{
		{"A typo has a nearest flag.", "{args: [--cache_mod=true]}",
			"sets --cache_mod, which Dragonfly v1.40 does not have, so it exits at start; did you mean --cache_mode? correct or remove it"},
		{"Of another version nobody knows here.", "{image: 'a:v1.41.0', args: [--cache_mod=true]}",
			"sets --cache_mod, which Dragonfly v1.40 does not have; did you mean --cache_mode? check that the version of your image has it, or Dragonfly exits at start"},
		{"Nor of an image without a version.", "{image: 'a:nightly', args: [--utterly_different]}",
			"sets --utterly_different, which Dragonfly v1.40 does not have; check that the version of your image has it, or Dragonfly exits at start"},
		{"What may not be set is not proposed.", "{args: [--ports=1]}",
			"sets --ports, which Dragonfly v1.40 does not have, so it exits at start; correct or remove it"},
		{"With a CA, Dragonfly asks the probe for a certificate.", "{args: [--tls_ca_cert_file=/a]}",
			"makes Dragonfly require a client certificate, which the probe does not have, so pods never become ready; remove it, or use another readinessProbe in overrides.statefulSet"},
	} {
		results := resultsOf(t, tc.spec)
		require.Len(t, results, 1, tc.reason)
		assert.Equal(t, fn.Warning, results[0].Severity, tc.reason)
		assert.Equal(t, "spec.args[0]", results[0].Field.Path, tc.reason)
		assert.Equal(t, tc.want, results[0].Message, tc.reason)
	}
}

// Only the wildcards are addresses that the Service and the probes reach.
func TestBind(t *testing.T) {
	for _, bad := range []string{"--bind", "--bind=127.0.0.1", "--bind=10.0.0.1", "--admin_bind=localhost", "--bind=", "--bind=0.0.0.0,::1", "--bind={name}"} {
		results := resultsOf(t, "{args: ['"+bad+"']}")
		require.Len(t, results, 1, bad)
		assert.Equal(t, fn.Error, results[0].Severity, bad)
	}
}
