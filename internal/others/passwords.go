package others

import (
	"encoding/base64"
	"regexp"
	"sync"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/plan"
	"github.com/bizmatters/dragonfly-generator/internal/report"
	"github.com/bizmatters/dragonfly-generator/internal/yamlnode"
)

// upstream is kpt's annotation for what was fetched with a package.
const upstream = "internal.kpt.dev/upstream-identifier"

// password warns of a password that is not the instance's own yet, or not its own alone.
func (w *warner) password(p *plan.Plan) {
	if p.Failed {
		return
	}
	for _, item := range w.list.Find(p.Instance.PasswordSecretID()) {
		text, field := "", ""
		if text, field = yamlnode.Text(item.Node, "stringData", instance.PasswordKey), "stringData"; text == "" {
			field = "data"
			if decoded, err := base64.StdEncoding.DecodeString(yamlnode.Text(item.Node, "data", instance.PasswordKey)); err == nil {
				text = string(decoded)
			}
		}
		switch isOurs := item.Annotation(v1alpha1.GeneratedFrom) != ""; {
		case text == "" || item.IsEncrypted():
		case isPlaceholder(text) && (p.ConnectionSecret == plan.Write || p.ConnectionSecret == plan.Renew):
			w.results.FieldWarnf(item, report.Field{Path: field + "." + instance.PasswordKey},
				"looks like a placeholder to be filled in later, but its copy in the Secret %s is base64 and will not be; use the password itself, or let the same tool make both Secrets (password source %s)", p.Instance.ConnectionSecret(), v1alpha1.External)
		case isOurs && item.Annotation(upstream) != "":
			w.results.Warnf(item, "came with the package from upstream, so everyone who fetches it has the same password; remove the Secrets %s and %s here to get your own", p.Instance.PasswordSecret(), p.Instance.ConnectionSecret())
		}
	}
}

// extraKeys warns of placeholders in the templates of the configuration.
func (w *warner) extraKeys() {
	if w.list.FunctionConfig == nil {
		return
	}
	for key, value := range yamlnode.Fields(yamlnode.Get(w.list.FunctionConfig.Node, "spec", "connectionSecret", "extraKeys")) {
		if isPlaceholder(yamlnode.Text(value)) {
			w.results.FieldWarnf(w.list.FunctionConfig, report.Field{Path: "spec.connectionSecret.extraKeys." + key.Value},
				"looks like a placeholder to be filled in later, but it is written to a Secret as base64 and will not be; use the value itself")
		}
	}
}

// isPlaceholder reports whether a text is one of those that tools fill in after a build: ${X} of Flux and envsubst,
// op:// of 1Password, ref+ of vals, <path:…> of the Argo CD Vault plugin, {{…}} of many.
func isPlaceholder(text string) bool { return placeholder().MatchString(text) }

var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$\{[A-Za-z_][^{}]*\}|^\$[A-Z_][A-Z0-9_]*$|^(op|secretref\+|ref\+)[a-z0-9]*://|<path:[^>]*>|\{\{.*\}\}`)
})
