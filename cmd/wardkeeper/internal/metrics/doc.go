// Package metrics has the Prometheus collectors of the binary: for the followed bundle, the directory file, the facts that are
// fetched record by record, and the log. Each reads a status when it is collected; none keeps numbers of its own. Package
// httpapi has the metrics of requests.
package metrics
