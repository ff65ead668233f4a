package plan

import (
	"fmt"
	"strings"

	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/password"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// SeedVariable is the environment variable that the seed comes from.
const SeedVariable = "DRAGONFLY_PASSWORD_SEED"

// seed is the seed as far as there is one.
type seed struct {
	password.Seed

	// missing says, for an error, why there is none although there should be. It matters only when a
	// password has to be derived.
	missing string
	// failed says that a problem was reported.
	failed bool
}

// SeedSecrets returns the Secrets among the items that the configuration means, which should be one: by
// its own name and namespace, or by those that it had before kustomize changed them.
func SeedSecrets(in Input) []*krm.Item {
	ref := in.Config.Password.SeedSecret
	if ref.Name == "" {
		return nil
	}
	var found []*krm.Item
	for _, item := range in.List.Items {
		if item.Group != "" || item.Kind != "Secret" {
			continue
		}
		for _, name := range item.FormerNames() {
			if name.Name == ref.Name && (ref.Namespace == "" || effective(name.Namespace) == effective(ref.Namespace)) {
				found = append(found, item)
				break
			}
		}
	}
	return found
}

// effective is how kustomize remembers that there was no namespace.
func effective(namespace string) string {
	if namespace == "" {
		return "default"
	}
	return namespace
}

// findSeed takes the seed from the environment, from the Secret that the configuration names, or from
// both where they agree.
func findSeed(in Input, results *report.Results) seed {
	fromSecret := seedFromSecret(in, results)
	text, found := in.LookupEnv(SeedVariable)
	if !found {
		return fromSecret
	}
	if text == "" { // an unset variable of a CI, most likely
		if fromSecret.IsZero() && !fromSecret.failed {
			fromSecret.missing = fmt.Sprintf("the environment variable %s is set and empty; give it its value, or unset it", SeedVariable)
		}
		return fromSecret
	}
	fromEnvironment, err := password.ParseSeed(text)
	if err != nil {
		results.Errorf(nil, "the seed in the environment variable %s %s", SeedVariable, err)
		return seed{failed: true}
	}
	if !fromSecret.IsZero() && !fromSecret.Equal(fromEnvironment) {
		results.FieldErrorf(in.List.FunctionConfig, seedField(),
			"the Secret holds another seed than the environment variable %s; unset one of them", SeedVariable)
		return seed{failed: true}
	}
	return seed{Seed: fromEnvironment, failed: fromSecret.failed}
}

func seedFromSecret(in Input, results *report.Results) seed {
	policy := in.Config.Password
	found := SeedSecrets(in)
	switch {
	case policy.SeedSecret.Name == "":
		return seed{}
	case len(found) == 0:
		return seed{missing: fmt.Sprintf("the Secret %s that spec.password.seedSecretRef names is not among the items; add it to the resources, decrypted (with KSOPS, for example), or set the environment variable %s",
			strings.TrimPrefix(policy.SeedSecret.Namespace+"/"+policy.SeedSecret.Name, "/"), SeedVariable)}
	case len(found) > 1:
		results.FieldErrorf(in.List.FunctionConfig, seedField(), "more than one Secret is meant, in %s and %s; name its namespace, or remove one of them",
			found[0].Place(), found[1].Place())
		return seed{failed: true}
	case found[0].IsEncrypted():
		return seed{missing: fmt.Sprintf("the Secret %s that holds it is encrypted with SOPS; decrypt it before this function runs, with KSOPS for example", found[0].Name)}
	}
	text, field, err := secretText(found[0].Node, policy.SeedKey)
	var parsed password.Seed
	if err == nil {
		parsed, err = password.ParseSeed(text)
	}
	if err != nil {
		results.FieldErrorf(found[0], report.Field{Path: field}, "the seed %s", err)
		return seed{failed: true}
	}
	return seed{Seed: parsed}
}

func seedField() report.Field { return report.Field{Path: "spec.password.seedSecretRef"} }
