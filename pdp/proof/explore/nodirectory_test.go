package explore_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/proof/explore"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// documents judges by the question alone: by ids and types, by properties of each part, by equal texts, and by what is not there.
const documents = `package authz

default allow := false

allow if {
	input.action.name in {"read", "write"}
	input.resource.type == "document"
	input.resource.properties.owner == input.subject.id
}

allow if {
	input.action.name == "read"
	input.resource.properties.public == true
	not input.context.confidential
}

allow if {
	input.subject.type == "service"
	input.subject.properties.scope == input.resource.id
}

allow if {
	input.action.name == "archive"
	"custom" in input.context.supported_obligations
}

decision := {"allow": true} if allow

decision := {"allow": false, "reasons": [{"code": "not_permitted", "rule": "R-1", "message": "No."}]} if not allow
`

func judgesDocuments(t *testing.T, prepare func(context.Context, *bundles.Revision) (*pdp.Policy, error), from, to string) *pdp.Policy {
	t.Helper()
	require.Contains(t, documents, from)
	files := fstest.MapFS{"authz.rego": {Data: []byte(strings.Replace(documents, from, to, 1))}}
	r, err := bundles.Open(t.Context(), bundles.Config{Files: files, Entrypoint: "authz/decision"})
	require.NoError(t, err)
	p, err := prepare(t.Context(), r)
	require.NoError(t, err)
	return p
}

func TestEachCaseWithoutDirectoryHasTheAnswerOfItsClass(t *testing.T) {
	t.Parallel()
	compiled, interpreted := judgesDocuments(t, pdp.Prepare, "", ""), judgesDocuments(t, pdp.PrepareInterpreted, "", "")
	d, err := explore.Open(t.Context(), compiled)
	require.NoError(t, err)
	questions := explore.Questions(d)
	require.Equal(t, []world.Question{{Tree: world.NoDirectory}}, questions)
	left, err := explore.Explore(t.Context(), []*explore.Decision{d}, questions[0], explore.MaxNodes, func(part *explore.Part) error {
		checkPart(t, part, compiled, interpreted)
		return nil
	})
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestPlantedFaultsWithoutDirectoryAreFound(t *testing.T) {
	t.Parallel()
	was := judgesDocuments(t, pdp.Prepare, "", "")
	for _, fault := range [][2]string{
		{`== input.subject.id`, `!= input.subject.id`},
		{`{"read", "write"}`, `{"read", "write", "delete"}`},
		{`properties.public == true`, `properties.public`},
		{`not input.context.confidential`, `not input.context.secret`},
		{`input.subject.type == "service"`, `input.subject.type != "user"`},
		{`== input.resource.id`, `== input.resource.type`},
		{`"custom" in`, `"notification" in`},
	} {
		is := judgesDocuments(t, pdp.Prepare, fault[0], fault[1])
		require.NotZero(t, changes(t, was, is, world.Question{Tree: world.NoDirectory}), fault)
	}
	same := judgesDocuments(t, pdp.Prepare, `input.action.name in {"read", "write"}`, `input.action.name in {"write", "read"}`)
	require.Zero(t, changes(t, was, same, world.Question{Tree: world.NoDirectory}))
}
