package decisionformat

import (
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// otlpName is that of the events, and begins the names of their attributes.
const otlpName = "wardkeeper.decision"

// encodeOTLP returns a LogRecord: the record as its body, and what one searches by as attributes.
func encodeOTLP(e *decisionrecord.Entry, record []byte) ([]byte, error) {
	severity := logspb.SeverityNumber_SEVERITY_NUMBER_INFO
	if e.Outcome == decisionrecord.Failed {
		severity = logspb.SeverityNumber_SEVERITY_NUMBER_ERROR
	}
	r := &logspb.LogRecord{SeverityNumber: severity, EventName: otlpName, Body: otlpText(string(record))}
	if !e.Time.IsZero() {
		r.TimeUnixNano = uint64(e.Time.UnixNano())
		r.ObservedTimeUnixNano = r.TimeUnixNano
	}
	for _, a := range [][2]string{
		{"id", e.ID}, {"outcome", e.Outcome}, {"subject", e.Subject()}, {"action", e.Action()}, {"resource.type", e.ResourceType()},
		{"resource", e.Resource()}, {"place", e.Place()}, {"door", e.Door}, {"caller", e.Caller}, {"request_id", e.Request},
		{"revision", e.Revision},
	} {
		if a[1] != "" {
			r.Attributes = append(r.Attributes, otlpAttribute(otlpName+"."+a[0], a[1]))
		}
	}
	return proto.Marshal(r)
}

func otlpText(text string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: text}}
}

func otlpAttribute(name, text string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: name, Value: otlpText(text)}
}

// The numbers of the fields that hold others.
const (
	otlpResourceLogs = 1 // of ExportLogsServiceRequest
	otlpScopeLogs    = 2 // of ResourceLogs
	otlpLogRecords   = 2 // of ScopeLogs
)

// bodyOTLP puts records that are encoded already into the messages around them.
func bodyOTLP(o Origin, records [][]byte) []byte {
	resource := &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
		otlpAttribute("service.name", o.Service), otlpAttribute("service.version", o.Version), otlpAttribute("service.instance.id", o.Instance),
	}}
	scope := otlpMessage(&logspb.ScopeLogs{Scope: &commonpb.InstrumentationScope{Name: otlpName}})
	for _, r := range records {
		scope = otlpField(scope, otlpLogRecords, r)
	}
	return otlpField(nil, otlpResourceLogs, otlpField(otlpMessage(&logspb.ResourceLogs{Resource: resource}), otlpScopeLogs, scope))
}

func otlpMessage(m proto.Message) []byte {
	encoded, err := proto.Marshal(m)
	if err != nil {
		panic(err) // impossible: constants, and texts that were checked to be UTF-8
	}
	return encoded
}

func otlpField(to []byte, number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), message)
}

// RejectedOTLP returns how many records an answer (ExportLogsServiceResponse) says were rejected for good.
func RejectedOTLP(answer []byte) int {
	partial, _ := otlpMember(answer, 1)
	_, rejected := otlpMember(partial, 1)
	return int(min(rejected, 1<<31-1))
}

// otlpMember returns the last value of a field, as bytes or as a number. It returns neither if the message is malformed.
func otlpMember(message []byte, number protowire.Number) (value []byte, n uint64) {
	for len(message) > 0 {
		found, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return nil, 0
		}
		message = message[length:]
		switch {
		case found == number && kind == protowire.BytesType:
			value, length = protowire.ConsumeBytes(message)
		case found == number && kind == protowire.VarintType:
			n, length = protowire.ConsumeVarint(message)
		default:
			length = protowire.ConsumeFieldValue(found, kind, message)
		}
		if length < 0 {
			return nil, 0
		}
		message = message[length:]
	}
	return value, n
}
