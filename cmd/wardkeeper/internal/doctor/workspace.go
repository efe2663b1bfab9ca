package doctor

import (
	"net"
	"os"

	"github.com/wardkeeper/wardkeeper/adapters/hostile"
)

// workspace is what a proxy is examined with: a trial, in which the doctor plays the application and the sidecar, and a folder for
// the proxy's files.
type workspace struct {
	trial   *hostile.Trial
	site    hostile.Site
	dir     string
	sidecar string // the address of the sidecar that the doctor plays

	certificate certificate
}

func (o Options) openWorkspace() (*workspace, error) {
	table, site, err := o.table()
	if err != nil {
		return nil, err
	}
	w := &workspace{site: site}
	if w.trial, err = hostile.NewTrial(table, site); err != nil {
		return nil, err
	}
	if w.dir, err = os.MkdirTemp("", "wardkeeper-doctor"); err != nil {
		w.close()
		return nil, err
	}
	if w.certificate, err = newCertificate(w.dir); err != nil {
		w.close()
		return nil, err
	}
	sidecar, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.close()
		return nil, err
	}
	w.trial.Judge.Serve(sidecar)
	w.sidecar = sidecar.Addr().String()
	return w, nil
}

// running returns a server of the proxy that accepts the connections of dial. host is the name that requests are for; "" is that of the
// site.
func (w *workspace) running(dial dialer, host string, secure bool, where string) *running {
	r := &running{trial: w.trial, dial: dial, site: w.site, where: where}
	if host != "" {
		r.site.Host = host
	}
	if secure {
		config := w.certificate.client(r.site.Host)
		r.dial, r.dialHTTP2 = overTLS(dial, config, "http/1.1"), overTLS(dial, config, "h2")
	}
	return r
}

// close stops what the doctor plays, and removes the folder.
func (w *workspace) close() {
	_ = w.trial.Close()
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}
