// Package metrics has the Prometheus collectors of the binary: the bundle that is followed, the directory file, the facts that
// are fetched record by record, and the log. Each reads a status when it is collected; none keeps numbers of its own. The
// metrics of requests are httpapi's.
package metrics
