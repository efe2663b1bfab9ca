package envoytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // the type of an Any in the configuration
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3" // likewise
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Config is what a [Front] does, by a configuration of Envoy.
type Config struct {
	Filter Filter
	// NormalizesPath means normalize_path, merge_slashes and path_with_escaped_slashes_action: REJECT_REQUEST.
	NormalizesPath bool
	// RejectsUnderscores means headers_with_underscores_action: REJECT_REQUEST.
	RejectsUnderscores bool
	// KeepsRequestID means preserve_external_request_id: without it, Envoy replaces X-Request-ID.
	KeepsRequestID bool
	// Timeout is how long the filter waits for an answer.
	Timeout time.Duration
	// StatusOnError is the status if there is no answer, before local replies are mapped.
	StatusOnError int
	mappers       []*managerv3.ResponseMapper
}

// Load reads the configuration of the first listener in a file. It refuses a configuration that a [Front] cannot follow.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	var bootstrap bootstrapv3.Bootstrap
	if err := Decode(text, &bootstrap); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	var manager managerv3.HttpConnectionManager
	if err := bootstrap.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig().UnmarshalTo(&manager); err != nil {
		return Config{}, err
	}
	var f extauthzv3.ExtAuthz
	if err := manager.GetHttpFilters()[0].GetTypedConfig().UnmarshalTo(&f); err != nil {
		return Config{}, err
	}
	if err := errors.Join(manager.ValidateAll(), f.ValidateAll()); err != nil {
		return Config{}, err
	}
	c := Config{
		Filter: Filter{
			Raw: f.GetEncodeRawHeaders(), BodyLimit: int(f.GetWithRequestBody().GetMaxRequestBytes()), AsText: !f.GetWithRequestBody().GetPackAsBytes(),
			OmitsHeaders: f.GetAllowedHeaders() != nil,
		},
		NormalizesPath:     manager.GetNormalizePath().GetValue(),
		RejectsUnderscores: manager.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction() == corev3.HttpProtocolOptions_REJECT_REQUEST,
		KeepsRequestID:     manager.GetPreserveExternalRequestId(),
		Timeout:            f.GetGrpcService().GetTimeout().AsDuration(),
		StatusOnError:      int(f.GetStatusOnError().GetCode()),
		mappers:            manager.GetLocalReplyConfig().GetMappers(),
	}
	rejectsEscapes := manager.GetPathWithEscapedSlashesAction() == managerv3.HttpConnectionManager_REJECT_REQUEST
	if f.GetFailureModeAllow() || f.GetWithRequestBody().GetAllowPartialMessage() || c.NormalizesPath != manager.GetMergeSlashes() || c.NormalizesPath != rejectsEscapes {
		return Config{}, errors.New("the stand-in for Envoy does not know this combination of settings")
	}
	for _, m := range c.mappers {
		for _, option := range m.GetHeadersToAdd() {
			value := option.GetHeader().GetValue()
			if _, ok := operand(value); !ok && strings.Contains(value, "%") {
				return Config{}, fmt.Errorf("the stand-in for Envoy does not know the command operators of %q", value)
			}
		}
	}
	return c, nil
}

// Decode decodes a configuration as Envoy does: unknown fields and invalid values are errors.
func Decode(text []byte, into interface {
	proto.Message
	ValidateAll() error
}) error {
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		return err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(data, into); err != nil {
		return err
	}
	return into.ValidateAll()
}
