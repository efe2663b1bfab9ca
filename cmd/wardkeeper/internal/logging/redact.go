package logging

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// Patterns of text that may be a password in a URL: everything before the @; a port that is not a number, as in a URL with user
// and password whose host was forgotten; user and password without a scheme; and secrets among the parameters of a query.
var (
	userinfo   = regexp.MustCompile(`://.*@`)
	badPort    = regexp.MustCompile(`://[^\s/@:"\[]*:[^\s/"]*[^\s/"\d:.,;)][^\s"]*`)
	schemeless = regexp.MustCompile(`[^\s"'=(]*:\S*@`)
	parameters = regexp.MustCompile(`(?i)([?&][a-z0-9_.-]*(?:password|passwd|passfile|token|secret|key)=)[^&\s"']*`)
)

// Redact replaces text that may be a password in a URL. Our own messages contain none: Redact is for text that libraries quote,
// and for misplaced arguments of the command line.
func Redact(text string) string {
	at := strings.Contains(text, "@")
	switch {
	case strings.Contains(text, "://") && at:
		text = userinfo.ReplaceAllString(text, "://...@")
	case strings.Contains(text, "://"):
		text = badPort.ReplaceAllString(text, "://...")
	case at:
		text = schemeless.ReplaceAllString(text, "...@")
	}
	if strings.Contains(text, "=") {
		text = parameters.ReplaceAllString(text, "${1}...")
	}
	return text
}

// redactAttr redacts an attribute, for [slog.HandlerOptions]. The key of a duration gets its unit: a number alone could be
// anything.
func redactAttr(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Redact(v.String()))
	case slog.KindDuration:
		return slog.Int64(a.Key+durationUnit, v.Duration().Microseconds())
	case slog.KindAny:
		switch value := v.Any().(type) {
		case *slog.Source:
		case error:
			a.Value = slog.StringValue(Redact(value.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(Redact(value.String()))
		}
	}
	return a
}
