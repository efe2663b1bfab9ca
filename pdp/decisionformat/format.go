package decisionformat

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// Format is a format of records.
type Format string

// The formats.
const (
	JSON Format = "json" // our own records
	OPA  Format = "opa"  // events of OPA's decision logs
	OTLP Format = "otlp" // OpenTelemetry logs, in protobuf
	FHIR Format = "fhir" // FHIR R4 AuditEvent
)

// All lists the formats.
func All() []Format { return []Format{JSON, OPA, OTLP, FHIR} }

// Origin says where records come from, which they do not say themselves.
type Origin struct {
	Service  string // "wardkeeper" if empty
	Instance string // of the service, such as the name of its machine; Service if empty. Both may be any text
	Version  string
	Decision string // path of the rule that decides
}

func (o Origin) withDefaults() Origin {
	o.Service = cmp.Or(strings.ToValidUTF8(o.Service, "?"), "wardkeeper")
	o.Instance = cmp.Or(strings.ToValidUTF8(o.Instance, "?"), o.Service)
	return o
}

// Encode returns a record in the format, without a line feed in it. record is as it was read from a log.
func (f Format) Encode(o Origin, record []byte) ([]byte, error) {
	if f == JSON {
		return record, nil
	}
	e, err := decisionrecord.Parse(record)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	switch f {
	case OPA:
		return encodeOPA(o, e)
	case OTLP:
		return encodeOTLP(e, record)
	case FHIR:
		return encodeFHIR(o, e)
	}
	return nil, fmt.Errorf("there is no format %q", string(f))
}

// Lines reports whether the encoded records are lines of text.
func (f Format) Lines() bool { return f != OTLP }

// ContentType is that of a [Format.Body].
func (f Format) ContentType() string {
	switch f {
	case OPA:
		return "application/json"
	case OTLP:
		return "application/x-protobuf"
	case FHIR:
		return "application/fhir+ndjson"
	}
	return "application/x-ndjson"
}

// Body returns encoded records as the body of a request: a JSON array for OPA, an ExportLogsServiceRequest for OTLP, otherwise
// lines.
func (f Format) Body(o Origin, records [][]byte) []byte {
	switch f {
	case OTLP:
		return bodyOTLP(o.withDefaults(), records)
	case OPA:
		return append(append([]byte("["), bytes.Join(records, []byte(","))...), ']')
	}
	return append(bytes.Join(records, []byte("\n")), '\n')
}
