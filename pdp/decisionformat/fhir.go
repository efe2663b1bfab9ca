package decisionformat

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// The systems of the codes in an AuditEvent.
const (
	dicom         = "http://dicom.nema.org/resources/ontology/DCM"
	balpDecision  = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType"
	hl7           = "http://terminology.hl7.org/CodeSystem/"
	securityRole  = hl7 + "extra-security-role-type"
	participation = hl7 + "v3-ParticipationType"
	sourceType    = hl7 + "security-source-type"
	entityType    = hl7 + "audit-entity-type"
	objectRole    = hl7 + "object-role"
)

type auditEvent struct {
	ResourceType string        `json:"resourceType"`
	ID           string        `json:"id,omitempty"`
	Type         coding        `json:"type"`
	Subtype      []coding      `json:"subtype"`
	Action       string        `json:"action"`
	Recorded     string        `json:"recorded"`
	Outcome      string        `json:"outcome"`
	OutcomeDesc  string        `json:"outcomeDesc,omitempty"`
	Agent        []auditAgent  `json:"agent"`
	Source       auditSource   `json:"source"`
	Entity       []auditEntity `json:"entity,omitempty"`
}

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display"`
}

type concept struct {
	Coding []coding `json:"coding"`
}

// reference names something by an identifier: the directory has the people, and no FHIR server.
type reference struct {
	Identifier identifier `json:"identifier"`
}

type identifier struct {
	Value string `json:"value"`
}

type auditAgent struct {
	Type      concept       `json:"type"`
	Who       reference     `json:"who"`
	Requestor bool          `json:"requestor"`
	Network   *auditNetwork `json:"network,omitempty"`
}

type auditNetwork struct {
	Address string `json:"address"`
	Type    string `json:"type"`
}

type auditSource struct {
	Observer reference `json:"observer"`
	Type     []coding  `json:"type"`
}

type auditEntity struct {
	What   *reference    `json:"what,omitempty"`
	Type   coding        `json:"type"`
	Role   *coding       `json:"role,omitempty"`
	Detail []auditDetail `json:"detail,omitempty"`
}

type auditDetail struct {
	Type  string `json:"type"`
	Value string `json:"valueString"`
}

// encodeFHIR returns the AuditEvent of a decision, in the shape of IHE's Basic Audit Log Patterns for an authorization decision: an
// alert of the authorization server about a person who asked, by an application, for something about somebody.
func encodeFHIR(o Origin, e *decisionrecord.Entry) ([]byte, error) {
	server := reference{identifier{o.Instance}}
	event := auditEvent{
		ResourceType: "AuditEvent", ID: fhirID(e.ID),
		Type:    coding{dicom, "110113", "Security Alert"},
		Subtype: append([]coding{{balpDecision, "AuthZ-Role", "Authorization Decision using only Roles"}}, administration(e.Action())...),
		Action:  "E", Recorded: e.Time.UTC().Format(time.RFC3339Nano), Outcome: fhirOutcome(e.Outcome), OutcomeDesc: fhirText(e.Summary()),
		Agent:  []auditAgent{{Type: one(coding{securityRole, "authserver", "authorization server"}), Who: server}},
		Source: auditSource{Observer: server, Type: []coding{{sourceType, "6", "Security Server"}}},
	}
	if caller := fhirText(e.Caller); caller != "" {
		event.Agent = append(event.Agent, auditAgent{
			Type: one(coding{dicom, "110150", "Application"}), Who: reference{identifier{caller}}, Network: networkOf(caller),
		})
	}
	if subject := fhirText(e.Subject()); subject != "" {
		event.Agent = append(event.Agent, auditAgent{
			Type: one(coding{participation, "IRCP", "information recipient"}), Who: reference{identifier{subject}}, Requestor: true,
		})
	}
	event.Entity = append(event.Entity, asked(e))
	if revision := fhirText(e.Revision); revision != "" {
		event.Entity = append(event.Entity, auditEntity{
			What: &reference{identifier{revision}}, Type: coding{entityType, "2", "System Object"}, Role: &coding{objectRole, "13", "Security Resource"},
			Detail: details("name", "policy"),
		})
	}
	return json.Marshal(event)
}

func one(c coding) concept { return concept{[]coding{c}} }

// asked is what the question is about.
func asked(e *decisionrecord.Entry) auditEntity {
	entity := auditEntity{Type: coding{entityType, "4", "Other"}}
	switch e.ResourceType() {
	case "user":
		entity.Type, entity.Role = coding{entityType, "1", "Person"}, &coding{objectRole, "11", "Security User Entity"}
	case "location":
		entity.Role = &coding{objectRole, "2", "Location"}
	case "patient":
		entity.Type, entity.Role = coding{entityType, "1", "Person"}, &coding{objectRole, "1", "Patient"}
	}
	if id := fhirText(e.Resource()); id != "" {
		entity.What = &reference{identifier{id}}
	}
	entity.Detail = details("decision", e.Outcome, "action", e.Action(), "location", e.Place(), "current_location", e.From(),
		"document", strings.Join(e.Document, "/"), "door", e.Door, "request_id", e.Request)
	if e.Search != nil {
		entity.Detail = append(entity.Detail, details("search", e.Search.For, "found", strconv.Itoa(e.Search.Count))...)
	}
	return entity
}

// details returns names with their values, without those that are empty.
func details(pairs ...string) (all []auditDetail) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if value := fhirText(pairs[i+1]); value != "" {
			all = append(all, auditDetail{pairs[i], value})
		}
	}
	return all
}

// administration returns DICOM's code of what a decision of the built-in policy is about: changes of roles, or of people's accounts. That
// it was allowed does not say that it was done.
func administration(action string) []coding {
	switch kind, _, _ := strings.Cut(action, "."); {
	case kind == "assignment", kind == "invitation":
		return []coding{{dicom, "110136", "Security Roles Changed"}}
	case action == "user.invite", action == "user.edit", action == "user.deactivate", action == "user.reactivate", action == "user.delete", action == "user.reset_password":
		return []coding{{dicom, "110137", "User security Attributes Changed"}}
	}
	return nil
}

// fhirOutcome returns the outcome: success, minor failure (what a status of 4xx is) for denials, serious failure (5xx) for errors.
func fhirOutcome(outcome string) string {
	switch outcome {
	case decisionrecord.Denied:
		return "4"
	case decisionrecord.Failed:
		return "8"
	}
	return "0"
}

// networkOf returns the address of a caller that is known by nothing else.
func networkOf(caller string) *auditNetwork {
	address, err := netip.ParseAddr(caller)
	if err != nil {
		port, fault := netip.ParseAddrPort(caller)
		if fault != nil {
			return nil
		}
		address = port.Addr()
	}
	return &auditNetwork{Address: address.String(), Type: "2"} // an IP address
}

// fhirText returns a text that FHIR allows: not empty, and without control characters.
func fhirText(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text))
}

var validFHIRID = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)

func fhirID(id string) string {
	if validFHIRID.MatchString(id) {
		return id
	}
	return ""
}
