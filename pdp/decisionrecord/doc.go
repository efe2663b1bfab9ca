// Package decisionrecord writes decisions as records: one JSON object for each question, search or document. What a record may hold
// is listed here ([Record] names its members): no names, usernames, passwords or free text. Ids are kept if they look like ids, or
// replaced by pseudonyms. A policy can hide more. The records are enough to decide the same questions again. Start at
// [Recorder.Record].
package decisionrecord
