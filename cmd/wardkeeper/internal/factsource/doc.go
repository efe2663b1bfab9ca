// Package factsource turns settings into sources of membership facts that are fetched record by record: an application or a
// database ([OpenOrigin]) behind a cache ([Open]), shared through Redis if the settings name one. Directory files are opened by
// package main, because the first policy opens them.
package factsource
