package config

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpenTelemetrysVariablesConfigureItsSinks(t *testing.T) {
	file := writeFile(t, "c.yaml", `decision_log:
  dir: log
  sinks:
  - {name: a, format: otlp}
  - {name: b, format: otlp, to: "https://other.example.org/v1/logs"}
  - {name: c, format: opa, to: "https://opa.example.org/logs"}
`)
	for _, c := range []struct {
		environ []string
		to      string
	}{
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://otel.example.org:4318/"}, "https://otel.example.org:4318/v1/logs"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://x", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=https://logs.example.org/in"}, "https://logs.example.org/in"},
	} {
		environ := append(c.environ, "OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20b, X-Tenant=t", "OTEL_EXPORTER_OTLP_CERTIFICATE=ca.pem", "OTEL_SERVICE_NAME=pdp")
		s, err := Load(environ, map[string]string{FileFlag: file})
		require.NoError(t, err)
		require.NoError(t, s.Validate())
		sinks := s.DecisionLog.Sinks
		require.Equal(t, c.to, sinks[0].To)
		require.Equal(t, map[string]string{"api-key": "a b", "X-Tenant": "t"}, sinks[0].Header)
		require.Equal(t, "ca.pem", sinks[0].CAFile)
		require.Equal(t, "pdp", sinks[0].Service)
		require.Equal(t, "https://other.example.org/v1/logs", sinks[1].To)
		require.Empty(t, sinks[1].Header, "secrets of one service are not for another")
		require.Empty(t, sinks[1].CAFile)
		require.Empty(t, sinks[2].Service)
	}
	s, err := Load(nil, map[string]string{FileFlag: file})
	require.NoError(t, err)
	require.ErrorContains(t, s.Validate(), "set OTEL_EXPORTER_OTLP_ENDPOINT")
}

func TestMalformedHeadersOfOpenTelemetryFailTheStart(t *testing.T) {
	file := writeFile(t, "c.yaml", "decision_log:\n  dir: log\n  sinks: [{name: a, format: otlp}]\n")
	for header, field := range map[string]int{
		"hunter2": 1, "api-key=a,hunter2": 2, "api-key=%zz": 1, "=hunter2": 1, "api key=hunter2": 1, "api-key=hunter2%0d%0aX-Other: b": 1,
		"api-key=a": 0, " api-key = a ,, x=%20b, ": 0,
	} {
		s, err := Load([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://x", "OTEL_EXPORTER_OTLP_HEADERS=" + header}, map[string]string{FileFlag: file})
		require.NoError(t, err)
		err = s.Validate()
		if field == 0 {
			require.NoError(t, err, header)
			continue
		}
		require.ErrorContains(t, err, fmt.Sprintf("OTEL_EXPORTER_OTLP_HEADERS: field %d is not NAME=VALUE", field), header)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
