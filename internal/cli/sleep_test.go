package cli

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSleep(t *testing.T) {
	start := time.Now()
	require.NoError(t, sleep(t.Context(), 20*time.Millisecond))
	assert.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)

	stopped, stop := context.WithCancel(t.Context())
	stop()
	assert.ErrorIs(t, sleep(stopped, time.Hour), context.Canceled, "A stopped container does not wait.")
}
