package httpapi

import "encoding/json"

// metadata describes the server to clients (pdp/authzen/PROTOCOL.md section 9). URLs come from the configuration, never
// from the request. Only the features that the policy in force supports are advertised.
func (rc *requestContext) metadata() (err error) {
	offers, baseURL := rc.server.decider.Offers(), rc.server.baseURL
	urlIf := func(offered bool, path string) string {
		if !offered {
			return ""
		}
		return baseURL + path
	}
	rc.out, err = json.Marshal(struct {
		PDP            string   `json:"policy_decision_point"`
		Evaluation     string   `json:"access_evaluation_endpoint"`
		Evaluations    string   `json:"access_evaluations_endpoint"`
		SearchSubject  string   `json:"search_subject_endpoint,omitempty"`
		SearchResource string   `json:"search_resource_endpoint,omitempty"`
		SearchAction   string   `json:"search_action_endpoint,omitempty"`
		GuardClaim     string   `json:"guard_claim_endpoint,omitempty"`
		Obligations    []string `json:"supported_obligations,omitempty"`
		Authentication []string `json:"authentication_methods_supported,omitempty"`
		Issuers        []string `json:"authorization_servers,omitempty"`
	}{
		baseURL, baseURL + evaluationPath, baseURL + evaluationsPath, urlIf(offers.Subjects, searchSubjectPath),
		urlIf(offers.Resources, searchResourcePath), urlIf(offers.Actions, searchActionPath),
		urlIf(rc.server.claimer != nil && offers.Guards, claimPath), offers.Obligations,
		rc.server.methods.names(), rc.server.methods.issuers(),
	})
	return err
}
