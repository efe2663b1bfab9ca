package follow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// maxManifest is more than a manifest of an image with one layer takes.
const maxManifest = 4 << 20

// ociSource is an image in a registry whose layer is the bundle, as `oras` and `policy` push it for OPA.
type ociSource struct {
	repository *remote.Repository
	registry   *caller
	reference  string
	name       string
	polling    Polling
	limits     bundles.Limits
}

func newOCISource(s *Service, p Polling, limits bundles.Limits) (*ociSource, error) {
	registry, err := s.caller(false)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	repository, err := remote.NewRepository(s.Resource)
	if err != nil {
		return nil, errors.New("the resource is no image of a registry: say one such as registry.example.org/policies/authz:prod")
	}
	repository.PlainHTTP = strings.HasPrefix(registry.url, "http://")
	repository.Client = &auth.Client{
		Client: &http.Client{Transport: &authorized{registry, max(limits.WithDefaults().Compressed, maxManifest)}, CheckRedirect: withoutToken},
		Cache:  auth.NewCache(),
	}
	reference := repository.Reference.Reference
	if reference == "" {
		reference = "latest"
	}
	return &ociSource{repository: repository, registry: registry, reference: reference, name: s.String(), polling: p, limits: limits.WithDefaults()}, nil
}

func (s *ociSource) confirms() time.Duration { return s.polling.confirms() }

func (s *ociSource) renew() { s.registry.transport.Renew() }

func (s *ociSource) network() bool  { return true }
func (s *ociSource) String() string { return s.name }

func (s *ociSource) pause(failures int, _ bool) time.Duration {
	if failures > 0 {
		return backoff(failures, s.polling.Max)
	}
	return s.polling.pause()
}

func (s *ociSource) fetch(ctx context.Context, before seen) (f fetched, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.polling.Timeout)
	defer cancel()
	found, err := s.repository.Resolve(ctx, s.reference)
	if err != nil {
		return f, unreached(withoutURL(err))
	}
	if f.tag = found.Digest.String(); f.tag == before.tag {
		return f, nil // the same bytes: whatever is fetched is held against the digest
	}
	layer, err := s.layer(ctx, found)
	if err != nil {
		return f, err
	}
	if layer.Size > s.limits.Compressed {
		return f, bundles.Refusef(bundles.TooLarge, "it is larger than %d bytes", s.limits.Compressed)
	}
	f.raw, err = content.FetchAll(ctx, s.repository.Blobs(), layer)
	switch {
	case errors.Is(err, content.ErrMismatchedDigest):
		return f, &bundles.Refusal{Reason: bundles.Malformed, Temporary: true, Err: fmt.Errorf("the registry gave other bytes than the image names: %w", err)}
	case err != nil:
		return f, unreached(withoutURL(err))
	}
	return f, nil
}

// layer finds the bundle in an image, or in the first image of an index.
func (s *ociSource) layer(ctx context.Context, at ocispec.Descriptor) (ocispec.Descriptor, error) {
	for range 2 {
		if at.Size > maxManifest {
			return at, bundles.Refusef(bundles.TooLarge, "its manifest is larger than %d bytes", maxManifest)
		}
		data, err := content.FetchAll(ctx, s.repository.Manifests(), at)
		if err != nil {
			return at, unreached(withoutURL(err))
		}
		var image struct {
			Layers    []ocispec.Descriptor `json:"layers"`
			Manifests []ocispec.Descriptor `json:"manifests"`
		}
		if err := json.Unmarshal(data, &image); err != nil {
			return at, bundles.Refusef(bundles.Malformed, "the image's manifest cannot be read: %w", err)
		}
		for _, layer := range image.Layers {
			if layer.MediaType == ocispec.MediaTypeImageLayerGzip {
				return layer, nil
			}
		}
		if len(image.Manifests) == 0 {
			break
		}
		at = image.Manifests[0]
	}
	return at, bundles.Refusef(bundles.Malformed, "the image has no layer of the type %s, which a bundle is", ocispec.MediaTypeImageLayerGzip)
}

// withoutToken keeps what a token service gave from other servers: oras does so at the first step alone.
func withoutToken(r *http.Request, via []*http.Request) error {
	if elsewhere(r, via) {
		r.Header.Del("Authorization")
	}
	return bounded(via)
}

// authorized adds the configured credentials to requests for the registry and its token service, and to nothing that
// they are redirected to.
type authorized struct {
	registry *caller
	limit    int64 // bytes of an answer whose encoding has to be undone
}

func (a *authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Header.Get("Authorization") == "" && r.Response == nil {
		if err := a.registry.prepare(r); err != nil {
			return nil, err
		}
	}
	plainly(r)
	response, err := a.registry.transport.RoundTrip(r)
	if err != nil || r.Method == http.MethodHead || response.StatusCode != http.StatusOK || response.Header.Get("Content-Encoding") == "" {
		return response, err
	}
	return a.decoded(response)
}

// decoded undoes the encoding of an answer.
func (a *authorized) decoded(response *http.Response) (*http.Response, error) {
	data, err := readBounded(response.Body, a.limit)
	_ = response.Body.Close()
	if err == nil {
		data, err = decoded(data, response.Header.Values("Content-Encoding"), a.limit)
	}
	if err != nil {
		return nil, err
	}
	response.Header.Del("Content-Encoding")
	response.Header.Set("Content-Length", strconv.Itoa(len(data)))
	response.ContentLength, response.Body = int64(len(data)), io.NopCloser(bytes.NewReader(data))
	return response, nil
}
