package status

import (
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// States of a server. They are those of wardkeeper_readiness_state.
const (
	Ready    = "ready"    // every question is answered
	Degraded = "degraded" // some questions are answered
	Useless  = "useless"  // none is
	Stopping = "stopping" // questions are answered, but the server is about to stop

	Unreachable = "unreachable" // not a state of the server: it did not say
)

// Report tells how a server is doing. What is not known is nil.
type Report struct {
	Server      string                `json:"server"`
	At          time.Time             `json:"at"`
	State       string                `json:"state"`
	Missing     []string              `json:"missing,omitempty"`
	Causes      map[string]string     `json:"causes,omitempty"` // of what is missing or fails
	Error       string                `json:"error,omitempty"`  // why it is unreachable
	Hidden      []string              `json:"hidden,omitempty"` // why something is not known
	Version     string                `json:"version,omitempty"`
	Uptime      float64               `json:"uptime_seconds,omitempty"`
	Policy      *httpapi.PolicyStatus `json:"policy,omitempty"`
	Facts       *Facts                `json:"facts,omitempty"`
	Interval    float64               `json:"interval_seconds,omitempty"` // what is counted was counted in; 0: since the start
	Requests    *Requests             `json:"requests,omitempty"`
	Decisions   *Decisions            `json:"decisions,omitempty"`
	Admission   *Admission            `json:"admission,omitempty"`
	FleetKey    *FleetKey             `json:"fleet_key,omitempty"`
	DecisionLog *DecisionLog          `json:"decision_log,omitempty"`
	Sinks       []Sink                `json:"decision_sinks,omitempty"`
	LogDropped  float64               `json:"log_lines_dropped,omitempty"`
	Process     *Process              `json:"process,omitempty"`
	Certificate *Certificate          `json:"certificate,omitempty"`
	// CertificateRefused says that the server's files have another certificate, which it does not present.
	CertificateRefused bool `json:"certificate_refused,omitempty"`
}

// Facts tells where facts come from. A directory file has Users, all other sources have records that are fetched one by one.
type Facts struct {
	File           bool               `json:"file"`
	Users          float64            `json:"users,omitempty"`
	Age            float64            `json:"age_seconds,omitempty"` // of the directory file
	ReloadFailures float64            `json:"reload_failures,omitempty"`
	Records        float64            `json:"memory_records,omitempty"`
	Bytes          float64            `json:"memory_bytes,omitempty"`
	ByTier         map[string]float64 `json:"by_tier,omitempty"` // served facts: memory, shared, origin
	Vouched        *bool              `json:"vouched,omitempty"` // nil: nothing promises news of changes
	Heard          float64            `json:"heard_seconds,omitempty"`
	Unproven       []string           `json:"unproven,omitempty"`
	Feeds          map[string]bool    `json:"feeds,omitempty"` // live: stream, listen
	FeedBreaks     float64            `json:"feed_breaks,omitempty"`
	ListensFor     string             `json:"listens_for,omitempty"` // all, standby, itself or nobody; "" where sidecars do not share a listener
	Term           float64            `json:"leader_term,omitempty"`
	Takeovers      float64            `json:"takeovers,omitempty"`
	SharedLost     float64            `json:"shared_lost,omitempty"`
	SharedRefused  float64            `json:"shared_refused,omitempty"`
	OriginFailures float64            `json:"origin_failures,omitempty"`
	OriginLagging  float64            `json:"origin_lagging,omitempty"`
	Fallbacks      float64            `json:"fallbacks,omitempty"`
	Quarantined    float64            `json:"quarantined,omitempty"`
	QuarantinedIDs []string           `json:"quarantined_ids,omitempty"` // up to 100
}

// Requests counts requests but probes and those of operators. Median and P99 are the bounds in seconds that half and 99 % of them
// kept; [Beyond] if there is no such bound.
type Requests struct {
	Count  float64            `json:"count"`
	Median float64            `json:"median_seconds"`
	P99    float64            `json:"p99_seconds"`
	Failed map[string]float64 `json:"failed,omitempty"` // by status, if it is not 200
}

// Beyond is what took longer than the greatest bound of a histogram: JSON has no infinity.
const Beyond = -1

// Decisions counts evaluations.
type Decisions struct {
	Allowed float64 `json:"allowed"`
	Denied  float64 `json:"denied"`
	Errors  float64 `json:"errors"`
}

// Admission counts what was turned away.
type Admission struct {
	Refused     map[string]float64 `json:"refused,omitempty"` // requests by reason
	Overdue     float64            `json:"overdue,omitempty"`
	Connections float64            `json:"connections_dropped,omitempty"`
}

// FleetKey tells about the keys that sidecars share.
type FleetKey struct {
	Signs    []string           `json:"signs"`              // the id of the key
	Verifies []string           `json:"verifies,omitempty"` // ids of other keys
	Refused  map[string]float64 `json:"refused,omitempty"`  // what they do not verify, by kind
	Reasons  map[string]float64 `json:"reasons,omitempty"`  // the values and entries in Redis among them, by reason
}

// DecisionLog tells about the log of decisions.
type DecisionLog struct {
	Failing bool    `json:"failing"`
	Records float64 `json:"records"`
	Lost    float64 `json:"lost"`
	Queued  float64 `json:"queued"`
	Lag     float64 `json:"lag_seconds"`
	Bytes   float64 `json:"bytes"`
}

// Sink tells about a sink of the log of decisions.
type Sink struct {
	Name    string  `json:"name"`
	Failing bool    `json:"failing"`
	Records float64 `json:"records"`
	Lost    float64 `json:"lost"`
	Behind  float64 `json:"behind"`
	Lag     float64 `json:"lag_seconds"`
}

// Process tells what the process uses.
type Process struct {
	CPU        float64 `json:"cpu_seconds"`
	Resident   float64 `json:"resident_bytes"`
	Goroutines float64 `json:"goroutines"`
	Files      float64 `json:"open_files"`
	MaxFiles   float64 `json:"max_open_files"`
}

// Certificate is the one that the server presented.
type Certificate struct {
	Subject  string    `json:"subject"`
	Names    []string  `json:"names,omitempty"`
	NotAfter time.Time `json:"not_after"`
}
