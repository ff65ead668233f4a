package v1alpha1

import _ "embed" // the schemas

//go:embed dragonflyinstance.schema.json
var claimSchema []byte

//go:embed dragonflygenerator.schema.json
var configSchema []byte

// Schema returns the JSON schema of a kind, ClaimKind or ConfigKind; nil for any other. `make generate` writes it from
// the types of this package. The keyword x-unit is the unit of a number.
func Schema(kind string) []byte {
	return map[string][]byte{ClaimKind: claimSchema, ConfigKind: configSchema}[kind]
}
