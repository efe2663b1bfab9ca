// Asks two servers through the client that applications have, and prints what it makes of the answers: one JSON object,
// an outcome for each step. The server at ADMINISTRATION has the built-in policy and a directory, the one at APP a policy
// of the test.
import { OPAClient } from "@open-policy-agent/opa";
import { OpaApiClient } from "@open-policy-agent/opa/sdk/index";

const { ADMINISTRATION, APP, TOKEN } = process.env;
const headers = { authorization: `Bearer ${TOKEN}` };
const administration = new OPAClient(ADMINISTRATION, { headers });
const stranger = new OPAClient(ADMINISTRATION, { headers: { authorization: "Bearer of-another-token" } });
const raw = new OpaApiClient({ serverURL: ADMINISTRATION, bearerAuth: TOKEN });
const app = new OPAClient(APP, { headers });

const remove = (location, current) => ({
  subject: { type: "user", id: "alice" },
  action: { name: "assignment.remove" },
  resource: { type: "user", id: "jane", properties: { location } },
  context: { current_location: current },
});
const list = (id) => ({
  subject: { type: "user", id },
  action: { name: "user.list" },
  resource: { type: "location", id: "metro" },
  context: { current_location: "metro" },
});
const allowed = remove("abc", "metro");
const denied = remove("abc", "lakeside");

const steps = {
  "allowed with an obligation": () => administration.evaluate("authz/decision", allowed),
  "denied with reasons": () => administration.evaluate("authz/decision", denied),
  "converted": () => administration.evaluate("authz/decision", allowed, { fromResult: (r) => r.allow }),
  "an object that gives its input": () => administration.evaluate("authz/decision", { toInput: () => allowed }, { fromResult: (r) => r.allow }),
  "another rule has no facts": () => administration.evaluate("authz/allow", allowed),
  "without input": () => administration.evaluate("authz/allow"),
  "the default": () => administration.evaluateDefault(allowed),
  "the default denies": () => administration.evaluateDefault(denied, { fromResult: (r) => r.allow }),
  "batch": () => administration.evaluateBatch("authz/decision", { one: allowed, two: denied }, { fromResult: (r) => r.allow }),
  "undefined": async () => (await administration.evaluate("no/such/path", allowed)) === undefined,
  "data that no rule gives": async () => (await administration.evaluate("authz/messages")) === undefined,
  "facts of the caller's": () => administration.evaluate("authz/decision", { ...allowed, facts: { model: "regional" } }),
  "facts by default": () => administration.evaluateDefault({ ...allowed, facts: null }),
  "facts in a batch": () => administration.evaluateBatch("authz/allow", { one: allowed, two: { facts: {} } }),
  "a wrong token": () => stranger.evaluate("authz/decision", allowed),
  "a wrong token in a batch": () => stranger.evaluateBatch("authz/decision", { one: allowed }),
  "provenance": async () => {
    const { successfulPolicyResponse: r } = await raw.executePolicyWithInput({
      path: "authz/decision", provenance: true, pretty: true, requestBody: { input: allowed },
    });
    return { allow: r.result.allow, bundles: Object.keys(r.provenance.bundles), versioned: typeof r.provenance.version };
  },
  "a filter": async () => {
    const { query, additionalProperties } = await administration.getFilters("authz/filters/user_list", list("alice"), { target: "postgresql" });
    return { query, ...additionalProperties };
  },
  "a filter for Prisma": async () => (await administration.getFilters("authz/filters/user_list", list("alice"), "users")).query,
  "a filter for nobody": () => administration.getFilters("authz/filters/user_list", list("nobody"), "users"),
  "filters": () => administration.getMultipleFilters("authz/filters/user_list", list("nobody"), { targets: ["sqlite", "ucastPrisma"] }),
  "healthy": () => raw.health().then(() => true),
  "healthy with a policy": () => raw.health(true).then(() => true),

  "a policy of one's own": () => app.evaluate("app/decision", { who: "reader" }),
  "a value beneath a rule": () => app.evaluate("app/limits/pages/1"),
  "a package": () => app.evaluate("app", { who: "reader" }),
  "a decision that is none": () => app.evaluate("app/decision", { who: "broken" }),
  "a default that is none": () => app.evaluateDefault({ who: "broken" }),
  "a default that is undefined": () => app.evaluateDefault({ who: "nobody's" }),
  "a batch of some failures": () => app.evaluateBatch("app/decision", { good: { who: "reader" }, bad: { who: "broken" } }),
  "a mixed batch refused": () => app.evaluateBatch("app/decision", { good: { who: "reader" }, bad: { who: "broken" } }, { rejectMixed: true }),
  "a batch of failures": () => app.evaluateBatch("app/decision", { bad: { who: "broken" }, worse: { who: "broken" } }),
};

// told is what an application can see of an error.
function told(error) {
  const { code, message, httpStatusCode } = error;
  const status = error.httpMeta?.response?.status ?? error.statusCode ?? httpStatusCode;
  const responses = error.responses && Object.fromEntries(Object.entries(error.responses).map(([k, r]) => [k, r.code]));
  return { error: error.constructor.name, status, code, message: responses || status === 401 ? undefined : message, responses };
}

const outcomes = {};
for (const [name, step] of Object.entries(steps)) {
  outcomes[name] = await step().catch(told);
}
console.log(JSON.stringify(outcomes, null, 1));
