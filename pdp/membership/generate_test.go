package membership

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// words are the vocabulary of DOMAIN.md: sections 4.1, 5.1 and 6.1.
func words() pdp.Vocabulary {
	return pdp.Vocabulary{
		Roles: map[string][]string{
			"region":   {"regional_admin"},
			"division": {"division_admin", "public_health", "public_health_admin"},
			"facility": {"ed_admin", "ed_normal"},
			"system":   {"entity_admin", "system_admin"},
			"entity":   {"entity_admin", "user"},
			"group":    {"administrator", "owner", "practitioner"},
			"practice": {"administrator", "owner", "practitioner"},
			"vendor":   {"vendor_staff"},
		},
		Levels: []string{"full", "limited", "standard"},
		Areas:  []string{"calendars", "credit_settings", "invoices", "locations", "patient_records", "reminder_settings", "users"},
	}
}

// generated is a directory of one region with 20 divisions of 50 facilities, and this many users with two assignments each.
func generated(users int, f Format) []byte {
	var b strings.Builder
	location := func(comma, id, name, kind, parent, model string) {
		if f == YAML {
			fmt.Fprintf(&b, "  - id: %s\n    name: %s\n    kind: %s\n", id, name, kind)
			if parent != "" {
				fmt.Fprintf(&b, "    parent: %s\n", parent)
			} else {
				fmt.Fprintf(&b, "    model: %s\n", model)
			}
			return
		}
		fmt.Fprintf(&b, "%s{\"id\":%q,\"name\":%q,\"kind\":%q", comma, id, name, kind)
		if parent != "" {
			fmt.Fprintf(&b, ",\"parent\":%q}\n", parent)
		} else {
			fmt.Fprintf(&b, ",\"model\":%q}\n", model)
		}
	}
	b.WriteString(map[Format]string{JSON: "{\"locations\":[", YAML: "locations:\n"}[f])
	location("", "metro", "Metro Region", "region", "", "regional")
	for d := range 20 {
		location(",", fmt.Sprintf("division-%d", d), fmt.Sprintf("Division %d", d), "division", "metro", "")
		for i := range 50 {
			location(",", facility(d*50+i), fmt.Sprintf("Facility %d", d*50+i), "facility", fmt.Sprintf("division-%d", d), "")
		}
	}
	b.WriteString(map[Format]string{JSON: "],\"users\":[", YAML: "users:\n"}[f])
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range users {
		family := fmt.Sprintf("Family %d", (i*7919)%5003)
		login := at.Add(time.Duration((i*104729)%31_536_000) * time.Second).Format(time.RFC3339)
		one, two := facility((i*31)%1000), facility((i*31+500)%1000)
		if f == YAML {
			fmt.Fprintf(&b, "  - id: u%d\n    username: User%d@example.org\n    name: {title: Dr., given: Given %d, family: %s}\n"+
				"    status: active\n    default_location: %s\n    last_login: %s\n"+
				"    assignments:\n      - {location: %s, role: ed_normal, status: active}\n      - {location: %s, role: ed_admin}\n",
				i, i, i%997, family, one, login, one, two)
			continue
		}
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"id":"u%d","username":"User%d@example.org","name":{"title":"Dr.","given":"Given %d","family":%q},`+
			`"status":"active","default_location":%q,"last_login":%q,`+
			`"assignments":[{"location":%q,"role":"ed_normal","status":"active"},{"location":%q,"role":"ed_admin"}]}`+"\n",
			i, i, i%997, family, one, login, one, two)
	}
	if f == JSON {
		b.WriteString("]}")
	}
	return []byte(b.String())
}

func facility(i int) string { return fmt.Sprintf("facility-%d", i) }

func BenchmarkLoad(b *testing.B) {
	for name, f := range map[string]Format{"json": JSON, "yaml": YAML} {
		data := generated(200_000, f)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(data, f, words(), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUsers: the first page of a list sorts it, every later one finds its place.
func BenchmarkUsers(b *testing.B) {
	ctx := context.Background()
	data := generated(200_000, JSON)
	q := pdp.UserQuery{Beneath: "division-7", Limit: 100, After: pdp.Cursor{ID: "u7"}}
	d, err := parse(data, JSON, words(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fresh := &Directory{users: d.users, locations: d.locations, userAt: d.userAt, locationAt: d.locationAt,
				children: d.children, assigned: d.assigned}
			b.StartTimer()
			if _, err := fresh.Users(ctx, q); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, text := range map[string]string{"later": "", "filtered": "family 4999"} {
		b.Run(name, func(b *testing.B) {
			q.Text = text
			for b.Loop() {
				if _, err := d.Users(ctx, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
