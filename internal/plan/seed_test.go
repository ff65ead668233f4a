package plan_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

const previously = "internal.config.kubernetes.io/previousNames: dragonfly-seed, internal.config.kubernetes.io/previousNamespaces: "

// seedSecret is a Secret of that namespace and name with those annotations, and with that body besides
// its metadata.
func seedSecret(namespace, name, annotations, body string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata: {name: " + name + ", namespace: " + namespace + ", annotations: {" + annotations + "}}\n" + body
}

func TestSeedFromSecret(t *testing.T) {
	const body = "stringData: {seed: " + seed + "}"
	const other = "stringData: {seed: hunter2-hunter2-hunter2-hunter2-hunter2}"
	good := seedSecret("platform", "dragonfly-seed", "", body)
	claim := myCache()
	there := secret("password", holds("hunter2"), mark)

	for _, tc := range []struct {
		reason      string
		items       []string
		namespace   string // of the reference
		environment string
		source      v1alpha1.PasswordSource
		password    string
		want        []problem
	}{
		{reason: "The Secret that the configuration names holds the seed.", items: []string{claim, good}, namespace: "platform", password: seeded},
		{reason: "The Secret may stand before the claim.", items: []string{good, claim}, namespace: "platform", password: seeded},
		{reason: "Its namespace need not be named where there is but one.", items: []string{claim, good}, password: seeded},
		{reason: "Data is as good as stringData.", items: []string{claim, seedSecret("platform", "dragonfly-seed", "", "data: {seed: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYK}")}, namespace: "platform", password: seeded},
		{reason: "A Secret that kustomize has renamed and moved is found by what it was.",
			items: []string{claim, seedSecret("prod", "eu-dragonfly-seed", previously+"platform", body)}, namespace: "platform", password: seeded},
		{reason: "Kustomize remembers no namespace as default.",
			items: []string{claim, seedSecret("prod", "eu-dragonfly-seed", previously+"default", body)}, namespace: "default", password: seeded},
		{reason: "A Secret without a namespace is in default.", items: []string{claim, seedSecret("", "dragonfly-seed", "", body)}, namespace: "default", password: seeded},
		{reason: "The same seed in both places is one.", items: []string{claim, good}, namespace: "platform", environment: seed + "\n", password: seeded},
		{reason: "The environment's seed is enough where the Secret is not there.", items: []string{claim}, namespace: "platform", environment: seed, password: seeded},
		{reason: "The environment's seed is enough where the Secret is encrypted.",
			items: []string{claim, seedSecret("platform", "dragonfly-seed", "", "data: {seed: ENC}\nsops: {mac: x}")}, namespace: "platform", environment: seed, password: seeded},
		{reason: "A seed that is missing is none that a password that is there needs.", items: []string{claim, there}, namespace: "platform", password: "hunter2"},
		{reason: "A seed that is missing is none that a random password needs.", items: []string{claim}, namespace: "platform", source: v1alpha1.FromRandom, password: random},

		{reason: "Two seeds give two passwords, and nobody knows which counts.", items: []string{claim, seedSecret("platform", "dragonfly-seed", "", other)}, namespace: "platform", environment: seed,
			want: []problem{{"spec.password.seedSecretRef", nil, "another seed than the environment variable DRAGONFLY_PASSWORD_SEED"}}},
		{reason: "A Secret that is not there gives no seed.", items: []string{claim}, namespace: "platform",
			want: []problem{{"", nil, "platform/dragonfly-seed"}}},
		{reason: "Another namespace's Secret is another one.", items: []string{claim, seedSecret("other", "dragonfly-seed", "", body)}, namespace: "platform",
			want: []problem{{"", nil, "is not among the items"}}},
		{reason: "A ConfigMap is no Secret.", items: []string{claim, strings.Replace(good, "kind: Secret", "kind: ConfigMap", 1)}, namespace: "platform",
			want: []problem{{"", nil, "is not among the items"}}},
		{reason: "Of two Secrets nobody knows which counts.", items: []string{claim, good, seedSecret("other", "dragonfly-seed", "", other)},
			want: []problem{{"spec.password.seedSecretRef", nil, "items[1] and items[2]"}}},
		{reason: "A Secret that SOPS has encrypted gives no seed.", items: []string{claim, seedSecret("platform", "dragonfly-seed", "", "data: {seed: 'ENC[hunter2]'}\nsops: {mac: x}")}, namespace: "platform",
			want: []problem{{"", nil, "KSOPS"}}},
		{reason: "A Secret without the key gives no seed.", items: []string{claim, seedSecret("platform", "dragonfly-seed", "", "stringData: {other: hunter2}")}, namespace: "platform",
			want: []problem{{"data.seed", nil, "has no key seed"}}},
		{reason: "A seed that is too short is refused.", items: []string{claim, seedSecret("platform", "dragonfly-seed", "", "stringData: {seed: hunter2}")}, namespace: "platform",
			want: []problem{{"stringData.seed", nil, "32 bytes"}}},
		{reason: "A seed in broken base64 is refused.", items: []string{claim, seedSecret("platform", "dragonfly-seed", "", "data: {seed: hunter2-}")}, namespace: "platform",
			want: []problem{{"data.seed", nil, "base64"}}},
	} {
		in := fromSeed(list(t, "{apiVersion: database.bizmatters.io/v1alpha1, kind: DragonflyGenerator}", tc.items...))
		in.LookupEnv = seedIs(tc.environment)
		in.Config.Password.SeedSecret = krm.ID{Kind: "Secret", Namespace: tc.namespace, Name: "dragonfly-seed"}
		in.Config.Password.SeedKey = "seed"
		if tc.source != "" {
			in.Config.Password.Source = tc.source
		}
		var results report.Results
		plans, _ := plan.Make(in, &results)
		assertProblems(t, tc.want, results.All(), tc.reason)
		require.Len(t, plans, 1, tc.reason)
		assert.Equal(t, tc.password, plans[0].Instance.Password.Reveal(), tc.reason)
	}
}

func TestSeedSecrets(t *testing.T) {
	in := fromSeed(list(t, "", myCache(),
		seedSecret("platform", "dragonfly-seed", "", ""),
		seedSecret("prod", "eu-dragonfly-seed", previously+"platform", ""),
		seedSecret("other", "dragonfly-seed", "", ""),
	))
	assert.Empty(t, plan.SeedSecrets(in), "Without a reference no Secret is meant.")
	in.Config.Password.SeedSecret = krm.ID{Kind: "Secret", Namespace: "platform", Name: "dragonfly-seed"}
	assert.Equal(t, in.List.Items[1:3], plan.SeedSecrets(in), "All that the reference may mean are kept away from the cluster.")
}
