package config

import (
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
