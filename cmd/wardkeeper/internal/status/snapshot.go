package status

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// Snapshot is what a server said at a time.
type Snapshot struct {
	at          time.Time
	ready       readiness
	policy      *httpapi.PolicyStatus // nil if it is not known
	causes      map[string]string     // why checks fail, by their names; nil if that is not known
	metrics     families              // nil if they are not known
	hidden      []string              // why something is not known
	certificate *Certificate          // nil without TLS
}

// readiness is the answer of /ready.
type readiness struct {
	Ready      bool     `json:"ready"`
	Degraded   bool     `json:"degraded"`
	Stopping   bool     `json:"stopping"`
	Error      string   `json:"error"`
	Missing    []string `json:"missing"`
	Membership struct {
		Quarantined     int      `json:"quarantined_count"`
		NotConfirmed    bool     `json:"not_vouched"`
		MissingProofs   []string `json:"unconfirmed"`
		SharedCacheDown bool     `json:"shared_lost"`
	} `json:"membership"`
	Policy struct {
		FromDisk bool                   `json:"from_disk"`
		Stale    bool                   `json:"stale"`
		Attempt  *httpapi.PolicyAttempt `json:"last_attempt"`
		Refused  *httpapi.PolicyAttempt `json:"refused"`
	} `json:"policy"`
}

// Read asks a server. It fails if the readiness is not known; the rest may stay unknown, for want of the role operations.
func Read(ctx context.Context, server client.Client) (*Snapshot, error) {
	answer, err := server.Get(ctx, "/ready")
	if err != nil {
		return nil, err
	}
	s := &Snapshot{at: time.Now()}
	known := answer.Status == http.StatusOK || answer.Status == http.StatusServiceUnavailable
	if !known || json.Unmarshal(answer.Body, &s.ready) != nil || !s.ready.Ready && s.ready.Missing == nil && !s.ready.Stopping {
		return nil, fmt.Errorf("GET /ready: %s: is this the address of a sidecar?", sentence(answer.Err()))
	}
	if answer.TLS != nil && len(answer.TLS.PeerCertificates) > 0 {
		leaf := answer.TLS.PeerCertificates[0]
		s.certificate = &Certificate{Subject: leaf.Subject.String(), Names: leaf.DNSNames, NotAfter: leaf.NotAfter}
	}
	if body := s.read(ctx, server, "/v1/revision"); body != nil {
		var revision httpapi.Revision
		if err := json.Unmarshal(body, &revision); err != nil {
			s.hide("/v1/revision", "the answer is not that of a sidecar")
		} else {
			s.policy, s.causes = &revision.PolicyStatus, revision.Causes
		}
	}
	if body := s.read(ctx, server, "/metrics"); body != nil {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if s.metrics, err = parser.TextToMetricFamilies(bytes.NewReader(body)); err != nil {
			s.metrics = nil
			s.hide("/metrics", "the answer is not in Prometheus' format")
		} else if name := s.metrics.impossible(); name != "" {
			s.metrics = nil
			s.hide("/metrics", "no number can be the value of "+name)
		}
	}
	return s, nil
}

// read returns what operators may see at a path, or nil.
func (s *Snapshot) read(ctx context.Context, server client.Client, path string) []byte {
	answer, err := server.Get(ctx, path)
	switch {
	case err != nil:
		s.hide(path, err.Error())
	case answer.Status == http.StatusUnauthorized, answer.Status == http.StatusForbidden:
		s.hide(path, sentence(answer.Err())+": it needs the credentials of a caller with the role operations, such as --token-file")
	case answer.Status == http.StatusNotFound:
		s.hide(path, sentence(answer.Err())+": if the server has an operations address, ask there (--server)")
	case answer.Status != http.StatusOK:
		s.hide(path, answer.Err().Error())
	default:
		return answer.Body
	}
	return nil
}

// hide says why what is at a path is not known.
func (s *Snapshot) hide(path, why string) {
	if n := len(s.hidden); n > 0 && strings.HasSuffix(s.hidden[n-1], ": "+why) {
		path = strings.TrimSuffix(s.hidden[n-1], ": "+why) + ", " + path
		s.hidden = s.hidden[:n-1]
	}
	s.hidden = append(s.hidden, path+": "+why)
}

// sentence returns the text of an error to be continued.
func sentence(err error) string { return strings.TrimSuffix(err.Error(), ".") }
