package doctor

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/hostile"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// Report is the result of an examination.
type Report struct {
	Findings []string // what is wrong, in sentences
	Notes    []string // what was examined, and what could not be
}

func (r *Report) found(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.Findings, text) {
		r.Findings = append(r.Findings, text)
	}
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Options configures an examination.
type Options struct {
	// Routes is the route file; nil means the route file of the corpus.
	Routes *routes.Table
	// Authorities verify the certificate of a running deployment; nil means those of the system.
	Authorities *x509.CertPool
	// signsIn means that the proxy itself signs people in with passwords, of which the doctor has its own.
	signsIn bool
}

// A person of the doctor's, where the proxy signs people in. The hash is bcrypt's, at its lowest cost.
const (
	person       = "alice"
	password     = "secret"
	passwordHash = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
)

// table returns the route file and the site for which to make the corpus.
func (o Options) table() (*routes.Table, hostile.Site, error) {
	table, site := o.Routes, hostile.DefaultSite()
	var err error
	switch {
	case table != nil:
		site, err = siteOf(table)
	case o.signsIn:
		before, _, _ := strings.Cut(string(hostile.RouteFile), "subject:\n")
		_, after, _ := strings.Cut(string(hostile.RouteFile), "routes:\n")
		table, err = routes.Parse([]byte(before + "subject: {header: X-Remote-User}\nroutes:\n" + after))
	default:
		table, err = routes.Parse(hostile.RouteFile)
	}
	if err == nil && o.signsIn && table.Subject().Header != "" {
		site.Credentials = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(person+":"+password))
	}
	return table, site, err
}

// siteOf returns a site with folders of the route file for which the corpus can be made.
func siteOf(table *routes.Table) (hostile.Site, error) {
	site := hostile.Site{Host: "clinic.example.org", Public: "/wardkeeper-doctor/"}
	switch subject := table.Subject(); {
	case subject.JWT == nil && subject.Header != "":
		site.Credentials = subject.Header + ": alice"
	case subject.JWT != nil && subject.JWT.Cookie != "":
		site.Credentials = "Cookie: " + subject.JWT.Cookie + "=alice"
	case subject.JWT != nil:
		site.Credentials = "Authorization: Bearer alice"
	}
	publicFound := false
	for _, r := range table.Routes() {
		i := strings.LastIndexByte(r.Path, '/')
		folder, last := r.Path[:i+1], r.Path[i+1:]
		if !slices.Contains(r.Methods, "GET") || r.Host != "" || !strings.HasPrefix(last, "{") || strings.Contains(folder, "{") || r.DrawsBody {
			continue
		}
		if r.Public && !publicFound && folder != "/" {
			site.Public, publicFound = folder, true
		}
		if !r.Public && site.Protected == "" {
			site.Protected = folder
		}
	}
	if site.Protected == "" || site.Protected == "/" {
		return site, errors.New("the route file has no route for GET of a path such as /users/{id} that is asked about: examine without --routes")
	}
	return site, nil
}

// running is a running proxy between the doctor's servers.
type running struct {
	trial *hostile.Trial
	dial  dialer
	// dialHTTP2 opens connections on which HTTP/2 is negotiated; nil if there is no TLS.
	dialHTTP2 dialer
	site      hostile.Site
	isHTTP2   bool
	where     string // names the server of the proxy in messages
}

// examineAll examines the servers of a proxy, and then stops the sidecar that the doctor plays to see what they answer without.
func examineAll(ctx context.Context, all []*running, report *Report) error {
	for _, r := range all {
		if err := r.examine(ctx, report); err != nil {
			return err
		}
		if r.dialHTTP2 == nil || !hostile.SpeaksHTTP2(ctx, r.dialHTTP2) {
			continue
		}
		if err := r.overHTTP2().examine(ctx, report); err != nil {
			return err
		}
	}
	for _, r := range all {
		r.trial.Judge.Close()
		if err := r.statuses(ctx, report, hostile.Cases(r.site)[:4], hostile.Allow, 503, "while the sidecar is down"); err != nil {
			return err
		}
	}
	return nil
}

// overHTTP2 returns the server as it is reached over HTTP/2.
func (r *running) overHTTP2() *running {
	over := *r
	over.dial, over.where, over.isHTTP2 = r.dialHTTP2, r.where+" over HTTP/2", true
	return &over
}

// cases returns the corpus for a site.
func (r *running) cases(site hostile.Site) []hostile.Case {
	if r.isHTTP2 {
		return hostile.CasesOfHTTP2(site)
	}
	return hostile.Cases(site)
}

// examine sends the corpus and checks how the proxy answers denials and failures.
func (r *running) examine(ctx context.Context, report *Report) error {
	cases := r.cases(r.site)
	var plain []hostile.Case
	for _, c := range cases {
		if c.Class == hostile.PlainClass {
			plain = append(plain, c)
		}
	}
	denied, err := r.trial.Run(ctx, r.dial, plain, hostile.Deny, true)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", r.where, err)
	}
	open := 0
	for _, v := range denied.Violations {
		if strings.Contains(v.Sentence, "was not judged") && strings.Contains(v.Sentence, " asking ") {
			open++
		}
	}
	switch {
	case open > 0 && denied.Asked == 0 && denied.Strays > 0:
		report.found("%s lets everybody through: it asks the sidecar at another path than /adapters/forward-auth, and there a denial is answered with status 200.", r.where)
	case open > 0 && denied.Asked == 0:
		report.found("%s lets everybody through: it does not ask the sidecar.", r.where)
	case open > 0:
		report.found("%s asks the sidecar, but lets requests through that are denied.", r.where)
	}
	if open > 0 {
		return nil // further checks would report the same
	}
	if err := r.statuses(ctx, report, plain, hostile.Deny, 403, "of a person who may not do it"); err != nil {
		return err
	}
	if err := r.statuses(ctx, report, plain, hostile.Fail, 503, "about which the sidecar cannot decide"); err != nil {
		return err
	}
	if r.site.Credentials != "" {
		anonymous := *r
		anonymous.site.Credentials = ""
		var nobody []hostile.Case
		for _, c := range r.cases(anonymous.site) {
			if c.Class == hostile.PlainClass {
				nobody = append(nobody, c)
			}
		}
		if err := anonymous.statuses(ctx, report, nobody, hostile.Allow, 401, "of nobody who has signed in"); err != nil {
			return err
		}
	}
	o, err := r.trial.Run(ctx, r.dial, cases, hostile.Allow, true)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", r.where, err)
	}
	arrived := 0
	status := 0
	for _, a := range o.Answers {
		if a.Case.Class == hostile.PlainClass && r.asks(a.Case) {
			if a.Status == 200 {
				arrived++
			} else {
				status = a.Status
			}
		}
	}
	if arrived == 0 {
		report.found("%s lets nobody through: a request that may pass is answered with status %d. Either the sidecar does not get the person's fields (%s), or something else refuses it.", r.where, status, strings.SplitN(r.site.Credentials, ":", 2)[0])
	}
	wrong := r.violations(report, o)
	report.note("%s: %d connections with hostile requests; %d were refused, %d requests reached the application, %d of them in a way that is wrong.", r.where, len(o.Answers), o.Refused(), o.Arrived, wrong)
	return nil
}

// asks reports whether the proxy must ask about the first request of a plain case.
func (r *running) asks(c hostile.Case) bool {
	return c.IsFor(r.site.Protected)
}

// statuses checks that clients get the status want, and that no request gets through. of describes the requests in messages.
func (r *running) statuses(ctx context.Context, report *Report, plain []hostile.Case, mode hostile.Mode, want int, of string) error {
	o, err := r.trial.Run(ctx, r.dial, plain, mode, true)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", r.where, err)
	}
	for _, a := range o.Answers {
		if r.asks(a.Case) && a.Status != want {
			report.found("%s answers a request %s with status %d instead of %d.", r.where, of, a.Status, want)
		}
	}
	for _, v := range o.Violations {
		if strings.Contains(v.Sentence, " asking ") {
			report.found("%s lets a request through %s.", r.where, of)
		}
	}
	return nil
}

// maxExamples limits how many violations of a kind are shown.
const maxExamples = 2

// violations reports the requests that the application should not have received, by kind, and returns their number. Trailers
// are noted only, because programs keep them apart from the header.
func (r *running) violations(report *Report, o hostile.Outcome) int {
	count, trailers := map[string]int{}, 0
	for _, v := range o.Violations {
		if strings.Contains(v.Sentence, "trailer") {
			trailers++
			continue
		}
		kind, _, _ := strings.Cut(v.Sentence, ":")
		if count[kind]++; count[kind] > maxExamples {
			continue
		}
		report.found("%s: %s\n  kind  %s\n  sent  %s\n  got   %s", r.where, v.Sentence, v.Class, v.Sent, v.Got)
	}
	if trailers > 0 {
		report.note("%s passes on trailers, fields after the body, and nobody judges them (%d requests): the application must not take them for fields of the header.", r.where, trailers)
	}
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		if count[kind] > maxExamples {
			report.found("%s: the same happened %d times in all: %s.", r.where, count[kind], strings.TrimSuffix(kind, "."))
		}
	}
	return len(o.Violations) - trailers
}
