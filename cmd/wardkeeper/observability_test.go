package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const observability = "../../adapters/deploy/observability/"

// alertRule is a rule of alerts.yaml.
type alertRule struct {
	Alert, Expr, For string
	Labels           struct{ Severity string }
	Annotations      struct {
		Summary    string
		RunbookURL string `yaml:"runbook_url"`
	}
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	data, err := os.ReadFile(observability + "alerts.yaml")
	require.NoError(t, err)
	var file struct{ Groups []struct{ Rules []alertRule } }
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	require.NoError(t, decoder.Decode(&file))
	require.Len(t, file.Groups, 1)
	return file.Groups[0].Rules
}

// TestAlertsLeadToOperations checks that each alert is explained in the table of OPERATIONS.md, and links to the section that the
// table names, which exists.
func TestAlertsLeadToOperations(t *testing.T) {
	text := documents(t)[operations]
	_, table, _ := strings.Cut(text, "\n## Alerts\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := map[string]string{}
	for line := range strings.Lines(table) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | "); ok && strings.HasPrefix(line, "| `") {
			rows[name] = rest
		}
	}
	rules := alertRules(t)
	require.Len(t, rows, len(rules), "an alert is one row")
	for _, rule := range rules {
		row := rows[rule.Alert]
		require.NotEmpty(t, row, "explain the alert %s in %s", rule.Alert, operations)
		assert.True(t, strings.HasPrefix(row, rule.Labels.Severity+" | "), "%s: %s", rule.Alert, rule.Labels.Severity)
		assert.NotEmpty(t, rule.Annotations.Summary, rule.Alert)
		_, anchor, _ := strings.Cut(rule.Annotations.RunbookURL, operations+"#")
		assert.True(t, anchor == "alerts" || strings.Contains(row, "(#"+anchor+")"), "%s links to %q, its row does not", rule.Alert, anchor)
		heading := regexp.MustCompile(`(?mi)^#+ ` + strings.ReplaceAll(regexp.QuoteMeta(anchor), "-", " ") + `$`)
		assert.Regexp(t, heading, text, rule.Alert)
	}
}

// TestDashboardAndAlertsUseMetricsThatThereAre checks each query of the dashboard, and each expression of an alert.
func TestDashboardAndAlertsUseMetricsThatThereAre(t *testing.T) {
	exposed := map[string]bool{}
	for _, name := range sourceMetrics(t) {
		exposed[name] = true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		exposed["wardkeeper_http_request_duration_seconds"+suffix] = true
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		exposed[family.GetName()] = true
	}
	queries := map[string]string{}
	for _, rule := range alertRules(t) {
		queries[rule.Alert] = rule.Expr
	}
	data, err := os.ReadFile(observability + "dashboard.json")
	require.NoError(t, err)
	var dashboard any
	require.NoError(t, json.Unmarshal(data, &dashboard))
	eachQuery(dashboard, func(query string) { queries["dashboard: "+query] = query })
	require.Greater(t, len(queries), 50)
	for where, query := range queries {
		names := regexp.MustCompile(`\b(?:wardkeeper|go|process)_[a-z_]+`).FindAllString(query, -1)
		assert.NotEmpty(t, names, where)
		for _, name := range names {
			assert.True(t, exposed[name], "%s: the server has no metric %s", where, name)
		}
	}
}

// eachQuery visits the queries of a dashboard, and the metrics that its variables ask for.
func eachQuery(node any, visit func(query string)) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			query, ok := value.(string)
			if ok && (key == "expr" || key == "query" && strings.Contains(query, "(")) {
				visit(query)
			}
			eachQuery(value, visit)
		}
	case []any:
		for _, value := range node {
			eachQuery(value, visit)
		}
	}
}

// TestPromtoolAcceptsRulesAndMetrics has Prometheus' own tool read the rules, and the metrics of a server.
func TestPromtoolAcceptsRulesAndMetrics(t *testing.T) {
	skipIfShort(t)
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	t.Parallel()
	out, err := exec.Command(promtool, "check", "rules", filepath.FromSlash(observability+"alerts.yaml")).CombinedOutput()
	require.NoError(t, err, string(out))
	d := startServer(t, "--directory", testDirectory)
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(get(t, http.DefaultClient, d.url+"/metrics"))
	out, err = check.CombinedOutput()
	require.NoError(t, err, string(out))
}
