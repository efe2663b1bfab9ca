package clinic

import (
	"encoding/json"
	"net/http"
	"strings"
)

func (a *application) home(*http.Request) (result, error) { return result{page: "home"}, nil }

func (a *application) static(r *http.Request) (result, error) {
	return result{page: "static", value: r.PathValue("file")}, nil
}

func (a *application) options(*http.Request) (result, error) {
	return result{value: []string{"GET", "POST"}}, nil
}

func (a *application) list(r *http.Request) (result, error) {
	users, err := a.users(r.Context(), r.URL.Query().Get("location"))
	return result{page: "list", value: users}, err
}

func (a *application) show(r *http.Request) (result, error) {
	u, err := a.user(r.Context(), r.PathValue("id"))
	return result{page: "user", value: u}, err
}

func (a *application) form(r *http.Request) (result, error) {
	u, err := a.user(r.Context(), r.PathValue("id"))
	return result{page: "form", value: u}, err
}

func (a *application) roles(r *http.Request) (result, error) {
	u, err := a.user(r.Context(), r.PathValue("id"))
	return result{value: u.Roles}, err
}

func (a *application) locations(r *http.Request) (result, error) {
	rows, err := a.db.QueryContext(r.Context(), `SELECT id, name FROM locations`)
	if err != nil {
		return result{}, err
	}
	defer rows.Close()
	names := map[string]string{}
	for rows.Next() {
		var id, name string
		if err := rows.Scan(&id, &name); err != nil {
			return result{}, err
		}
		names[id] = name
	}
	return result{value: names}, rows.Err()
}

// save changes the family name, which is sent in a form or as JSON.
func (a *application) save(r *http.Request) (result, error) {
	var body struct{ Family string }
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16)).Decode(&body); err != nil {
			return result{}, errBadRequest
		}
	} else {
		body.Family = r.PostFormValue("family")
	}
	if body.Family == "" {
		return result{}, errBadRequest
	}
	id := r.PathValue("id")
	if err := a.change(r.Context(), "rename "+id+" "+body.Family, `UPDATE users SET family = ? WHERE id = ?`, body.Family, id); err != nil {
		return result{}, err
	}
	return a.show(r)
}

func (a *application) deactivate(r *http.Request) (result, error) {
	id := r.PathValue("id")
	if err := a.change(r.Context(), "deactivate "+id, `UPDATE users SET status = 'deactivated' WHERE id = ?`, id); err != nil {
		return result{}, err
	}
	return a.show(r)
}

func (a *application) create(r *http.Request) (result, error) {
	q := r.URL.Query()
	id, username := q.Get("id"), q.Get("username")
	if id == "" || username == "" {
		return result{}, errBadRequest
	}
	err := a.change(r.Context(), "create "+id, `INSERT INTO users VALUES (?, ?, '', '', 'active')`, id, username)
	return result{value: id, status: http.StatusCreated}, err
}

func (a *application) invite(r *http.Request) (result, error) {
	u, err := a.user(r.Context(), r.PathValue("id"))
	if err == nil {
		err = a.note(r.Context(), "invite "+u.ID)
	}
	return result{value: u}, err
}

func (a *application) addRole(r *http.Request) (result, error) {
	id, location, role := r.PathValue("id"), r.PathValue("location"), r.PathValue("role")
	err := a.change(r.Context(), "add role "+id+" "+location+" "+role, `INSERT INTO roles VALUES (?, ?, ?)`, id, location, role)
	return result{status: http.StatusCreated}, err
}

func (a *application) removeRole(r *http.Request) (result, error) {
	id, location := r.PathValue("id"), r.PathValue("location")
	err := a.change(r.Context(), "remove role "+id+" "+location, `DELETE FROM roles WHERE user = ? AND location = ?`, id, location)
	return result{}, err
}
