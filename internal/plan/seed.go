package plan

import (
	"fmt"
	"strings"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/claim"
	"github.com/bizmatters/dragonfly-generator/internal/config"
	"github.com/bizmatters/dragonfly-generator/internal/krm"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
	"github.com/bizmatters/dragonfly-generator/internal/report"
)

// SeedVariable is the environment variable that the seed comes from.
const SeedVariable = "DRAGONFLY_PASSWORD_SEED"

// seedRef names the Secret and the key that hold a seed. Zero for the environment alone.
type seedRef struct {
	krm.ID
	key string
}

// seed is a seed as far as there is one.
type seed struct {
	password.Seed

	// missing is the reason, for an error, why there is no seed.
	missing string
	// failed reports that a problem was reported.
	failed bool
}

// refuseUnstatedSeed reports a seed in the environment that no claim's source speaks of. The build that once
// lacks the variable would silently make something else.
func (p *passwords) refuseUnstatedSeed() {
	if text, found := p.LookupEnv(SeedVariable); !found || text == "" {
		return
	}
	for _, c := range p.Claims {
		if !c.Config.Password.Stated {
			p.results.Errorf(c.Item, "the environment variable %s is set, but no password source; set spec.password.source: %s in the configuration or the annotation %s: %s on the claim, or unset the variable",
				SeedVariable, v1alpha1.FromSeed, v1alpha1.PasswordSourceAnnotation, v1alpha1.FromSeed)
			return // the first stands for all
		}
	}
}

// seed returns the seed that the claim's password comes from. It is zero after a problem was reported.
func (p *passwords) seed(c claim.Claim) seed {
	policy := c.Config.Password
	ref := seedRef{policy.SeedSecret, policy.SeedKey}
	found, known := p.seeds[ref]
	if !known {
		found = p.findSeed(policy)
		p.seeds[ref] = found
	}
	if found.missing != "" {
		p.results.Errorf(c.Item, "the password has to come from a seed, but %s", found.missing)
	}
	return found
}

// findSeed takes the seed from the environment, from the Secret that the configuration names, or from
// both where they agree.
func (p *passwords) findSeed(policy config.PasswordPolicy) seed {
	fromSecret := p.seedFromSecret(policy)
	text, found := p.LookupEnv(SeedVariable)
	switch {
	case !found && policy.SeedSecret.Name == "":
		return seed{missing: fmt.Sprintf("there is none; set the environment variable %s (32 bytes or more, `openssl rand -base64 32`; pass it with `-e %s` to a container), or name a Secret in spec.password.seedSecretRef",
			SeedVariable, SeedVariable)}
	case !found:
		return fromSecret
	case text == "" && fromSecret.IsZero() && !fromSecret.failed: // a secret of a CI that is not there, most likely
		return seed{missing: fmt.Sprintf("the environment variable %s is empty; set its value, or unset it", SeedVariable)}
	case text == "":
		return fromSecret
	}
	fromEnvironment, err := password.ParseSeed(text)
	if err != nil {
		p.results.Errorf(nil, "the seed in the environment variable %s %s", SeedVariable, err)
		return seed{failed: true}
	}
	if !fromSecret.IsZero() && !fromSecret.Equal(fromEnvironment) {
		p.results.FieldErrorf(p.List.FunctionConfig, seedField(),
			"the Secret holds a different seed from the environment variable %s; remove one of them", SeedVariable)
		return seed{failed: true}
	}
	return seed{Seed: fromEnvironment, failed: fromSecret.failed}
}

func (p *passwords) seedFromSecret(policy config.PasswordPolicy) seed {
	found := SeedSecrets(p.List, policy)
	switch {
	case policy.SeedSecret.Name == "":
		return seed{}
	case len(found) == 0:
		return seed{missing: fmt.Sprintf("the Secret %s that spec.password.seedSecretRef names is not among the items; add it to the resources, decrypted (with KSOPS, for example), or set the environment variable %s",
			strings.TrimPrefix(policy.SeedSecret.Namespace+"/"+policy.SeedSecret.Name, "/"), SeedVariable)}
	case len(found) > 1:
		p.results.FieldErrorf(p.List.FunctionConfig, seedField(), "more than one Secret matches, in %s and %s; set the namespace, or remove one of them",
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
		p.results.FieldErrorf(found[0], report.Field{Path: field}, "the seed %s", err)
		return seed{failed: true}
	}
	return seed{Seed: parsed}
}

func seedField() report.Field { return report.Field{Path: "spec.password.seedSecretRef"} }

// SeedSecrets returns the Secrets among the items that the policy means, which should be one: by its own
// name and namespace, or by those that it had before kustomize changed them.
func SeedSecrets(list *krm.List, policy config.PasswordPolicy) []*krm.Item {
	ref := policy.SeedSecret
	if ref.Name == "" {
		return nil
	}
	var found []*krm.Item
	for _, item := range list.All() {
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
