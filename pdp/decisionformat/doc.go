// Package decisionformat writes records of decisions in the formats of others: as events of OPA's decision logs, as OpenTelemetry
// logs and as FHIR R4 AuditEvents, beside our own. It says nothing that a record does not say. Start at [Format.Encode].
package decisionformat
