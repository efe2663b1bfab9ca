package extauthz

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// permitted tells Envoy to forward a request. It removes what an application could take for a field that is set. Fields that
// only the proxy may set need not be removed, because a request with one is refused.
func permitted(result check.Result, sent http.Header) *authv3.CheckResponse {
	header := http.Header{}
	result.SetHeader(header)
	var remove []string
	if result.Subject == "" { // Envoy does not keep empty values in all cases
		header.Del(check.SubjectHeader)
		remove = append(remove, strings.ToLower(check.SubjectHeader))
	}
	for name := range sent {
		for set := range header {
			if routes.SameHeader(name, set) && !strings.EqualFold(name, set) { // Envoy removes after it has set
				remove = append(remove, strings.ToLower(name))
			}
		}
	}
	slices.Sort(remove)
	return &authv3.CheckResponse{
		Status:          &status.Status{Code: int32(codes.OK)},
		DynamicMetadata: decisionMetadata(result),
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: options(header), HeadersToRemove: remove,
		}},
	}
}

// refused tells Envoy what to send to the person instead. It is always a denial, even if there was no answer: Envoy lets
// requests through on errors if failure_mode_allow is set.
func refused(result check.Result, accept string) *authv3.CheckResponse {
	header := http.Header{}
	result.Refusal.SetHeader(header)
	contentType, body := result.Refusal.Body(accept)
	header.Set("Content-Type", contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	return &authv3.CheckResponse{
		Status:          &status.Status{Code: int32(codeOf(result.Refusal.Status)), Message: result.Refusal.Code},
		DynamicMetadata: decisionMetadata(result),
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(result.Refusal.Status)}, Headers: options(header), Body: string(body),
		}},
	}
}

// codeOf returns the gRPC status of a refusal. Envoy distinguishes only OK from all others, and logs them.
func codeOf(status int) codes.Code {
	switch status {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	}
	return codes.Unavailable
}

func options(header http.Header) []*corev3.HeaderValueOption {
	var set []*corev3.HeaderValueOption
	for _, name := range slices.Sorted(maps.Keys(header)) {
		set = append(set, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: strings.ToLower(name), Value: strings.ToValidUTF8(header.Get(name), "\ufffd")},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return set
}

// decisionMetadata describes the decision for Envoy's access log and later filters. Its only personal data is the id of the
// person, for requests that pass: it has no reasons, no path and no question.
func decisionMetadata(result check.Result) *structpb.Struct {
	values := map[string]*structpb.Value{
		"decision":   structpb.NewStringValue(decisionOf(result)),
		"request_id": structpb.NewStringValue(result.Trace.RequestID),
	}
	if result.Route != nil {
		values["route"] = structpb.NewStringValue(result.Route.Path) // the template
	}
	if result.Pass && result.Subject != "" {
		values["subject"] = structpb.NewStringValue(result.Subject)
	}
	return &structpb.Struct{Fields: values}
}

// decisionOf returns "allowed", "public", or the code of the refusal.
func decisionOf(result check.Result) string {
	switch {
	case !result.Pass:
		return result.Refusal.Code
	case result.Route != nil && result.Route.Public:
		return "public"
	}
	return "allowed"
}

// unavailable is the result of a request that could not be checked.
func unavailable() check.Result {
	return check.Result{Refusal: pep.Outcome{Verdict: pep.Unavailable}.Refusal()}
}
