package decisionformat_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/plugins/logs"
	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wardkeeper/wardkeeper/pdp/decisionformat"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

var update = flag.Bool("update", false, "write testdata anew")

var origin = decisionformat.Origin{Instance: "pdp-1.example.org", Version: "1.2.3", Decision: "authz/decision"}

// records are those of a server, with one of an error and one whose mask failed.
func records(t testing.TB) [][]byte {
	t.Helper()
	data, err := os.ReadFile("testdata/records.ndjson")
	require.NoError(t, err)
	return bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}

func encoded(t testing.TB, f decisionformat.Format) (all [][]byte) {
	t.Helper()
	for _, r := range records(t) {
		one, err := f.Encode(origin, r)
		require.NoError(t, err, "%s", r)
		if f.Lines() {
			require.NotContains(t, string(one), "\n")
		}
		all = append(all, one)
	}
	return all
}

// The formats as they are documented. fhir.ndjson was validated as FHIR R4 AuditEvents by the Python package fhir.resources.
func TestFormatsAreThoseOfTheGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, f := range []decisionformat.Format{decisionformat.OPA, decisionformat.FHIR} {
		name, got := "testdata/"+string(f)+".ndjson", append(bytes.Join(encoded(t, f), []byte("\n")), '\n')
		if *update {
			require.NoError(t, os.WriteFile(name, got, 0o600))
		}
		want, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
	require.Equal(t, records(t), encoded(t, decisionformat.JSON))
}

// OPA's own type has every member of our events.
func TestOPAReadsItsEvents(t *testing.T) {
	t.Parallel()
	var events []map[string]json.RawMessage
	body := decisionformat.OPA.Body(origin, encoded(t, decisionformat.OPA))
	require.NoError(t, json.Unmarshal(body, &events))
	for i, event := range events {
		failed, hasError := event["error"]
		delete(event, "error") // an interface, which OPA writes and does not read
		text, err := json.Marshal(event)
		require.NoError(t, err)
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		var e logs.EventV1
		require.NoError(t, decoder.Decode(&e))
		record, err := decisionrecord.Parse(records(t)[i])
		require.NoError(t, err)
		require.Equal(t, record.ID, e.DecisionID)
		require.Equal(t, record.Time, e.Timestamp)
		require.Equal(t, record.Revision, e.Bundles["policy"].Revision)
		require.Equal(t, record.Error != nil, hasError, "%s", failed)
		if record.Answer != nil {
			require.Equal(t, record.Answer.Allow, (*e.Result).(map[string]any)["allow"])
		}
		if record.Erased != nil {
			require.Equal(t, []string{"/input/context/confirmed", "/input/facts/place"}, e.Erased)
		}
	}
}

func TestCollectorsReadOTLP(t *testing.T) {
	t.Parallel()
	var request collectorpb.ExportLogsServiceRequest
	require.NoError(t, proto.Unmarshal(decisionformat.OTLP.Body(origin, encoded(t, decisionformat.OTLP)), &request))
	require.Empty(t, request.ProtoReflect().GetUnknown())
	require.Len(t, request.ResourceLogs, 1)
	require.Equal(t, "wardkeeper", request.ResourceLogs[0].Resource.Attributes[0].Value.GetStringValue())
	got := request.ResourceLogs[0].ScopeLogs[0].LogRecords
	require.Len(t, got, len(records(t)))
	for i, r := range got {
		require.JSONEq(t, string(records(t)[i]), r.Body.GetStringValue())
		require.Equal(t, "wardkeeper.decision.id", r.Attributes[0].Key)
		require.NotZero(t, r.TimeUnixNano)
	}
	named := decisionformat.OTLP.Body(decisionformat.Origin{Service: "pdp\xff", Instance: "\xfe"}, nil) // as the environment may say
	require.NoError(t, proto.Unmarshal(named, &request))
	answer, err := proto.Marshal(&collectorpb.ExportLogsServiceResponse{PartialSuccess: &collectorpb.ExportLogsPartialSuccess{RejectedLogRecords: 3, ErrorMessage: "x"}})
	require.NoError(t, err)
	require.Equal(t, 3, decisionformat.RejectedOTLP(answer))
	require.Zero(t, decisionformat.RejectedOTLP(nil))
}

// What R4 requires of an AuditEvent, and the codes that it and IHE's patterns for a decision allow.
func TestAuditEventsHaveWhatIsRequired(t *testing.T) {
	t.Parallel()
	type code struct{ System, Code string }
	type what struct{ Identifier struct{ Value string } }
	for i, line := range encoded(t, decisionformat.FHIR) {
		var e struct {
			ResourceType, ID, Action, Outcome string
			Type                              code
			Subtype                           []code
			Agent                             []struct {
				Type      struct{ Coding []code }
				Who       what
				Requestor *bool
				Network   *struct{ Address, Type string }
			}
			Source struct {
				Observer what
				Type     []code
			}
			Entity []struct {
				What   *what
				Type   code
				Detail []map[string]string
			}
		}
		require.NoError(t, json.Unmarshal(line, &e))
		require.Equal(t, "AuditEvent", e.ResourceType)
		require.Equal(t, code{"http://dicom.nema.org/resources/ontology/DCM", "110113"}, e.Type)
		require.Equal(t, "AuthZ-Role", e.Subtype[0].Code)
		require.Equal(t, "E", e.Action)
		record, err := decisionrecord.Parse(records(t)[i])
		require.NoError(t, err)
		require.Equal(t, map[string]string{"denied": "4", "error": "8"}[record.Outcome], map[bool]string{true: e.Outcome}[e.Outcome != "0"])
		require.Equal(t, e.Agent[0].Who, e.Source.Observer)
		requestors := 0
		for _, a := range e.Agent {
			require.NotEmpty(t, a.Who.Identifier.Value)
			require.Len(t, a.Type.Coding, 1)
			if *a.Requestor {
				requestors++
				require.Equal(t, record.Subject(), a.Who.Identifier.Value)
			}
		}
		require.Equal(t, record.Subject() != "", requestors == 1)
		for _, entity := range e.Entity {
			require.True(t, entity.What == nil || entity.What.Identifier.Value != "")
			for _, d := range entity.Detail {
				require.NotEmpty(t, d["type"])
				require.NotEmpty(t, d["valueString"])
			}
		}
		changes := slices.ContainsFunc(e.Subtype, func(c code) bool { return c.Code == "110136" })
		require.Equal(t, record.Action() == "assignment.add" || record.Action() == "assignment.remove", changes)
	}
}

func FuzzEncode(f *testing.F) {
	for _, r := range records(f) {
		f.Add(string(r))
	}
	f.Add(`{"id":"x y","time":"2026-01-01T00:00:00Z","caller":"\u0000","question":{"subject":{"id":"\n"}},"erased":{},"masked":["/facts",1]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []decisionformat.Format{decisionformat.OPA, decisionformat.OTLP, decisionformat.FHIR} {
			one, err := format.Encode(origin, []byte(text))
			if err != nil {
				continue
			}
			body := format.Body(origin, [][]byte{one, one})
			if format == decisionformat.OTLP {
				require.NoError(t, proto.Unmarshal(body, &collectorpb.ExportLogsServiceRequest{}))
			} else {
				require.True(t, json.Valid(one))
			}
		}
		decisionformat.RejectedOTLP([]byte(text))
	})
}
