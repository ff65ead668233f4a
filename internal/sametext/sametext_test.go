package sametext_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bizmatters/dragonfly-generator/internal/sametext"
)

func TestHide(t *testing.T) {
	const secret = `items:
- apiVersion: v1
  data: # of the Secret
    password: aHVudGVyMg==
    text: |
      hunter2

      hunter2
  kind: Secret
- stringData: {password: hunter2}
  kind: Secret
`
	const hidden = `items:
- apiVersion: v1
  data:
    password: [hidden]
    text: [hidden]
      [hidden]

      [hidden]
  kind: Secret
- stringData:
  kind: Secret
`
	assert.Equal(t, hidden, sametext.Hide(secret))
}

func TestMaskRandom(t *testing.T) {
	const (
		random = "password: MDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAw\n" // 00000000-0000-4000-8000-000000000000
		other  = "password: MDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAx\n"
		seeded = "password: MDAwMDAwMDAtMDAwMC04MDAwLTgwMDAtMDAwMDAwMDAwMDAw\n"
	)
	assert.Equal(t, "password: <random password 1>\npassword: <random password 1>\npassword: <random password 2>\n"+seeded,
		sametext.MaskRandom(random+random+other+seeded))
}
