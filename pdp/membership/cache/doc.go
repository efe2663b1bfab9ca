// Package cache serves membership facts from records that it fetches from an origin and keeps in this process and in a
// store that sidecars share. It uses a record only as long as package freshness finds it fresh enough for the question;
// otherwise it fetches the record again, or the question fails. It makes no decisions, and depends neither on Redis nor
// on any kind of origin.
//
// A user passes through four caches: the view of one question (so that the question sees one state), the process's memory,
// the user joined with its location trees (account.go; the input for the rules is kept with it), and the shared store. Each
// saves more than 5 % of a decision (BenchmarkWithoutCache). A question starts at [Cache.View] in view.go and [Cache.lookup]
// in lookup.go; an announced change at [Cache.Announce] in announce.go. Of the sidecars that share a store one fetches for all
// (reserve.go), and few at a time (slots.go); what has changed is fetched by whoever announces it (refetch.go).
package cache
