package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Claim is the outcome of [Client.Claim].
type Claim struct {
	Claimed bool
	Expires time.Time // until when the change has to be made, if it was claimed
	Code    string    // why it was not: changed, taken, expired or denied
	// Evaluation is the question answered again. An allow has a new guard if the claim failed.
	Evaluation authzen.Response
}

// Guard returns the token of the guard in an answer. It is "" unless the question asked for one (context.include) and the answer
// allows a change.
func Guard(r authzen.Response) string {
	guard, _ := r.Context["guard"].(map[string]any)
	token, _ := guard["token"].(string)
	return token
}

// Claim claims the guard of an answer to the question (pdp/authzen/PROTOCOL.md, Guards). Only if it returns no error and
// Claimed may the change be made, with every obligation of Evaluation, and before Expires. It asks once: after an error, such as a
// broken connection, the claim may be in force until it expires.
func (c *Client) Claim(ctx context.Context, question authzen.Evaluation, guard string) (Claim, error) {
	if c.endpoints.GuardClaim == "" {
		return Claim{}, errors.New("the decision point does not offer this by its metadata")
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	body, err := json.Marshal(struct {
		Guard string `json:"guard"`
		authzen.Evaluation
	}{guard, question})
	if err != nil {
		return Claim{}, errors.New("the question cannot be encoded as JSON")
	}
	a, _, err := c.attempt(ctx, http.MethodPost, c.base+c.endpoints.GuardClaim, body, http.StatusConflict)
	if err != nil {
		return Claim{}, err
	}
	return decodeClaim(a)
}

// decodeClaim decodes an answer strictly: status, claimed and decision must agree.
func decodeClaim(a answer) (Claim, error) {
	members, err := authzen.ParseObject(a.body)
	if err != nil {
		return Claim{}, malformed(err)
	}
	evaluation, err := json.Marshal(members["evaluation"])
	if err != nil {
		return Claim{}, malformed(err)
	}
	claimed, isBool := members["claimed"].(bool)
	claim := Claim{Claimed: claimed}
	claim.Code, _ = members["code"].(string)
	if claim.Evaluation, err = authzen.DecodeResponse(evaluation); err != nil {
		return Claim{}, malformed(err)
	}
	if claimed {
		expires, _ := members["expires"].(string)
		if claim.Expires, err = time.Parse(time.RFC3339, expires); err != nil {
			return Claim{}, malformed(err)
		}
	}
	if !isBool || claimed != (a.status == http.StatusOK) || claimed && !claim.Evaluation.Decision || !claimed && claim.Code == "" {
		return Claim{}, malformed(nil)
	}
	return claim, nil
}
