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

// maxManifest bounds the manifest of an image, in bytes. With one layer it is far smaller.
const maxManifest = 4 << 20

// ociSource is an image in a registry whose layer is the bundle, as `oras` and `policy` push it for OPA.
type ociSource struct {
	repository *remote.Repository
	client     *client
	reference  string
	name       string
	polling    Polling
	limits     bundles.Limits
}

func newOCISource(s *service, p Polling, limits bundles.Limits) (*ociSource, error) {
	client, err := newClient(s, false)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	repository, err := remote.NewRepository(s.resource)
	if err != nil {
		return nil, errors.New("the resource is not an image reference: write one such as registry.example.org/policies/authz:prod")
	}
	repository.PlainHTTP = strings.HasPrefix(client.url, "http://")
	transport := &registryTransport{client, max(limits.WithDefaults().Compressed, maxManifest)}
	repository.Client = &auth.Client{
		Client: &http.Client{Transport: transport, CheckRedirect: checkTokenRedirect},
		Cache:  auth.NewCache(),
	}
	reference := repository.Reference.Reference
	if reference == "" {
		reference = "latest"
	}
	return &ociSource{repository: repository, client: client, reference: reference, name: s.String(), polling: p, limits: limits.WithDefaults()}, nil
}

func (s *ociSource) confirmInterval() time.Duration { return s.polling.confirmInterval() }

func (s *ociSource) renew() { s.client.transport.Renew() }

func (s *ociSource) remote() bool   { return true }
func (s *ociSource) String() string { return s.name }

func (s *ociSource) pause(failures int, _ bool) interval {
	if failures > 0 {
		return backoff(failures, s.polling.Max)
	}
	return s.polling.pause()
}

func (s *ociSource) fetch(ctx context.Context, last seen) (f fetched, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.polling.Timeout)
	defer cancel()
	found, err := s.repository.Resolve(ctx, s.reference)
	if err != nil {
		return f, unavailable(redactURL(err))
	}
	if f.tag = found.Digest.String(); f.tag == last.tag {
		return f, nil // the content is compared with the digest, so this needs no trust
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
		return f, &bundles.Refusal{Reason: bundles.Malformed, Temporary: true,
			Err: fmt.Errorf("the registry sent content that does not match the image's digest: %w", err)}
	case err != nil:
		return f, unavailable(redactURL(err))
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
			return at, unavailable(redactURL(err))
		}
		var image struct {
			Layers    []ocispec.Descriptor `json:"layers"`
			Manifests []ocispec.Descriptor `json:"manifests"`
		}
		if err := json.Unmarshal(data, &image); err != nil {
			return at, bundles.Refusef(bundles.Malformed, "cannot read the image's manifest: %w", err)
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
	return at, bundles.Refusef(bundles.Malformed, "the image has no layer of the type %s: push the bundle as one", ocispec.MediaTypeImageLayerGzip)
}

// registryTransport adds the configured credentials to requests for the registry and its token service, but not to requests
// that result from their redirects.
type registryTransport struct {
	client *client
	limit  int64 // bytes of a response with a Content-Encoding
}

func (t *registryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Header.Get("Authorization") == "" && r.Response == nil {
		if err := t.client.authorize(r); err != nil {
			return nil, err
		}
	}
	setPlainHeaders(r)
	response, err := t.client.transport.RoundTrip(r)
	if err != nil || r.Method == http.MethodHead || response.StatusCode != http.StatusOK || response.Header.Get("Content-Encoding") == "" {
		return response, err
	}
	return t.decode(response)
}

// decode undoes the Content-Encoding of a response.
func (t *registryTransport) decode(response *http.Response) (*http.Response, error) {
	data, err := readBounded(response.Body, t.limit)
	_ = response.Body.Close()
	if err == nil {
		data, err = decodeContent(data, response.Header.Values("Content-Encoding"), t.limit)
	}
	if err != nil {
		return nil, err
	}
	response.Header.Del("Content-Encoding")
	response.Header.Set("Content-Length", strconv.Itoa(len(data)))
	response.ContentLength, response.Body = int64(len(data)), io.NopCloser(bytes.NewReader(data))
	return response, nil
}
