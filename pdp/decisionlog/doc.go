// Package decisionlog keeps records durably and in order, so that a change is noticed later. It writes them to segments, files of
// JSON lines that grow only at their end, and starts at [Open]; [Read] and [Log.Follow] give the records back, and [Verify] says
// whether they are those that were written. What a record says is the caller's concern.
//
// # Format
//
// The segments of a folder are numbered without gaps: decisions-00000001.ndjson, and decisions-00000001.ndjson.gz once a closed
// segment is compressed. A line is one of
//
//	{"head":{...},"key":"...","signature":"...","hash":"..."}
//	{"part":0,"value":{...},"hash":"..."}
//	{"seq":1,"time":"...","parts":[[52,0]],"record":{...},"hash":"..."}
//	{"checkpoint":{...},"key":"...","signature":"...","hash":"..."}
//
// The hash is the SHA-256 of the hash of the line before and of the bytes of the line up to the comma before "hash". The first
// line of a segment is its head: it repeats the hash of the last line of the segment before, so that the chain can be followed
// from any segment on. Heads and checkpoints are signed with Ed25519, over the hash of the line before and the bytes up to the
// comma before "key". A checkpoint follows at least every 1,000 records or 10 seconds, and ends each closed segment.
//
// What records share is written once in a segment, before the first of them, as a part. A record has null in its place; "parts"
// lists the offset of each such null in the record, with the number of the part. Parts are numbered from 0 as they come; another
// part 0 begins anew, and those before it are not referred to any more. [Read] and [Log.Follow] put the parts in their places.
//
// Before segments are deleted by size or age, a checkpoint says so ("oldest" is the first one that is kept): a segment that is
// missing without such a checkpoint has been removed by somebody else.
//
// # What is noticed
//
// Whoever has no signing key can change, insert, remove or reorder nothing before the last signed line without being noticed.
// Three things cannot be noticed from the folder alone:
//
//   - The records after the last signed line can be changed by anybody. [Report] counts them.
//   - The end can be removed, down to any signed line: the rest looks like the log of an earlier time. To notice it, compare with
//     a checkpoint kept elsewhere. The checkpoints are written to the logger for that, at most one a minute, at the end of each
//     segment, and when the log is closed; [Verify] takes them.
//   - Whoever makes files larger has older ones deleted, if there is a limit on their size. How many were is in the [Report]. Times of
//     files have no such effect.
//
// A running writer notices when the segment that it writes is removed or replaced, and writes the records again to the next one.
//
// Whoever has the signing key, such as the administrator of the machine, can write another log.
package decisionlog
