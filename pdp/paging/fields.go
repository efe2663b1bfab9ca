package paging

import (
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// UserFields returns the requested properties of a user. A default location of another organization is left out.
func (p *Page) UserFields(u *facts.User, organization string) map[string]any {
	if len(p.Fields) == 0 {
		return nil
	}
	rec := u.Record()
	fields := map[string]any{}
	for _, field := range p.Fields {
		switch field {
		case "name":
			name := map[string]any{}
			putString(name, "title", rec.Name.Title)
			putString(name, "given", rec.Name.Given)
			putString(name, "family", rec.Name.Family)
			if len(name) > 0 {
				fields[field] = name
			}
		case "username":
			putString(fields, field, rec.Username)
		case "status":
			putString(fields, field, rec.Status)
		case "default_location":
			a := u.AssignmentAt(rec.DefaultLocation)
			if a != nil && (organization == facts.AnyOrganization || a.At.Organization() == organization) {
				putString(fields, field, rec.DefaultLocation)
			}
		case "last_login":
			if !rec.LastLogin.IsZero() {
				fields[field] = rec.LastLogin.Format(time.RFC3339)
			}
		}
	}
	return fields
}

// LocationFields returns the requested properties of a location.
func (p *Page) LocationFields(at *facts.Location) map[string]any {
	if len(p.Fields) == 0 {
		return nil
	}
	fields := map[string]any{}
	if slices.Contains(p.Fields, "name") {
		putString(fields, "name", at.Name())
	}
	return fields
}

func putString(fields map[string]any, name, value string) {
	if value != "" {
		fields[name] = value
	}
}
