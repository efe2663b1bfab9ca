package doctor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/nginxconf"
)

// nginxScope is a server or a location, with the blocks that it inherits from.
type nginxScope struct {
	config *nginxConfig
	asked  []string // the paths at which auth_request asks
	chain  []*nginxconf.Directive
	passes bool // it passes requests to the application
}

// effective returns the directives of a name that are in force: those of the innermost block that has any of them.
func (x *nginxScope) effective(name string) []*nginxconf.Directive {
	for i := len(x.chain) - 1; i >= 0; i-- {
		if found := x.chain[i].All(name); len(found) > 0 {
			return found
		}
	}
	return nil
}

// sets returns the value to which proxy_set_header sets a field.
func (x *nginxScope) sets(field string) (value string, ok bool) {
	for _, d := range x.effective("proxy_set_header") {
		if strings.EqualFold(d.Arg(0), field) {
			return d.Arg(1), true
		}
	}
	return "", false
}

func (x *nginxScope) walk(block *nginxconf.Directive) error {
	for _, d := range block.Block {
		switch {
		case slices.Contains(otherApplications, d.Name):
			return fmt.Errorf("%s: the doctor can stand in for applications behind proxy_pass alone, not behind %s: examine the running deployment with --url", d.Where(), d.Name)
		case d.Name == "proxy_pass":
			if err := x.pass(block, d); err != nil {
				return err
			}
		case d.Name == "satisfy" && d.Arg(0) == "any":
			x.config.report.found("%s: \"satisfy any\" lets requests through that the sidecar denies, if another check permits them: remove it.", d.Where())
		case d.HasBlock:
			inner := &nginxScope{config: x.config, asked: x.asked, chain: append(slices.Clone(x.chain), d)}
			if err := inner.walk(d); err != nil {
				return err
			}
			x.passes = x.passes || inner.passes
		}
	}
	return nil
}

// isAsked reports whether a block is the location where auth_request asks.
func (x *nginxScope) isAsked(block *nginxconf.Directive) bool {
	return block.Name == "location" && len(block.Args) > 0 && slices.Contains(x.asked, block.Args[len(block.Args)-1].Text)
}

// pass rewrites a proxy_pass and reports the faults of its block.
func (x *nginxScope) pass(block, d *nginxconf.Directive) error {
	target, err := splitPass(d)
	if err != nil {
		return err
	}
	sidecar := x.isAsked(block)
	to := x.config.application
	if sidecar {
		to = x.config.sidecar
		x.question(block, d, target)
	} else {
		x.passes = true
		x.application(block, d, target)
	}
	if previous, ok := x.config.upstreams[target.authority]; ok && previous != to {
		return fmt.Errorf("%s: %s is the application and the sidecar too: give the sidecar an address of its own", d.Where(), target.authority)
	}
	x.config.upstreams[target.authority] = to
	if x.named(target.authority) {
		d.SetArgs("http://" + target.authority + target.path)
		return nil
	}
	d.SetArgs("http://" + to + target.path)
	return nil
}

func (x *nginxScope) named(authority string) bool {
	return slices.ContainsFunc(x.chain[0].All("upstream"), func(u *nginxconf.Directive) bool { return u.Arg(0) == authority })
}

// application reports the faults of a location that passes requests to the application.
func (x *nginxScope) application(block, d *nginxconf.Directive, target passTarget) {
	report := x.config.report
	if auth := x.effective("auth_request"); len(auth) == 0 || auth[0].Arg(0) == "off" {
		report.found("%s: nobody is asked about requests to %s: set auth_request there, or in the server.", d.Where(), describe(block))
	}
	switch {
	case strings.Contains(target.path, "$"):
		report.found("%s: proxy_pass has variables in its path, so that the application need not get the path that was judged: leave the path out.", d.Where())
	case target.path != "":
		report.found("%s: proxy_pass has the path %s, so that the application gets another path than the one that was judged: leave the path out.", d.Where(), target.path)
	}
	for _, field := range []string{"X-Wardkeeper-Subject", "X-Wardkeeper-Obligations"} {
		if value, ok := x.sets(field); !ok {
			report.found("%s: the application is not told %s: set it with proxy_set_header to what auth_request_set takes from the sidecar's answer.", d.Where(), field)
		} else if strings.Contains(value, "$http_") {
			report.found("%s: %s is what the person sent: set it to what auth_request_set takes from the sidecar's answer.", d.Where(), field)
		}
	}
}

// question reports the faults of the location that asks the sidecar.
func (x *nginxScope) question(block, d *nginxconf.Directive, target passTarget) {
	report := x.config.report
	path, query, _ := strings.Cut(target.path, "?")
	switch values, _ := url.ParseQuery(query); {
	case strings.HasPrefix(path, "/access/v1/"):
		report.found("%s: auth_request asks %s, where a denial has status 200: everybody passes. Ask /adapters/forward-auth?as=nginx.", d.Where(), path)
	case path != "/adapters/forward-auth":
		report.found("%s: auth_request asks %s, which is not where the sidecar answers proxies: ask /adapters/forward-auth?as=nginx.", d.Where(), or(path, "the path of the location"))
	case values.Get("as") != "nginx":
		report.found("%s: nginx turns the sidecar's 400 and 503 into 500: ask /adapters/forward-auth?as=nginx.", d.Where())
	}
	for field, good := range map[string][]string{
		"X-Forwarded-Method": {"$request_method"}, "X-Forwarded-Uri": {"$request_uri"}, "X-Forwarded-Host": {"$http_host", "$host"},
	} {
		switch value, ok := x.sets(field); {
		case !ok:
			report.found("%s: the sidecar takes %s from the person: set it with proxy_set_header to %s.", d.Where(), field, good[0])
		case !slices.Contains(good, value):
			report.found("%s: %s is %s, which need not be what the application gets: set it to %s.", d.Where(), field, value, good[0])
		}
	}
	if len(block.All("internal")) == 0 {
		report.found("%s: people can ask the sidecar themselves: write \"internal;\" into %s.", d.Where(), describe(block))
	}
	if cache := x.effective("proxy_cache"); len(cache) > 0 && cache[0].Arg(0) != "off" {
		report.found("%s: decisions are cached, so that one is in force after the sidecar would say another: remove proxy_cache.", cache[0].Where())
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func describe(block *nginxconf.Directive) string {
	var words []string
	for i := range block.Args {
		words = append(words, block.Arg(i))
	}
	return strings.Join(append([]string{block.Name}, words...), " ")
}

// passTarget is the target of a proxy_pass.
type passTarget struct {
	authority string // a host with its port, the name of an upstream, or unix:/PATH
	path      string // "" if there is none
}

func splitPass(d *nginxconf.Directive) (passTarget, error) {
	scheme, rest, ok := strings.Cut(d.Arg(0), "://")
	if !ok || scheme != "http" && scheme != "https" {
		return passTarget{}, fmt.Errorf("%s: the doctor cannot tell where %s leads: write http://HOST, without variables before the path", d.Where(), d.Arg(0))
	}
	if path, ok := strings.CutPrefix(rest, "unix:"); ok {
		socket, path, _ := strings.Cut(path, ":")
		return passTarget{"unix:" + socket, path}, nil
	}
	t := passTarget{authority: rest}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		t.authority, t.path = rest[:i], rest[i:]
	}
	if strings.Contains(t.authority, "$") {
		return t, fmt.Errorf("%s: the doctor cannot tell where %s leads: write http://HOST, without variables before the path", d.Where(), d.Arg(0))
	}
	return t, nil
}
