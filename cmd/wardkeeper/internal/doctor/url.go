package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

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
	var safe []hostile.Case
	for _, c := range hostile.Cases(site) {
		if c.Safe {
			safe = append(safe, c)
		}
	}
	answers := hostile.Run(ctx, dialURL(u), safe)
	count, undecided, refused := map[string]int{}, 0, 0
	for _, a := range answers {
		switch {
		case a.Err != nil:
			return report, fmt.Errorf("cannot connect to %s: %w", u.Host, a.Err)
		case judge.IsPublic(ctx, a.Case):
		case a.Status >= 200 && a.Status < 300:
			if count[a.Case.Class]++; count[a.Case.Class] <= maxExamples {
				report.found("Nobody has signed in, and is answered with status %d to a request that should be refused.\n  kind  %s\n  sent  %.300q", a.Status, a.Case.Class, a.Case.Raw)
			}
		case a.Status == 0, a.Status == 400, a.Status == 401, a.Status == 403, a.Status == 405, a.Status == 414, a.Status == 431, a.Status >= 500:
			refused++
		default:
			undecided++
		}
	}
	for _, a := range answers {
		if a.Case.Class == hostile.PlainClass && !judge.IsPublic(ctx, a.Case) && a.Status != 401 {
			report.found("Nobody has signed in, and is answered with status %d instead of 401 to a request for %s.", a.Status, site.Protected+a.Case.ID)
			break
		}
	}
	report.note("%s: %d connections with hostile requests of nobody, GET and HEAD of ids that do not exist; %d were refused.", u.Host, len(answers), refused)
	if undecided > 0 {
		report.note("%d others were answered with a redirection or 404: whether the application or the proxy did that is not to be seen from outside.", undecided)
	}
	report.note("From outside it is not to be seen what the application gets, whether a denial denies, and how requests are treated once somebody has signed in: --nginx and --caddy examine that.")
	return report, nil
}

// dialURL returns a dial function for [hostile.Run].
func dialURL(u *url.URL) func(context.Context) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	addr := net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == "http" {
		return hostile.DialTCP(addr)
	}
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}}}
	return func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", addr) }
}
