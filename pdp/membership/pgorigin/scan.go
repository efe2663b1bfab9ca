package pgorigin

import (
	"github.com/jackc/pgx/v5"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// scanner scans a row of a query for records.
type scanner func(pgx.Rows) (membership.RawRecord, error)

// scanUser scans the columns record, version, history and id.
func scanUser(rows pgx.Rows) (one membership.RawRecord, err error) {
	var version int64
	var id string
	if err := rows.Scan(&one.Record, &version, &one.History, &id); err != nil {
		return membership.RawRecord{}, err
	}
	completeUser(&one, version, id)
	return one, nil
}

// completeUser adds the version, or the fault because of which the record cannot be used.
func completeUser(one *membership.RawRecord, version int64, id string) {
	switch {
	case one.Record == nil:
		one.Fault = membership.ErrRecordTooLarge
	case version < 0 || version > pdp.MaxVersion:
		one.Fault = errVersionRange
	default:
		one.Version = uint64(version)
		return
	}
	one.Record = nil
	if facts.ValidID(id) {
		one.ID = id
	}
}

// scanLocations scans the columns record, version and history.
func scanLocations(rows pgx.Rows) (one membership.RawRecord, err error) {
	var version int64
	if err := rows.Scan(&one.Record, &version, &one.History); err != nil {
		return membership.RawRecord{}, err
	}
	switch {
	case one.Record == nil:
		return membership.RawRecord{}, errTooLarge
	case version < 0 || version > pdp.MaxVersion:
		return membership.RawRecord{}, errVersionRange
	}
	one.Version = uint64(version)
	return one, nil
}
