// Package factsource turns settings into sources of membership facts that are fetched record by record: an application or a
// database ([OpenOrigin]) behind a cache ([Open]), shared through Redis if the settings name one. Package main opens directory
// files, because that takes the first policy.
package factsource
