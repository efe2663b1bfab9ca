package main

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// What may be a password in an address: all before the @; where there is none, a port that is no number, as in a name and
// password whose host was forgotten; a user and password without a scheme; and secrets among the settings of a query.
var (
	userinfo   = regexp.MustCompile(`://.*@`)
	portless   = regexp.MustCompile(`://[^\s/@:"\[]*:[^\s/"]*[^\s/"\d:.,;)][^\s"]*`)
	schemeless = regexp.MustCompile(`[^\s"'=(]*:\S*@`)
	parameters = regexp.MustCompile(`(?i)([?&][a-z0-9_.-]*(?:password|passwd|passfile|token|secret|key)=)[^&\s"']*`)
)

// discreet takes out of a text what may be a password in an address. Whoever makes a message leaves such out in the first
// place; this is for what libraries quote, and for words of the command line that are not where they belong.
func discreet(text string) string {
	at := strings.Contains(text, "@")
	switch {
	case strings.Contains(text, "://") && at:
		text = userinfo.ReplaceAllString(text, "://...@")
	case strings.Contains(text, "://"):
		text = portless.ReplaceAllString(text, "://...")
	case at:
		text = schemeless.ReplaceAllString(text, "...@")
	}
	if strings.Contains(text, "=") {
		text = parameters.ReplaceAllString(text, "${1}...")
	}
	return text
}

// discreetAttr is for [slog.HandlerOptions].
func discreetAttr(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(discreet(v.String()))
	case slog.KindAny:
		switch said := v.Any().(type) {
		case *slog.Source:
		case error:
			a.Value = slog.StringValue(discreet(said.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(discreet(said.String()))
		}
	}
	return a
}
