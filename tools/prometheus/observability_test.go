// Package observability_test checks examples/observability with Prometheus's parsers and test tool, and with the
// Prometheus Operator's types. `make observability-test` runs it.
package observability_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelabels "k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const (
	examples = "../../examples"
	docs     = "../../docs"
)

// The metrics that the alerts and the dashboard may use; the file says where each comes from.
const metricsFile = "metrics.tsv"

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return content
}

// example reads one of the example's objects into its Go type, which must have all its fields, spelled as the API
// server wants them: encoding/json, and so sigs.k8s.io/yaml, would accept joblabel for jobLabel.
func example[T any](t *testing.T, file string) T {
	t.Helper()
	text, err := yaml.YAMLToJSONStrict(read(t, examples, "observability", file))
	require.NoError(t, err, file)
	var object T
	unknown, err := json.UnmarshalStrict(text, &object)
	require.NoError(t, err, file)
	require.Empty(t, unknown, file)
	return object
}

func alerts(t *testing.T) []monitoringv1.Rule {
	t.Helper()
	rule := example[monitoringv1.PrometheusRule](t, "prometheusrule.yaml")
	assert.Equal(t, "PrometheusRule", rule.Kind)
	var all []monitoringv1.Rule
	for _, group := range rule.Spec.Groups {
		all = append(all, group.Rules...)
	}
	require.Greater(t, len(all), 10)
	return all
}

// ruleTest is the part of a promtool test that we check.
type ruleTest struct {
	Tests []struct {
		Name        string `json:"name"`
		InputSeries []struct {
			Series string `json:"series"`
		} `json:"input_series"`
		Checks []struct {
			Expr    string `json:"expr"`
			Samples []struct {
				Labels string `json:"labels"`
			} `json:"exp_samples"`
		} `json:"promql_expr_test"`
	} `json:"tests"`
}

// promtool runs it in folder.
func promtool(t *testing.T, folder string, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	require.NoError(t, err, "run `make observability-test`, which builds promtool")
	run := exec.Command(program, args...)
	run.Dir = folder
	out, err := run.CombinedOutput()
	require.NoError(t, err, "promtool %s\n%s", strings.Join(args, " "), out)
}

func TestRules(t *testing.T) {
	// promtool does not know PrometheusRules, but the spec of one is a rule file.
	rules, err := yaml.Marshal(example[monitoringv1.PrometheusRule](t, "prometheusrule.yaml").Spec)
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "rules.yaml"), rules, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "rules_test.yaml"), read(t, "rules_test.yaml"), 0o600))
	promtool(t, folder, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
	promtool(t, folder, "test", "rules", "rules_test.yaml")
}

// TestSnapshotAge: the dashboard's longest expression counts from the last attempt that succeeded. One succeeds at
// minute 30, one fails at minute 40, and now it is minute 50.
func TestSnapshotAge(t *testing.T) {
	expressions := dashboardExpressions(t)
	var age string
	for _, expression := range expressions {
		if strings.HasPrefix(expression, "time() - ") {
			age = expression
		}
	}
	const pod = `{job="dragonfly", namespace="shop", instance="cart", pod="cart-0"}`
	type fields = map[string]any
	test, err := yaml.Marshal(fields{"tests": []fields{{
		"interval": "1m",
		"input_series": []fields{
			{"series": "dragonfly_backups_total" + pod, "values": "0x29 1x9 2x29"},
			{"series": "dragonfly_failed_backups_total" + pod, "values": "0x39 1x29"},
		},
		"promql_expr_test": []fields{{
			"expr": age, "eval_time": "50m",
			"exp_samples": []fields{{"labels": pod, "value": 20 * 60}},
		}},
	}}})
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "age_test.yaml"), test, 0o600))
	promtool(t, folder, "test", "rules", "age_test.yaml")
}

var labelInTemplate = regexp.MustCompile(`\$labels\.(\w+)`)

// TestEveryAlertIsTested keeps the unit tests complete: each alert fires for some of their series and not for others.
func TestEveryAlertIsTested(t *testing.T) {
	var tests ruleTest
	require.NoError(t, yaml.Unmarshal(read(t, "rules_test.yaml"), &tests))
	tested := map[string]bool{}
	fired := map[string][]string{} // the labels that alerts have when they fire
	for _, test := range tests.Tests {
		quiet := false
		for _, series := range test.InputSeries {
			quiet = quiet || strings.Contains(series.Series, `namespace="quiet"`)
		}
		assert.True(t, quiet, "%s has no series for which it must not fire", test.Name)
		for _, check := range test.Checks {
			require.Contains(t, check.Expr, `alertname="`+test.Name+`"`)
			for _, sample := range check.Samples {
				require.Contains(t, sample.Labels, `namespace="shop"`, "%s fires for a series for which it must not", test.Name)
				fired[test.Name] = append(fired[test.Name], sample.Labels)
			}
		}
		tested[test.Name] = true
	}
	for _, alert := range alerts(t) {
		assert.True(t, tested[alert.Alert], "%s has no test", alert.Alert)
		assert.NotEmpty(t, fired[alert.Alert], "%s never fires in its test", alert.Alert)
		for _, text := range alert.Annotations {
			for _, label := range labelInTemplate.FindAllStringSubmatch(text, -1) {
				for _, sample := range fired[alert.Alert] {
					assert.Contains(t, sample, label[1]+`="`, "%s uses a label that it does not have", alert.Alert)
				}
			}
		}
	}
	assert.Len(t, tested, len(alerts(t)), "a test has no alert")
}

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	const site = "https://github.com/bizmatters/dragonfly-generator/blob/main/docs/"
	for _, alert := range alerts(t) {
		assert.Contains(t, []string{"critical", "warning", "info"}, alert.Labels["severity"], alert.Alert)
		assert.NotEmpty(t, alert.Annotations["summary"], alert.Alert)
		assert.NotEmpty(t, alert.Annotations["description"], alert.Alert)
		page, anchor, found := strings.Cut(strings.TrimPrefix(alert.Annotations["runbook_url"], site), "#")
		require.True(t, found, alert.Alert)
		var anchors []string
		for line := range strings.Lines(string(read(t, docs, page))) {
			if heading := strings.TrimLeft(line, "#"); heading != line {
				anchors = append(anchors, strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-"))
			}
		}
		assert.Contains(t, anchors, anchor, "the runbook of %s", alert.Alert)
	}
}

// dashboard is the part of a Grafana dashboard that we check.
type dashboard struct {
	Panels []struct {
		ID          int    `json:"id"`
		Title       string `json:"title"`
		Description string `json:"description"`
		Targets     []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.+), \w+\)$`)
	unknown     = regexp.MustCompile(`\$\w+`)
	variables   = strings.NewReplacer("$__rate_interval", "5m", "$namespace", "(shop|quiet)", "$instance", "(cart|gap)")
)

// dashboardExpressions are the expressions that Grafana sends to Prometheus, with its variables filled in.
func dashboardExpressions(t *testing.T) map[string]string {
	t.Helper()
	var board dashboard
	require.NoError(t, json.UnmarshalCaseSensitivePreserveInts(read(t, examples, "observability", "dashboard.json"), &board))
	expressions, ids, names := map[string]string{}, map[int]bool{}, []string{}
	for _, panel := range board.Panels {
		assert.False(t, ids[panel.ID], "two panels with the id %d", panel.ID)
		ids[panel.ID] = true
		assert.NotEmpty(t, panel.Description, panel.Title)
		assert.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			assert.Contains(t, target.Expr, "$namespace", "%s does not follow the variable", panel.Title)
			assert.Contains(t, target.Expr, "$instance", "%s does not follow the variable", panel.Title)
			expressions[target.Expr] = variables.Replace(target.Expr)
		}
	}
	for _, variable := range board.Templating.List {
		names = append(names, variable.Name)
		if query := labelValues.FindStringSubmatch(variable.Definition); query != nil {
			expressions[variable.Definition] = variables.Replace(query[1])
		}
	}
	assert.Equal(t, []string{"datasource", "namespace", "instance"}, names)
	for _, expression := range expressions {
		assert.NotRegexp(t, unknown, replacements.ReplaceAllString(expression, ""), "a variable that the dashboard does not have")
	}
	return expressions
}

// replacements are label_replace's groups, which look like Grafana's variables.
var replacements = regexp.MustCompile(`"\$\d"`)

// TestMetrics lets no expression use a metric that nothing exports, and keeps unused metrics off the list.
func TestMetrics(t *testing.T) {
	expressions := dashboardExpressions(t)
	for _, alert := range alerts(t) {
		expressions[alert.Alert] = alert.Expr.String()
	}
	used := map[string]bool{}
	for from, expression := range expressions {
		parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
		require.NoError(t, err, from)
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			selector, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			assert.NotEmpty(t, selector.Name, "%s selects series without the name of a metric", from)
			used[selector.Name] = true
			isOurs := slices.ContainsFunc(selector.LabelMatchers, func(m *labels.Matcher) bool {
				return m.Type == labels.MatchEqual && m.Name == "job" && m.Value == "dragonfly"
			})
			if selector.Name == "up" || strings.HasPrefix(selector.Name, "dragonfly_") {
				assert.True(t, isOurs, "%s selects %s of every job", from, selector.Name)
			}
			return nil
		})
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(read(t, metricsFile))) {
		if name, _, _ := strings.Cut(line, "\t"); !strings.HasPrefix(line, "#") {
			known[name] = true
		}
	}
	assert.Equal(t, known, used, "%s must list exactly the metrics in use", metricsFile)
}

// pod is what Prometheus discovers about a pod.
type pod struct {
	namespace string
	labels    map[string]string
	ports     []corev1.ContainerPort
}

// exampleInstance returns the pod of the StatefulSet in an example's output.
func exampleInstance(t *testing.T, folder string) pod {
	t.Helper()
	for _, document := range strings.Split(string(read(t, examples, folder, "expected.yaml")), "\n---\n") {
		var set appsv1.StatefulSet
		require.NoError(t, yaml.Unmarshal([]byte(document), &set))
		if set.Kind == "StatefulSet" {
			return pod{set.Namespace, set.Spec.Template.Labels, set.Spec.Template.Spec.Containers[0].Ports}
		}
	}
	require.Fail(t, "no StatefulSet in "+folder)
	return pod{}
}

func labeled(p pod, key, value string) pod {
	p.labels = map[string]string(kubelabels.Merge(p.labels, kubelabels.Set{key: value}))
	return p
}

// operatorInstance is a pod of the Dragonfly Operator v1.6.1.
var operatorInstance = pod{
	"shop",
	map[string]string{"app": "cart", "app.kubernetes.io/name": "dragonfly", "app.kubernetes.io/part-of": "dragonfly", "role": "master"},
	[]corev1.ContainerPort{{Name: "redis", ContainerPort: 6379}, {Name: "admin", ContainerPort: 9999}},
}

// TestEveryPodIsScrapedOnce applies the selectors and relabelings to pods as the Prometheus Operator does.
func TestEveryPodIsScrapedOnce(t *testing.T) {
	plain, tls := exampleInstance(t, "agent-executor-cache"), exampleInstance(t, "platforms/tls")
	for _, tc := range []struct {
		reason                            string
		pod                               pod
		monitor, instance, scheme, target string
	}{
		{"An instance.", plain, "dragonfly", "agent-executor-cache", "http", "10.0.0.1:6379"},
		{"One with TLS is scraped by the name in its certificate.", labeled(tls, "metrics-scheme", "https"), "dragonfly-tls", "cart", "https", "cart.shop-tls.svc.cluster.local:6379"},
		{"One run by the operator.", operatorInstance, "dragonfly-operator", "cart", "http", "10.0.0.1:9999"},
		{"One run by the operator with TLS, which its admin port does not have.", labeled(operatorInstance, "metrics-scheme", "https"), "dragonfly-operator", "cart", "http", "10.0.0.1:9999"},
		{"Another Dragonfly.", pod{"shop", map[string]string{"app.kubernetes.io/name": "dragonfly"}, plain.ports}, "", "", "", ""},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			var scraped []string
			for _, file := range []string{"podmonitor.yaml", "podmonitor-tls.yaml", "podmonitor-operator.yaml"} {
				monitor := example[monitoringv1.PodMonitor](t, file)
				assert.Equal(t, "PodMonitor", monitor.Kind)
				assert.True(t, monitor.Spec.NamespaceSelector.Any)
				assert.Equal(t, "app.kubernetes.io/name", monitor.Spec.JobLabel)
				selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
				require.NoError(t, err)
				if !selector.Matches(kubelabels.Set(tc.pod.labels)) {
					continue
				}
				assert.Equal(t, "dragonfly", tc.pod.labels[monitor.Spec.JobLabel], "the job that alerts and dashboard select")
				for _, endpoint := range monitor.Spec.PodMetricsEndpoints {
					at := slices.IndexFunc(tc.pod.ports, func(port corev1.ContainerPort) bool { return port.Name == *endpoint.Port })
					require.GreaterOrEqual(t, at, 0, "%s has no port %s", file, *endpoint.Port)
					target := relabeled(t, tc.pod, tc.pod.ports[at], endpoint.RelabelConfigs)
					scraped = append(scraped, monitor.Name)
					assert.Equal(t, tc.instance, target.Get("instance"))
					assert.Equal(t, tc.target, target.Get("__address__"))
					assert.Equal(t, tc.scheme, endpoint.Scheme.String())
					assert.Equal(t, "/metrics", endpoint.Path)
					assert.Equal(t, tc.scheme == "https", endpoint.TLSConfig != nil && endpoint.TLSConfig.CA.ConfigMap != nil)
				}
			}
			if tc.monitor == "" {
				assert.Empty(t, scraped)
			} else {
				assert.Equal(t, []string{tc.monitor}, scraped)
			}
		})
	}
}

// TestCertificateIsProbed has the blackbox exporter probe the port of each pod with TLS.
func TestCertificateIsProbed(t *testing.T) {
	monitor := example[monitoringv1.PodMonitor](t, "podmonitor-certificate.yaml")
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	require.NoError(t, err)
	withTLS := labeled(exampleInstance(t, "platforms/tls"), "metrics-scheme", "https")
	assert.True(t, selector.Matches(kubelabels.Set(withTLS.labels)))
	assert.False(t, selector.Matches(kubelabels.Set(exampleInstance(t, "agent-executor-cache").labels)))
	require.Len(t, monitor.Spec.PodMetricsEndpoints, 1)
	endpoint := monitor.Spec.PodMetricsEndpoints[0]
	assert.Equal(t, withTLS.ports[0].Name, *endpoint.Port)
	target := relabeled(t, withTLS, withTLS.ports[0], endpoint.RelabelConfigs)
	assert.Equal(t, "10.0.0.1:6379", target.Get("__param_target"))
	assert.Equal(t, "prometheus-blackbox-exporter.monitoring.svc:9115", target.Get("__address__"))
	assert.Equal(t, "cart", target.Get("instance"))
	assert.Equal(t, "dragonfly-certificate", target.Get("job"), "the job that the alert selects")
	module := "dragonfly_tls"
	assert.Equal(t, []string{module}, endpoint.Params["module"])
	assert.Contains(t, string(read(t, docs, "observability.md")), "\n  "+module+":\n", "the page must show the module")
}

// relabeled returns a target's labels after the relabelings.
func relabeled(t *testing.T, p pod, port corev1.ContainerPort, rules []monitoringv1.RelabelConfig) labels.Labels {
	t.Helper()
	target := map[string]string{
		"__address__":                 "10.0.0.1:" + map[int32]string{6379: "6379", 9999: "9999"}[port.ContainerPort],
		"__meta_kubernetes_namespace": p.namespace,
	}
	invalid := regexp.MustCompile(`\W`)
	for key, value := range p.labels {
		target["__meta_kubernetes_pod_label_"+invalid.ReplaceAllString(key, "_")] = value
	}
	var configs []*relabel.Config
	for _, rule := range rules {
		config := relabel.DefaultRelabelConfig
		for _, label := range rule.SourceLabels {
			config.SourceLabels = append(config.SourceLabels, model.LabelName(label))
		}
		config.TargetLabel = rule.TargetLabel
		if rule.Separator != nil {
			config.Separator = *rule.Separator
		}
		if rule.Replacement != nil {
			config.Replacement = *rule.Replacement
		}
		if rule.Regex != "" {
			config.Regex = relabel.MustNewRegexp(rule.Regex)
		}
		require.Empty(t, rule.Action, "this test knows only the default action, replace")
		require.NoError(t, config.Validate(model.UTF8Validation))
		config.NameValidationScheme = model.UTF8Validation
		configs = append(configs, &config)
	}
	builder := labels.NewBuilder(labels.FromMap(target))
	require.True(t, relabel.ProcessBuilder(builder, configs...))
	return builder.Labels()
}

// TestNetworkPolicy opens the operator's admin port to Prometheus and to nobody else.
func TestNetworkPolicy(t *testing.T) {
	policy := example[networkingv1.NetworkPolicy](t, "networkpolicy-operator.yaml")
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	require.NoError(t, err)
	assert.True(t, selector.Matches(kubelabels.Set(operatorInstance.labels)))
	require.Len(t, policy.Spec.Ingress, 1)
	rule := policy.Spec.Ingress[0]
	require.Len(t, rule.From, 1, "a second entry would be an alternative")
	assert.NotNil(t, rule.From[0].NamespaceSelector)
	assert.NotNil(t, rule.From[0].PodSelector)
	require.Len(t, rule.Ports, 1)
	assert.EqualValues(t, 9999, rule.Ports[0].Port.IntValue())
}

// TestKustomizationHasEverything finds files that were added to the folder but not to the kustomization.
func TestKustomizationHasEverything(t *testing.T) {
	kustomization := string(read(t, examples, "observability", "kustomization.yaml"))
	files, err := os.ReadDir(filepath.Join(examples, "observability"))
	require.NoError(t, err)
	for _, file := range files {
		switch file.Name() {
		case "README.md", "kustomization.yaml": // the kustomization itself
		case "networkpolicy-operator.yaml", "podmonitor-certificate.yaml": // for other namespaces, or needs an exporter
			assert.NotContains(t, kustomization, "- "+file.Name())
		case "dashboard.json":
			assert.Contains(t, kustomization, "files: ["+file.Name()+"]")
		default:
			assert.Contains(t, kustomization, "- "+file.Name()+"\n")
		}
	}
}
