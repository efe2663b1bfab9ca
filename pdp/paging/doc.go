// Package paging reads what a search asks of its list (order, filter, fields, limit, and where the page starts) and makes
// the tokens by which a list continues (policies/DOMAIN.md section 8). It neither finds candidates nor decides on them: that
// is package pdp's task. Start reading at [Read].
package paging
