// Package paging reads the paging parameters of a search (order, filter, fields, limit, and where the page starts) and
// makes the tokens that continue a list (policies/DOMAIN.md section 8). It neither finds candidates nor decides on them:
// package pdp does. Start reading at [Read].
package paging
