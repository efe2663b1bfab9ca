package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/hostile"
)

// URL sends those requests of the corpus that change nothing to a running deployment, without credentials, and judges by the
// answers alone.
func URL(ctx context.Context, base string, o Options) (Report, error) {
	var report Report
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return report, errors.New("the URL must be http://HOST or https://HOST, with a port if need be, and nothing after it")
	}
	table, site, err := o.table()
	if err != nil {
		return report, err
	}
	site.Host, site.Credentials = u.Host, ""
	judge, err := hostile.NewJudge(table, &hostile.Record{})
	if err != nil {
		return report, err
	}
	dial, dialHTTP2 := dialURL(u, o.Authorities)
	if conn, err := dial(ctx); err != nil {
		return report, unreachable(u, err)
	} else if err := conn.Close(); err != nil {
		return report, err
	}
	e := &outside{judge: judge, site: site, report: &report}
	if err := e.examine(ctx, u, dial, hostile.Cases(site), ""); err != nil {
		return report, err
	}
	if dialHTTP2 != nil && hostile.SpeaksHTTP2(ctx, dialHTTP2) {
		if err := e.examine(ctx, u, dialHTTP2, hostile.CasesOfHTTP2(site), " over HTTP/2"); err != nil {
			return report, err
		}
	}
	report.note("From outside it is not to be seen what the application gets, whether a denial denies, and how requests are treated once somebody has signed in: --nginx and --caddy examine that.")
	return report, nil
}

// unreachable says why there is no connection, and what to do.
func unreachable(u *url.URL, err error) error {
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of %s is not to be trusted: %w; if an authority of your own has signed it, name its file with --ca", u.Host, certificate.Err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("%s does not speak TLS: use http://%s", u.Host, u.Host)
	}
	return fmt.Errorf("cannot connect to %s: %w", u.Host, err)
}

// outside is an examination of a running deployment.
type outside struct {
	judge  *hostile.Judge
	site   hostile.Site
	report *Report
}

// examine sends the safe cases. how describes the connections in messages.
func (e *outside) examine(ctx context.Context, u *url.URL, dial dialer, cases []hostile.Case, how string) error {
	safe := slices.DeleteFunc(cases, func(c hostile.Case) bool { return !c.Safe })
	answers := hostile.Run(ctx, dial, safe)
	isOpen := e.examinePlain(ctx, answers, how)
	count, undecided, refused, open := map[string]int{}, 0, 0, 0
	for _, a := range answers {
		switch {
		case a.Err != nil:
			return unreachable(u, a.Err)
		case e.judge.IsPublic(ctx, a.Case):
		case a.Status >= 200 && a.Status < 300 && isOfNoSite(a):
			undecided++
		case a.Status >= 200 && a.Status < 300:
			open++
			if count[a.Case.Class]++; count[a.Case.Class] <= maxExamples && !isOpen {
				e.report.found("Nobody has signed in, and is answered with status %d%s to a request that should be refused.\n  kind  %s\n  sent  %.300q", a.Status, how, a.Case.Class, a.Case.Raw)
			}
		case a.Status == 0, a.Status == 400, a.Status == 401, a.Status == 403, a.Status == 405, a.Status == 414, a.Status == 431, a.Status >= 500:
			refused++
		default:
			undecided++
		}
	}
	if isOpen && open > 0 {
		e.report.found("%d requests of nobody%s that should be refused have an answer of the application.", open, how)
	}
	e.report.note("%s%s: %d hostile requests of nobody, GET and HEAD of ids that do not exist; %d were refused.", u.Host, how, len(answers), refused)
	if undecided > 0 {
		e.report.note("%d others were answered with a redirection, 404, or nothing for another host: whether the application or the proxy did that is not to be seen from outside.", undecided)
	}
	return nil
}

// examinePlain examines the requests that are not hostile. It reports whether the deployment answers nobody who has signed in as if
// it asked about nothing: what it does with hostile requests is then no news.
func (e *outside) examinePlain(ctx context.Context, answers []hostile.Answer, how string) (isOpen bool) {
	for _, a := range answers {
		if a.Case.Class != hostile.PlainClass || e.judge.IsPublic(ctx, a.Case) || a.Status == 401 {
			continue
		}
		about := fmt.Sprintf("Nobody has signed in, and is answered with status %d%s instead of 401 to a request for %s", a.Status, how, e.site.Protected+a.Case.ID)
		switch {
		case a.Status == 403:
			e.report.found("%s: no route of the deployment's route file may match it. Name that file with --routes.", about)
		case a.Status >= 500 || a.Status == 0:
			e.report.found("%s: the proxy may not reach the sidecar.", about)
		default:
			e.report.found("%s: nothing that asks stands before the application, or that path is public.", about)
			return true
		}
		return false
	}
	return false
}

// isOfNoSite reports whether an answer is an empty one to a request for another host. Caddy answers so for a host that it does
// not serve.
func isOfNoSite(a hostile.Answer) bool {
	class := a.Case.Class
	isAnother := strings.Contains(class, "host") || strings.Contains(class, "authority") || class == "request targets"
	head, _, _ := strings.Cut(a.Text, "\r\n\r\n")
	return isAnother && (a.Text == "" || strings.Contains(head, "\r\nContent-Length: 0"))
}

// dialURL returns dial functions for HTTP/1.1 and HTTP/2. That for HTTP/2 is nil without TLS, where HTTP/2 is not negotiated.
func dialURL(u *url.URL, authorities *x509.CertPool) (dial, dialHTTP2 dialer) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	plain := hostile.DialTCP(net.JoinHostPort(u.Hostname(), port))
	if u.Scheme == "http" {
		return plain, nil
	}
	config := &tls.Config{ServerName: u.Hostname(), RootCAs: authorities}
	return overTLS(plain, config, "http/1.1"), overTLS(plain, config, "h2")
}
