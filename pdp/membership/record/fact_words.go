package record

// factWords are what records repeat; in Redis each is one byte. Words are told by their place: a new one goes to the
// end, and nothing is ever moved or taken away while the format's version stays.
var FactWords = []string{
	"id", "name", "kind", "parent", "model", "plan", "username", "title", "given", "family", "status",
	"default_location", "last_login", "assignments", "location", "role",
	"access", "level", "areas", "profession", "registration_number",
	"region", "division", "facility", "system", "entity", "group", "practice", "vendor",
	"regional", "health_system", "practice_group",
	"free", "paid",
	"active", "invited", "deactivated",
	"regional_admin", "division_admin", "public_health_admin", "public_health", "ed_admin", "ed_normal",
	"system_admin", "entity_admin", "user",
	"owner", "administrator", "practitioner", "vendor_staff",
	"full", "standard", "limited",
	"calendars", "credit_settings", "invoices", "locations", "patient_records", "reminder_settings", "users",
	"Dr.", "Mr.", "Mrs.", "Ms.", "Prof.",
}

var FactWordAt = func() map[string]byte {
	at := make(map[string]byte, len(FactWords))
	for i, w := range FactWords {
		at[w] = byte(i)
	}
	return at
}()
