package pdp

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/guard"
)

// guardMember is the member of a decision's context, and the element of include in a question's, that concern guards.
const guardMember = "guard"

// GuardConfig configures guards.
type GuardConfig struct {
	Claims   guard.Claims  // nil: those of this process alone
	Lifetime time.Duration // of a guard, until it is claimed; 0 means 5 min
	Claim    time.Duration // how long a claim lasts, in which the change has to be made; 0 means 10 s
}

// guards makes guards, and keeps what has been claimed.
type guards struct {
	GuardConfig
	sealer *guard.Sealer
}

func newGuards(cfg Config) guards {
	g := guards{cfg.Guards, guard.NewSealer(cfg.FleetKey, cfg.Logger)}
	if g.Claims == nil {
		g.Claims = &guard.Memory{}
	}
	g.Lifetime, g.Claim = cmp.Or(g.Lifetime, 5*time.Minute), cmp.Or(g.Claim, 10*time.Second)
	return g
}

// isGuarded reports whether an answer gets a guard: that to a question about a change that asks for one.
func (ev *evaluation) isGuarded(r Request) bool {
	action, known := ev.catalogue[r.Action.Name]
	return known && !action.readOnly && includes(r, guardMember)
}

// addGuard adds a guard to an allow. The caller's name in ctx binds it, where callers prove who they are.
func (ev *evaluation) addGuard(ctx context.Context, d *Decision, a answer, r Request) error {
	records, err := ev.guardedRecords(ctx, a, r)
	if err != nil {
		return asError(ctx, err)
	}
	g := guard.Guard{Expires: time.Now().Add(ev.engine.guards.Lifetime)}
	d.stoodOn = records
	d.Context[guardMember] = map[string]any{
		"token":   ev.engine.guards.sealer.Seal(r, CallerOf(ctx).proven(), g, records),
		"expires": g.Expires.UTC().Format(GuardTime),
		"records": ev.readableRecords(a, r, records),
	}
	return nil
}

// GuardTime is the format of times in guards and claims: RFC 3339 with milliseconds.
const GuardTime = "2006-01-02T15:04:05.000Z07:00"

// guardedRecords returns the records that a change stands on, and which of them it writes.
func (ev *evaluation) guardedRecords(ctx context.Context, a answer, r Request) ([]guard.Record, error) {
	var records []guard.Record
	for stored := range a.facts.Records(ev.facts.View) {
		if u := stored.User; u != nil {
			records = guard.Add(records, guard.Record{Type: guard.User, ID: u.ID(), Version: stored.Version, State: guard.StateOf(u), Exclusive: u == a.facts.User})
		} else {
			records = guard.Add(records, guard.Record{Type: guard.Organization, ID: stored.Root.ID(), Version: stored.Version})
		}
	}
	if r.Resource.Type == "location" {
		return ev.addLocations(ctx, records, a, r)
	}
	action := ev.catalogue[r.Action.Name]
	if isNew, _ := r.Action.Properties["new"].(bool); isNew && action.Has("new") {
		records = guard.Add(records, guard.Record{Type: guard.User, ID: r.Resource.ID, Exclusive: true})
		if username := facts.String(r.Action.Properties, "username"); username != "" {
			records = guard.Add(records, guard.Record{Type: guard.Username, ID: facts.FoldCanonical(username), Exclusive: true})
		}
	}
	return records, nil
}

// addLocations adds the organizations whose trees of locations a change writes, and a location that it creates (SYS-11).
func (ev *evaluation) addLocations(ctx context.Context, records []guard.Record, a answer, r Request) ([]guard.Record, error) {
	written := []*facts.Location{a.facts.Place}
	if a.facts.Place == nil {
		records = guard.Add(records, guard.Record{Type: guard.Location, ID: r.Resource.ID, Exclusive: true})
	}
	action := ev.catalogue[r.Action.Name]
	if action.Has("system") {
		system, err := ev.facts.Location(ctx, facts.String(r.Action.Properties, "system"))
		if err != nil {
			return nil, err
		}
		written = append(written, system)
	}
	for _, at := range written {
		if at != nil {
			version := ev.facts.View.OrganizationFreshness(at.Root()).Version
			records = guard.Add(records, guard.Record{Type: guard.Organization, ID: at.Organization(), Version: version, Exclusive: true})
		}
	}
	return records, nil
}

// readableRecords describes the records of a guard that the answer discloses.
func (ev *evaluation) readableRecords(a answer, r Request, records []guard.Record) []any {
	all := []any{}
	for stored := range ev.disclosedOf(a, r) {
		kind, id := describe(stored)
		i := slices.IndexFunc(records, func(r guard.Record) bool { return r.Type == kind && r.ID == id })
		record := map[string]any{"type": kind, "id": id, "version": int(stored.Version)}
		if records[i].Exclusive {
			record["exclusive"] = true
		}
		all = append(all, record)
	}
	return all
}

// Why a claim failed.
const (
	ClaimExpired = "expired" // the guard is too old
	ClaimChanged = "changed" // a record has another version now
	ClaimDenied  = "denied"  // the change is not allowed any more
	ClaimTaken   = "taken"   // a claim of one of the records is in force
)

// Claim is the outcome of a claim.
type Claim struct {
	Refused  string        // why it failed; "" if it succeeded
	Expires  time.Time     // until when the change has to be made, if it succeeded
	Wait     time.Duration // how long the claims that are in the way have left, if there are any
	Decision Decision      // the question decided again; an allow carries a new guard if the claim failed
}

// Claim takes the records that an allow stood on for the change that it allowed, for a limited time. It decides the question
// again, and once more when the records are taken, by facts that the source is then asked for, as it is for the decision of a
// claim that fails. So nobody else can have claimed, and nobody can claim, a change of the same records that this one did not
// know of. The error is an [*Error], of kind [Invalid] if the token is not that of a guard of this question and caller.
func (e *Engine) Claim(ctx context.Context, r Request, token string) (Claim, error) {
	g, err := e.guards.sealer.Open(token, r, CallerOf(ctx).proven())
	if err != nil {
		return Claim{}, &Error{Kind: Invalid, Err: err,
			Message: "This is no guard of this question and caller: ask the question with include [\"guard\"], and send it again with the guard."}
	}
	if e.recorder == nil {
		return e.claim(ctx, r, g, nil)
	}
	records := newRecords(ctx, 1)
	record := &records[0]
	record.Question = r
	c, err := e.claim(ctx, r, g, record)
	record.Decision = c.Decision
	record.endWith(err)
	if failed := e.record(ctx, records); failed != nil {
		return Claim{}, failed
	}
	return c, err
}

func (e *Engine) claim(ctx context.Context, r Request, g guard.Guard, record *Record) (Claim, error) {
	r = including(r, guardMember)
	d, err := e.decide(ctx, r, record)
	if err == nil && refuses(g, d) != "" { // what is known here may be older than the guard, or its answer must be fresh
		d, err = e.decideCurrent(ctx, r, record)
	}
	if err != nil {
		return Claim{}, err
	}
	if refused := refuses(g, d); refused != "" {
		return Claim{Refused: refused, Decision: d}, nil
	}
	id, locks, expires := rand.Text(), guard.Locks(d.stoodOn), time.Now().Add(e.guards.Claim)
	wait, err := e.guards.Claims.Claim(ctx, id, locks, e.guards.Claim)
	if err != nil {
		e.release(ctx, id, locks)
		return Claim{}, &Error{Kind: Unavailable, Message: "It cannot be determined whether this has been claimed: try again later.", Err: err}
	}
	d, err = e.decideCurrent(ctx, r, record)
	switch {
	case err != nil:
		e.release(ctx, id, locks)
		return Claim{}, err
	case refuses(g, d) != "":
		e.release(ctx, id, locks)
		return Claim{Refused: refuses(g, d), Decision: d}, nil
	case wait > 0:
		return Claim{Refused: ClaimTaken, Wait: wait, Decision: d}, nil
	}
	given := d.Context[guardMember].(map[string]any)
	d.Context[guardMember] = map[string]any{"records": given["records"]} // there is nothing left to claim
	return Claim{Expires: expires, Decision: d}, nil
}

// refuses returns why a guard cannot be claimed by a decision, or "".
func refuses(g guard.Guard, d Decision) string {
	switch {
	case !d.Allow:
		return ClaimDenied
	case !g.StandsOn(d.stoodOn):
		return ClaimChanged
	case !time.Now().Before(g.Expires):
		return ClaimExpired
	}
	return ""
}

// release gives back what a claim has taken. If that fails, it expires.
func (e *Engine) release(ctx context.Context, id string, locks []guard.Lock) {
	if err := e.guards.Claims.Release(context.WithoutCancel(ctx), id, locks); err != nil {
		e.log.WarnContext(ctx, "a claim that failed could not be released: it expires by itself", "error", err)
	}
}
