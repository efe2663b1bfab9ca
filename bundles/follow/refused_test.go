package follow_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/bundles/internal/bundletest"
)

// The active release keeps deciding. The refusal has its reason, and is counted and logged once.
func TestBadBundleChangesNothing(t *testing.T) {
	t.Parallel()
	good := bundletest.Signed(bundletest.Release(5)).Pack()
	for group, all := range map[string][]bundletest.Bad{
		"unsigned": bundletest.BadlySigned(), "foreign": bundletest.BadContent(), "ill-packed": bundletest.BadArchives(),
	} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			s := serve(t, good)
			f := startFollower(t, s.source(t, map[string]any{"size_limit_bytes": bundletest.SizeLimit, "key_file": nil, "keys": keySettings(bundletest.TrustedKeys)}))
			first := f.untilSequence(5).Active
			for _, bad := range all {
				before := f.Status().Refused[bad.Reason]
				logged := f.log.count("policy refused")
				s.set(bad.Raw)
				now := f.untilOutcome(follow.Refused)
				f.untilLogged("policy refused", logged+1)
				require.Equal(t, bad.Reason, now.Attempt.Reason, "%s: %v", bad.Name, now.Attempt.Err)
				require.NotEmpty(t, now.Attempt.Err.Error(), bad.Name)
				sent, checks := s.sent.Load(), f.checks.Load()
				s.waitForRequests(t, 2)
				require.Equal(t, before+1, f.Status().Refused[bad.Reason], bad.Name)
				require.Equal(t, logged+1, f.log.count("policy refused"), bad.Name)
				if group == "foreign" && !slices.Contains(bundletest.Altered, bad.Name) {
					require.Equal(t, sent, s.sent.Load(), "%s: it is fetched again", bad.Name)
				} else {
					require.Greater(t, s.sent.Load(), sent, "%s: it may have been damaged on the way, and is fetched again", bad.Name)
				}
				require.Equal(t, checks, f.checks.Load(), "%s: it is checked again", bad.Name)
				require.Same(t, first, f.Status().Active, bad.Name)
				require.EqualValues(t, 1, f.Status().Activations, bad.Name)
				require.True(t, f.decides("read5"), bad.Name)
				require.False(t, f.decides("read6"), bad.Name)
				s.set(good)
				f.untilOutcome(follow.Unchanged)
			}
			s.set(bundletest.Signed(bundletest.Release(6)).Pack())
			f.untilSequence(6)
			require.True(t, f.decides("read6"))
		})
	}
}
