package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// The JSON form of records, as a [Validator] reads it. Empty members are omitted, except those whose presence a rule
// checks.
type (
	userJSON struct {
		ID              string           `json:"id,omitempty"`
		Username        string           `json:"username,omitempty"`
		Name            nameJSON         `json:"name,omitzero"`
		Status          string           `json:"status,omitempty"`
		DefaultLocation string           `json:"default_location,omitempty"`
		LastLogin       string           `json:"last_login,omitempty"`
		Assignments     []assignmentJSON `json:"assignments,omitempty"`
	}
	nameJSON struct {
		Title  string `json:"title,omitempty"`
		Given  string `json:"given,omitempty"`
		Family string `json:"family,omitempty"`
	}
	assignmentJSON struct {
		Location           string      `json:"location,omitempty"`
		Role               string      `json:"role,omitempty"`
		Status             string      `json:"status,omitempty"`
		Access             *accessJSON `json:"access,omitempty"`
		Profession         *string     `json:"profession,omitempty"`
		RegistrationNumber *string     `json:"registration_number,omitempty"`
	}
	accessJSON struct {
		Level string          `json:"level,omitempty"`
		Areas map[string]bool `json:"areas,omitzero"`
	}
	locationJSON struct {
		ID     string `json:"id,omitempty"`
		Name   string `json:"name,omitempty"`
		Kind   string `json:"kind,omitempty"`
		Parent string `json:"parent,omitempty"`
		Model  string `json:"model,omitempty"`
		Plan   string `json:"plan,omitempty"`
	}
)

// EncodeUser appends the JSON of a user to b. Equal records have equal JSON.
func EncodeUser(b []byte, u *User) []byte {
	out := userJSON{
		ID: u.ID, Username: u.Username, Name: nameJSON(u.Name), Status: omitActive(u.Status),
		DefaultLocation: u.DefaultLocation, LastLogin: formatTime(u.LastLogin),
	}
	for i := range u.Assignments {
		var carries carried
		if i < len(u.carries) {
			carries = u.carries[i]
		}
		out.Assignments = append(out.Assignments, encodeAssignment(&u.Assignments[i], carries))
	}
	return appendJSON(b, out)
}

func encodeAssignment(a *facts.AssignmentRecord, carries carried) assignmentJSON {
	out := assignmentJSON{Location: a.Location, Role: a.Role, Status: omitActive(a.Status)}
	if a.Access != nil {
		out.Access = &accessJSON{Level: a.Access.Level, Areas: a.Access.Areas}
	} else if carries&carriesAccess != 0 {
		out.Access = &accessJSON{}
	}
	if a.Profession != "" || carries&carriesProfession != 0 {
		out.Profession = &a.Profession
	}
	if a.RegistrationNumber != "" || carries&carriesRegistrationNumber != 0 {
		out.RegistrationNumber = &a.RegistrationNumber
	}
	return out
}

// EncodeLocations appends the JSON of a list of locations to b, ordered by id.
func EncodeLocations(b []byte, l []Location) []byte {
	out := make([]locationJSON, len(l))
	for i := range l {
		out[i] = locationJSON(l[i].LocationRecord)
	}
	slices.SortStableFunc(out, func(a, b locationJSON) int { return cmp.Compare(a.ID, b.ID) })
	return appendJSON(b, out)
}

func appendJSON(b []byte, v any) []byte {
	buffer := bytes.NewBuffer(b)
	out := json.NewEncoder(buffer)
	out.SetEscapeHTML(false)
	if err := out.Encode(v); err != nil {
		panic(err) // impossible for these types
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}

func omitActive(status string) string {
	if status == facts.StatusActive {
		return ""
	}
	return status
}

// formatTime formats a time so that parseTime reads the same time; it returns "" for the zero time. In UTC, a time near the
// first or last day that RFC 3339 can express may fall outside the years 0 to 9999; the widest offset brings it back.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	const widestOffset = 23*3600 + 59*60
	switch t = t.UTC(); {
	case t.Year() < 0:
		t = t.In(time.FixedZone("", widestOffset))
	case t.Year() > 9999:
		t = t.In(time.FixedZone("", -widestOffset))
	}
	return t.Format(time.RFC3339Nano)
}
