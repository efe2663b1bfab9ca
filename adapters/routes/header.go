package routes

import (
	"net/http"
	"strings"
)

// refusedHeaders make some applications act on another method or path than the request's.
var refusedHeaders = [...]string{
	"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL",
}

// identityHeaders are those in which proxies usually name the person. They overwrite this spelling alone.
var identityHeaders = [...]string{"X-Remote-User", "Remote-User", "X-Forwarded-User"}

// SameHeader reports whether some application could take header a for header b. It ignores case and treats every character
// other than a letter or a digit as a hyphen, because CGI and its successors turn all of them into underscores. An adapter
// that strips a header must strip every header that is the same in this sense.
func SameHeader(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldHeader(a[i]) != foldHeader(b[i]) {
			return false
		}
	}
	return true
}

func foldHeader(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return c
	}
	return '-'
}

// ours is the prefix of the headers in which a proxy tells the application what was decided.
const ours = "X-Wardkeeper-"

// IsReserved reports whether an application could take a header for one that only the proxy may send. A CGI program, for
// instance, cannot tell X_Wardkeeper_Subject from X-Wardkeeper-Subject.
func IsReserved(name string) bool {
	return len(name) >= len(ours) && SameHeader(name[:len(ours)], ours)
}

// checkHeaders refuses headers that could make the application take the request for another one, or for another person's.
func checkHeaders(header http.Header) error {
	for name, values := range header {
		if IsReserved(name) {
			return badRequest("The request has a header that only the proxy may set: leave out those that begin with " + ours + ".")
		}
		for _, refused := range &refusedHeaders {
			if len(name) == len(refused) && SameHeader(name, refused) {
				return badRequest("The request has the header " + refused + ": send the request that is meant.")
			}
		}
		if err := checkSpelling(name, undrawable); err != nil {
			return err
		}
		if err := checkSpelling(name, identityHeaders[:]); err != nil {
			return err
		}
		switch {
		case strings.EqualFold(name, "Connection"):
			if err := checkConnection(values); err != nil {
				return err
			}
		case strings.EqualFold(name, "Trailer"):
			return badRequest("The request announces trailers: send all headers before the body.") // some programs merge them
		case strings.EqualFold(name, "Upgrade"):
			for _, value := range values {
				if strings.Contains(strings.ToLower(value), "h2c") {
					return badRequest("The request asks for HTTP/2 without TLS (Upgrade: h2c): what follows would not be judged.")
				}
			}
		}
	}
	return nil
}

// checkSpelling refuses another spelling of a header that some programs take for it.
func checkSpelling(name string, headers []string) error {
	for _, meant := range headers {
		if len(name) == len(meant) && SameHeader(name, meant) && !strings.EqualFold(name, meant) {
			return badRequest("The request has the header " + meant + " in another spelling: some programs take it for that.")
		}
	}
	return nil
}

// checkConnection refuses Connection headers that name other headers: a proxy would drop those on the way to the application.
func checkConnection(values []string) error {
	for _, value := range values {
		for option := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.Trim(option, " \t")) {
			case "", "close", "keep-alive", "upgrade", "te":
			default:
				return badRequest("The Connection header names a header: send close, keep-alive or upgrade.")
			}
		}
	}
	return nil
}

// one returns the only value of a header; ok is false if the request does not have it.
func one(header http.Header, name string) (value string, ok bool, err error) {
	for key, values := range header {
		if len(key) != len(name) || len(values) == 0 || !SameHeader(key, name) {
			continue
		}
		if ok || len(values) > 1 || !strings.EqualFold(key, name) {
			return "", false, badRequest("The header " + name + " is there twice or in another spelling: send it once.")
		}
		value, ok = values[0], true
	}
	return value, ok, nil
}

// drawnHeader returns the value of a header that a question draws from; ok is false if the request does not have it.
func drawnHeader(header http.Header, name string) (value string, ok bool, err error) {
	if value, ok, err = one(header, name); err != nil || !ok {
		return "", false, err
	}
	switch {
	case value == "":
		return "", false, badRequest("The header " + name + " is empty: send a value, or leave it out.")
	case strings.Contains(value, ","):
		return "", false, badRequest("The header " + name + " has a comma, as if it had been sent several times: send one value.")
	case !isPrintableASCII(value) || value[0] == ' ' || value[len(value)-1] == ' ':
		return "", false, badRequest("The header " + name + " has characters other than printable ASCII, or spaces around its value.")
	}
	return value, true, nil
}

func isPrintableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
