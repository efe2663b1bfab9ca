package extauthz_test

import (
	"os"
	"regexp"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/adapters/extauthz/envoytest"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

func TestConfigurationOfEnvoyIsValidAndSafe(t *testing.T) {
	text, err := os.ReadFile("../envoy/envoy.yaml")
	require.NoError(t, err)
	var bootstrap bootstrapv3.Bootstrap
	require.NoError(t, envoytest.Decode(text, &bootstrap))
	filters := bootstrap.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()
	var manager managerv3.HttpConnectionManager
	require.NoError(t, filters[0].GetTypedConfig().UnmarshalTo(&manager))
	require.NoError(t, manager.ValidateAll())
	assert.True(t, manager.GetNormalizePath().GetValue())
	assert.True(t, manager.GetMergeSlashes())
	assert.Equal(t, managerv3.HttpConnectionManager_REJECT_REQUEST, manager.GetPathWithEscapedSlashesAction())
	assert.Equal(t, corev3.HttpProtocolOptions_REJECT_REQUEST, manager.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction())
	for _, host := range manager.GetRouteConfig().GetVirtualHosts() {
		for _, route := range host.GetRoutes() {
			assert.Empty(t, route.GetRoute().GetPrefixRewrite())
		}
	}
	var f extauthzv3.ExtAuthz
	require.NoError(t, manager.GetHttpFilters()[0].GetTypedConfig().UnmarshalTo(&f))
	require.NoError(t, f.ValidateAll())
	assert.Equal(t, corev3.ApiVersion_V3, f.GetTransportApiVersion())
	assert.False(t, f.GetFailureModeAllow())
	assert.True(t, f.GetEncodeRawHeaders())
	assert.Nil(t, f.GetAllowedHeaders())
	assert.Nil(t, f.GetDisallowedHeaders())
	assert.Equal(t, uint32(routes.MaxBody), f.GetWithRequestBody().GetMaxRequestBytes())
	assert.True(t, f.GetWithRequestBody().GetPackAsBytes())
	assert.False(t, f.GetWithRequestBody().GetAllowPartialMessage())
	cluster := bootstrap.GetStaticResources().GetClusters()[1]
	require.Equal(t, f.GetGrpcService().GetEnvoyGrpc().GetClusterName(), cluster.GetName())
	assert.Equal(t, "envoy.service.auth.v3.Authorization", cluster.GetHealthChecks()[0].GetGrpcHealthCheck().GetServiceName())
}

func TestSettingsOfOneRouteInTheREADME(t *testing.T) {
	text, err := os.ReadFile("../envoy/README.md")
	require.NoError(t, err)
	snippets := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(text, -1)
	require.Len(t, snippets, 1)
	var config struct {
		Filters map[string]map[string]any `yaml:"typed_per_filter_config"`
	}
	require.NoError(t, yaml.Unmarshal(snippets[0][1], &config))
	settings := config.Filters["envoy.filters.http.ext_authz"]
	require.Equal(t, "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", settings["@type"])
	delete(settings, "@type")
	data, err := yaml.Marshal(settings)
	require.NoError(t, err)
	var perRoute extauthzv3.ExtAuthzPerRoute
	require.NoError(t, envoytest.Decode(data, &perRoute))

	d := get("/clinic").With(func(d *envoytest.Request) {
		d.Host, d.Extensions = "many.example", perRoute.GetCheckSettings().GetContextExtensions()
	})
	assert.Equal(t, 200, statusOf(t, start(t, nil).ask(t, envoytest.Recommended().CheckRequest(d))))
}
