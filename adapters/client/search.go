package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// SearchSubjects yields the subjects of Subject.Type that may do Action to Resource.
func (c *Client) SearchSubjects(ctx context.Context, s authzen.Search) iter.Seq2[authzen.Hit, error] {
	return c.search(ctx, c.endpoints.SearchSubject, s, map[string]any{
		"subject": withoutID(s.Subject), "action": s.Action, "resource": s.Resource})
}

// SearchResources yields the resources of Resource.Type to which Subject may do Action.
func (c *Client) SearchResources(ctx context.Context, s authzen.Search) iter.Seq2[authzen.Hit, error] {
	return c.search(ctx, c.endpoints.SearchResource, s, map[string]any{
		"subject": s.Subject, "action": s.Action, "resource": withoutID(s.Resource)})
}

// SearchActions yields the actions that Subject may do to Resource.
func (c *Client) SearchActions(ctx context.Context, s authzen.Search) iter.Seq2[authzen.Hit, error] {
	return c.search(ctx, c.endpoints.SearchAction, s, map[string]any{"subject": s.Subject, "resource": s.Resource})
}

// withoutID omits the id, which is what the search is for.
func withoutID(e authzen.Entity) map[string]any {
	m := map[string]any{"type": e.Type}
	if e.Properties != nil {
		m["properties"] = e.Properties
	}
	return m
}

// maxPages bounds the pages of a list. A decision point that lists a million results has pages of a hundred and more.
const maxPages = 10_000

// search yields the hits of all pages. Each page is a request with its own time-out. If a page fails, the list ends with an
// error and is incomplete. Page.Limit is the size of a page. The number of pages is bounded, and no token may come twice, so
// that a list ends whatever the decision point sends.
func (c *Client) search(ctx context.Context, path string, s authzen.Search, message map[string]any) iter.Seq2[authzen.Hit, error] {
	return func(yield func(authzen.Hit, error) bool) {
		page := authzen.Page{}
		if s.Page != nil {
			page = *s.Page
		}
		if s.Context != nil {
			message["context"] = s.Context
		}
		followed := map[[sha256.Size]byte]bool{}
		for {
			message["page"] = page
			followed[sha256.Sum256([]byte(page.Token))] = true
			response, err := c.page(ctx, path, message)
			if err == nil && response.NextToken != "" {
				switch {
				case followed[sha256.Sum256([]byte(response.NextToken))]:
					err = errors.New("the decision point continues the list where it has been")
				case len(followed) == maxPages:
					err = fmt.Errorf("the list has more than %d pages: ask for larger ones, or narrow the search", maxPages)
				}
			}
			if err != nil {
				yield(authzen.Hit{}, err)
				return
			}
			for _, hit := range response.Results {
				if !yield(hit, nil) {
					return
				}
			}
			if response.NextToken == "" {
				return
			}
			page.Token = response.NextToken
		}
	}
}

func (c *Client) page(ctx context.Context, path string, message any) (authzen.SearchResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	body, err := c.post(ctx, path, message)
	if err != nil {
		return authzen.SearchResponse{}, err
	}
	response, err := authzen.DecodeSearchResponse(body)
	if err != nil {
		return authzen.SearchResponse{}, malformed(err)
	}
	return response, nil
}
