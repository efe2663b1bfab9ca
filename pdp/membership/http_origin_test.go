package membership

import (
	"testing"
	"time"
)

// patient is for attempts that nothing but a test's own fault would end.
const patient = 30 * time.Second

func TestHTTPOrigin(t *testing.T) {
	for name, change := range map[string]func(*application){
		"with versions":    func(*application) {},
		"without versions": func(a *application) { a.unversioned = true },
	} {
		t.Run(name, func(t *testing.T) {
			acceptOrigin(t, func(t *testing.T, document string) (Origin, func(string)) {
				a := newApplication(t, document)
				change(a)
				return a.origin(a.serve().URL, nil), a.replace
			})
		})
	}
}
