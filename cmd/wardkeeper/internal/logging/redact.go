package logging

import (
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
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

// person matches how messages name a person.
var person = regexp.MustCompile(`\buser "(?:[^"\\]|\\.)*"`)

// HidePeople replaces the ids of people in a message by pseudonyms.
func HidePeople(text string, pseudonym func(id string) string) string {
	if !strings.Contains(text, `user "`) {
		return text
	}
	return person.ReplaceAllStringFunc(text, func(named string) string {
		id, err := strconv.Unquote(strings.TrimPrefix(named, "user "))
		if err != nil {
			id = named
		}
		return "user " + strconv.Quote(pseudonym(id))
	})
}

// hidden returns a function that redacts an attribute, and replaces ids of people once there are pseudonyms for them.
func hidden(pseudonym *atomic.Pointer[func(string) string]) func([]string, slog.Attr) slog.Attr {
	return func(groups []string, a slog.Attr) slog.Attr {
		a = redactAttr(groups, a)
		if made := pseudonym.Load(); made != nil && a.Value.Kind() == slog.KindString {
			a.Value = slog.StringValue(HidePeople(a.Value.String(), *made))
		}
		return a
	}
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
