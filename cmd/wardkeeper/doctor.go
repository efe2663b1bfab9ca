package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/doctor"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

func newDoctorCommand(p process) *cobra.Command {
	var nginx, caddy, url, authority, routeFile string
	cmd := &cobra.Command{
		Use:   "doctor --nginx FILE | --caddy FILE | --url URL [flags]",
		Short: "Examine how a proxy asks before it passes requests on",
		Long: `Send more than a thousand hostile requests through a proxy, and say in sentences what is wrong: requests that reach the application
although nobody was asked about them, or not as they were judged; a person who can name another; denials and failures that let
requests through.

--nginx and --caddy start the proxy with the configuration in a folder of its own. The doctor's own servers stand for the application
and the sidecar, and its own sockets for the ports; the servers that the configuration names are not touched. Servers with TLS have a
certificate of the doctor's. Where the proxy itself signs people in with passwords, the doctor's person alone can sign in. Where HTTP/2 is
negotiated, the requests are sent over HTTP/2 too, with more that only HTTP/2 can carry.

--url sends those of the requests that change nothing to a running deployment, and to no other address: GET and HEAD of ids that do not
exist, about two thousand of them, of nobody who has signed in. It judges by the answers alone, and says what it cannot see.

Requests are made for the paths of the route file. Without --routes, they are made for a sample, which is right for a
proxy that treats all paths alike.

Exit status: 0 nothing is wrong, 1 something is, 2 it could not be examined.`,
		Example: `  wardkeeper doctor --nginx /etc/nginx/nginx.conf --routes routes.yaml
  wardkeeper doctor --caddy /etc/caddy/Caddyfile
  wardkeeper doctor --url https://clinic.example.org --routes routes.yaml
  wardkeeper doctor --url https://clinic.internal:8443 --ca ca.pem`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&nginx, "nginx", "", "examine the configuration `FILE` of nginx")
	flags.StringVar(&caddy, "caddy", "", "examine the configuration `FILE` of Caddy: a Caddyfile, or JSON in a file named so")
	flags.StringVar(&url, "url", "", "examine the deployment that runs at the `URL`")
	flags.StringVar(&authority, "ca", "", "verify the certificate at the URL by the authorities in the `FILE` (PEM), not the system's")
	flags.StringVar(&routeFile, "routes", "", "make the requests for the paths of the route `FILE`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if given := slices.DeleteFunc([]string{nginx, caddy, url}, func(value string) bool { return value == "" }); len(given) != 1 {
			return errors.New("say what to examine, by one of --nginx FILE, --caddy FILE and --url URL")
		}
		var options doctor.Options
		if routeFile != "" {
			table, err := p.openRoutes(routeFile, statusFailed)
			if err != nil {
				return err
			}
			options.Routes = table
		}
		if authority != "" {
			if url == "" {
				return errors.New("--ca is for --url: what --nginx and --caddy examine has a certificate of the doctor's")
			}
			data, err := os.ReadFile(authority)
			if err != nil {
				return fmt.Errorf("--ca: %w", err)
			}
			options.Authorities = x509.NewCertPool()
			if !options.Authorities.AppendCertsFromPEM(data) {
				return fmt.Errorf("--ca: %s has no certificate: it must be PEM", authority)
			}
		}
		var examine func(context.Context) (doctor.Report, error)
		switch {
		case nginx != "":
			examine = func(ctx context.Context) (doctor.Report, error) { return doctor.Nginx(ctx, nginx, options) }
		case caddy != "":
			examine = func(ctx context.Context) (doctor.Report, error) { return doctor.Caddy(ctx, caddy, options) }
		case url != "":
			examine = func(ctx context.Context) (doctor.Report, error) { return doctor.URL(ctx, url, options) }
		}
		report, err := examine(cmd.Context())
		return p.printReport(report, err)
	}
	return cmd
}

// printReport prints the findings, then what was examined.
func (p process) printReport(report doctor.Report, err error) error {
	for _, finding := range report.Findings {
		for line := range strings.SplitSeq("WRONG  "+finding, "\n") {
			if err := printLine(p.stdout, terminal.Printable(line)); err != nil {
				return err
			}
		}
	}
	for _, note := range report.Notes {
		if err := printLine(p.stdout, "       "+terminal.Printable(note)); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return err
	case len(report.Findings) > 0:
		return &exitError{status: statusNo}
	}
	return printLine(p.stdout, "Nothing is wrong.")
}
