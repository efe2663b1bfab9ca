package filter

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialect is a dialect of SQL, as OPA's API names them.
type Dialect string

// The dialects.
const (
	PostgreSQL Dialect = "postgresql"
	MySQL      Dialect = "mysql"
	SQLite     Dialect = "sqlite"
)

// SQL returns a condition as the WHERE clause of a query, and the values of its parameters: $1, $2 and so on for PostgreSQL, a
// question mark for each otherwise. It always has a clause: WHERE 1 = 1 for an unconditional yes, WHERE 1 = 0 for no.
//
// The clause holds on the rows on which the condition does if columns compared with texts hold texts (in PostgreSQL of a
// deterministic collation, as all are by default), those compared with numbers numbers, and those compared with true or
// false booleans.
func SQL(c Condition, names Names, dialect Dialect) (clause string, parameters []any) {
	w := sqlWriter{names: names, dialect: dialect, parameters: []any{}}
	w.write("WHERE ")
	w.condition(c)
	return w.out.String(), w.parameters
}

type sqlWriter struct {
	names      Names
	dialect    Dialect
	out        strings.Builder
	parameters []any
}

func (w *sqlWriter) write(parts ...string) {
	for _, part := range parts {
		w.out.WriteString(part)
	}
}

// parameter adds a parameter and returns its placeholder.
func (w *sqlWriter) parameter(value any) string {
	w.parameters = append(w.parameters, value)
	if w.dialect == PostgreSQL {
		return "$" + strconv.Itoa(len(w.parameters))
	}
	return "?"
}

func (w *sqlWriter) condition(c Condition) {
	switch c := c.(type) {
	case All:
		w.list(c, " AND ", "1 = 1")
	case Any:
		w.list(c, " OR ", "1 = 0")
	case Not:
		w.write("NOT (")
		w.condition(c.Condition)
		w.write(")")
	case Comparison:
		w.comparison(c)
	case Membership:
		w.membership(c)
	default:
		panic(fmt.Sprintf("a condition of type %T", c))
	}
}

func (w *sqlWriter) list(all []Condition, between, empty string) {
	if len(all) == 0 {
		w.write(empty)
		return
	}
	for i, c := range all {
		if i > 0 {
			w.write(between)
		}
		w.write("(")
		w.condition(c)
		w.write(")")
	}
}

var sqlOperators = map[Operator]string{
	Equal: " = ", NotEqual: " <> ", Less: " < ", LessOrEqual: " <= ", Greater: " > ", GreaterOrEqual: " >= ",
}

func (w *sqlWriter) comparison(c Comparison) {
	column := w.names.of(c.Column)
	switch value := c.Value.(type) {
	case bool:
		w.write(column, sqlOperators[c.Operator], strings.ToUpper(strconv.FormatBool(value)))
	case string:
		w.text(column, c.Operator, value)
	default:
		w.write(column, sqlOperators[c.Operator], w.parameter(value))
	}
}

// text compares a column with a text by code points.
func (w *sqlWriter) text(column string, o Operator, value string) {
	operator, compares := sqlOperators[o]
	switch {
	case !compares:
		w.part(column, o, value)
	case w.dialect == PostgreSQL && (o == Equal || o == NotEqual):
		w.write(column, operator, w.parameter(value))
	case w.dialect == PostgreSQL:
		w.write(column, operator, w.parameter(value), ` COLLATE "C"`)
	case w.dialect == SQLite:
		w.write(column, operator, w.parameter(value), " COLLATE BINARY")
	case o == Equal: // the first comparison can use an index
		w.write(column, operator, w.parameter(value), " AND ", w.binary(column), operator, w.binary(w.parameter(value)))
	default:
		w.write(w.binary(column), operator, w.binary(w.parameter(value)))
	}
}

// part compares a part of a column with a text.
func (w *sqlWriter) part(column string, o Operator, value string) {
	switch w.dialect {
	case PostgreSQL:
		switch o {
		case StartsWith:
			w.write("starts_with(", column, ", ", w.parameter(value), ")")
		case EndsWith:
			w.write("right(", column, ", ", strconv.Itoa(len([]rune(value))), ") = ", w.parameter(value))
		default:
			w.write("strpos(", column, ", ", w.parameter(value), ") > 0")
		}
	case SQLite:
		switch length := strconv.Itoa(len([]rune(value))); o {
		case StartsWith:
			w.write("substr(", column, ", 1, ", length, ") = ", w.parameter(value), " COLLATE BINARY")
		case EndsWith:
			if value == "" { // the last 0 characters are all of them there
				w.write(column, " >= ''")
				return
			}
			w.write("substr(", column, ", -", length, ") = ", w.parameter(value), " COLLATE BINARY")
		default:
			w.write("instr(", column, ", ", w.parameter(value), ") > 0")
		}
	default:
		switch length := strconv.Itoa(len(value)); o {
		case StartsWith:
			w.write("LEFT(", w.binary(column), ", ", length, ") = ", w.binary(w.parameter(value)))
		case EndsWith:
			w.write("RIGHT(", w.binary(column), ", ", length, ") = ", w.binary(w.parameter(value)))
		default:
			w.write("LOCATE(", w.binary(w.parameter(value)), ", ", w.binary(column), ") > 0")
		}
	}
}

// binary makes MySQL compare bytes: by default it ignores case and trailing spaces.
func (w *sqlWriter) binary(text string) string {
	return "CAST(CONVERT(" + text + " USING utf8mb4) AS BINARY)"
}

func (w *sqlWriter) membership(m Membership) {
	any := make(Any, len(m.Values))
	_, isText := m.Values[0].(string)
	_, isBool := m.Values[0].(bool)
	if w.dialect == MySQL && isText || isBool {
		for i, value := range m.Values {
			any[i] = Comparison{m.Column, Equal, value}
		}
		w.condition(any)
		return
	}
	w.write(w.names.of(m.Column))
	if w.dialect == SQLite && isText {
		w.write(" COLLATE BINARY")
	}
	w.write(" IN (")
	for i, value := range m.Values {
		if i > 0 {
			w.write(", ")
		}
		w.write(w.parameter(value))
	}
	w.write(")")
}
