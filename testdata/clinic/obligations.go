package clinic

import (
	"context"
	"encoding/json"
	"fmt"
)

// obligation is a task that the application must perform together with a change (pdp/OBLIGATIONS.md).
type obligation struct {
	ID         string
	Type       string
	Properties struct{ To, Topic, Subject string }
}

// fulfill performs the obligations of a request once its change is done. It is the only code that the application needs for
// authorization.
func (a *application) fulfill(ctx context.Context, header string) error {
	if header == "" {
		return nil
	}
	var obligations []obligation
	if err := json.Unmarshal([]byte(header), &obligations); err != nil {
		return fmt.Errorf("%s: %w", obligationsHeader, err)
	}
	for _, o := range obligations {
		var err error
		switch o.Type {
		case "notification":
			err = a.note(ctx, fmt.Sprintf("notify %s %s", o.Properties.To, o.Properties.Topic))
		case "session_termination":
			err = a.change(ctx, "end sessions "+o.Properties.Subject, `DELETE FROM sessions WHERE user = ?`, o.Properties.Subject)
		default:
			err = fmt.Errorf("the application cannot do %s", o.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
