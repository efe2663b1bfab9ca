package grpc

import (
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
)

// Domain is the domain of the google.rpc.ErrorInfo in refusals.
const Domain = "wardkeeper"

// Types of the violations in the google.rpc.PreconditionFailure of a denial.
const (
	TypeReason  = "reason"  // a reason; the subject is its code, the description a sentence for the person
	TypeAdvice  = "advice"  // a piece of advice; likewise
	TypeConfirm = "confirm" // a confirmation; the subject is the obligation's id, the description its cause
)

var codeOf = map[string]codes.Code{
	pep.CodeBadRequest:           codes.InvalidArgument,
	pep.CodeUnauthenticated:      codes.Unauthenticated,
	pep.CodeDenied:               codes.PermissionDenied,
	pep.CodeConfirmationRequired: codes.PermissionDenied,
	pep.CodeUnavailable:          codes.Unavailable,
}

// Limits of the texts in a refusal, in bytes. It travels in a header, and many clients accept only 8 KiB.
const (
	maxText    = 500
	maxDetails = 4 << 10
)

// statusOf returns the status of a refusal. Its details are an ErrorInfo with the code and the request id, a
// PreconditionFailure with reasons, advice and confirmations if there are any, and a RetryInfo if the code is Unavailable.
func statusOf(r pep.Refusal) error {
	code, ok := codeOf[r.Code]
	if !ok {
		code = codes.PermissionDenied
	}
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: strings.ToUpper(r.Code), Domain: Domain, Metadata: map[string]string{"request_id": r.RequestID}}}
	if failure := violations(r); len(failure.Violations) > 0 {
		details = append(details, failure)
	}
	if code == codes.Unavailable {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	}
	s := status.New(code, clip(r.Detail))
	if detailed, err := s.WithDetails(details...); err == nil {
		s = detailed
	}
	return s.Err()
}

func violations(r pep.Refusal) *errdetails.PreconditionFailure {
	failure := &errdetails.PreconditionFailure{}
	add := func(kind, subject, description string) {
		failure.Violations = append(failure.Violations, &errdetails.PreconditionFailure_Violation{Type: kind, Subject: clip(subject), Description: clip(description)})
		if proto.Size(failure) > maxDetails {
			failure.Violations = failure.Violations[:len(failure.Violations)-1]
		}
	}
	for _, reason := range r.Reasons {
		add(TypeReason, reason.Code, reason.Message)
	}
	for _, advice := range r.Advice {
		add(TypeAdvice, advice.Code, advice.Message)
	}
	for _, o := range r.Confirm {
		cause, _ := o.Properties["cause"].(string)
		add(TypeConfirm, o.ID, cause)
	}
	return failure
}

// clip returns s as valid UTF-8, which protobuf requires, cut to at most maxText bytes.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
