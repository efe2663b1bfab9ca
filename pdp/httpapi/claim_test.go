package httpapi

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

type claimerFunc func(ctx context.Context, r pdp.Request, token string) (pdp.Claim, error)

func (f claimerFunc) Claim(ctx context.Context, r pdp.Request, token string) (pdp.Claim, error) {
	return f(ctx, r, token)
}

var claimBody = `{"guard":"t0ken",` + question[1:]

func TestClaimAnswers(t *testing.T) {
	deny := pdp.Decision{Reasons: []any{map[string]any{"code": "self"}}}
	for want, c := range map[string]struct {
		claim  pdp.Claim
		err    error
		status int
	}{
		`{"claimed":true,"expires":"2026-03-02T07:41:00.500Z","evaluation":{"decision":true}}`: {
			claim: pdp.Claim{Expires: time.Date(2026, 3, 2, 7, 41, 0, 500_000_000, time.UTC), Decision: pdp.Decision{Allow: true}}, status: 200},
		`{"claimed":false,"code":"taken","error":"Another change of the same records has been claimed: try again later.","evaluation":{"decision":true}}`: {
			claim: pdp.Claim{Refused: pdp.ClaimTaken, Wait: 1100 * time.Millisecond, Decision: pdp.Decision{Allow: true}}, status: 409},
		`{"claimed":false,"code":"changed","error":"A record that the guard stands on has changed since.","evaluation":{"decision":true}}`: {
			claim: pdp.Claim{Refused: pdp.ClaimChanged, Decision: pdp.Decision{Allow: true}}, status: 409},
		`{"claimed":false,"code":"expired","error":"The guard has expired.","evaluation":{"decision":true}}`: {
			claim: pdp.Claim{Refused: pdp.ClaimExpired, Decision: pdp.Decision{Allow: true}}, status: 409},
		`{"claimed":false,"code":"denied","error":"The change is not allowed any more.","evaluation":{"decision":false,"context":{"reasons":[{"code":"self"}]}}}`: {
			claim: pdp.Claim{Refused: pdp.ClaimDenied, Decision: deny}, status: 409},
		`{"error":"Not that."}`:                               {err: &pdp.Error{Kind: pdp.Invalid, Message: "Not that."}, status: 400},
		`{"error":"It cannot be determined now: try again."}`: {err: &pdp.Error{Kind: pdp.Unavailable, Message: "It cannot be determined now: try again."}, status: 503},
	} {
		h := start(t, Config{Decider: allow(), Claims: claimerFunc(func(_ context.Context, r pdp.Request, token string) (pdp.Claim, error) {
			assert.Equal(t, "t0ken", token)
			assert.Equal(t, "jane", r.Resource.ID)
			return c.claim, c.err
		})})
		a := h.post(claimPath, claimBody)
		assert.Equal(t, want, a.body)
		assert.Equal(t, c.status, a.status)
		wait := ""
		if c.claim.Wait > 0 {
			wait = "2"
		}
		assert.Equal(t, wait, a.header.Get("Retry-After"))
		outcome := c.claim.Refused
		switch c.status {
		case 200:
			outcome = "claimed"
		case 400, 503:
			outcome = "error"
		}
		assert.Contains(t, h.do("GET", "/metrics", "").body, fmt.Sprintf("wardkeeper_guard_claims_total{outcome=%q} 1", outcome))
	}
}

func TestMalformedClaimIsRefused(t *testing.T) {
	h := start(t, Config{Decider: allow(), Claims: claimerFunc(nil)})
	for body, want := range map[string]string{
		question:                     `The member "guard" is missing at the top level: send the token of the answer's context.guard.`,
		`{"guard":7,` + question[1:]: `The member "guard" is not a string at the top level: send a non-empty string.`,
		`{"guard":"t","subject":{"type":"user","id":"alice"}}`: `The member "action" is missing at the top level: send an object.`,
	} {
		assert.Contains(t, h.post(claimPath, body).requireError(t, 400), want)
	}
	a := start(t, Config{Decider: allow()}).post(claimPath, claimBody)
	assert.Equal(t, 404, a.status)
}

// The caller who claims is told to the engine: a guard is bound to it.
func TestClaimNeedsTheRoleAsk(t *testing.T) {
	callers := testCallers{ask: staticTokens("asker-token-123456"), announce: staticTokens("announcer-token-12")}
	var who []pdp.Caller
	decider := &fakeDecider{decide: func(ctx context.Context, _ pdp.Request) (pdp.Decision, error) {
		who = append(who, pdp.CallerOf(ctx))
		return pdp.Decision{Allow: true}, nil
	}, offers: pdp.Offers{Guards: true}}
	h := start(t, Config{Decider: decider, Callers: callers, Claims: claimerFunc(func(ctx context.Context, _ pdp.Request, _ string) (pdp.Claim, error) {
		who = append(who, pdp.CallerOf(ctx))
		return pdp.Claim{Decision: pdp.Decision{Allow: true}}, nil
	})})
	assert.Equal(t, 401, h.post(claimPath, claimBody).status)
	assert.Equal(t, 403, h.post(claimPath, claimBody, "Authorization", "Bearer announcer-token-12").status)
	for _, path := range []string{claimPath, evaluationPath} {
		require.Equal(t, 200, h.post(path, claimBody, "Authorization", "Bearer asker-token-123456").status)
	}
	require.Len(t, who, 2)
	for _, caller := range who {
		assert.Equal(t, "asker", caller.Name)
		assert.True(t, caller.Proven)
	}
	assert.Contains(t, h.do("GET", metadataPath, "").body, `"guard_claim_endpoint":"https://pdp.example.org/v1/guards/claim"`)
}
