package factsource

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
)

func TestMembershipSettingsReachTheSource(t *testing.T) {
	file := writeFile(t, "c.yaml", "directory: postgres://db/app\nredis: redis://r\nmax_age_change: 2s\nmax_age_use: 9s\nlease: 2s\n"+
		"membership: {ttl: 3m, negative_ttl: 7s, fetch_timeout: 4s, memory: 2MiB, redis: {prefix: w, sentinel_username: su, sentinel_password_file: "+
		writeFile(t, "sentinel", "its-password\n")+"}}")
	s, err := config.Load(nil, map[string]string{config.FileFlag: file})
	require.NoError(t, err)
	cfg, err := Configure(s, nil, nil)
	require.NoError(t, err)
	require.False(t, cfg.Announced, "nobody announces")
	require.Equal(t, []time.Duration{2 * time.Second, 9 * time.Second, 2 * time.Second, 3 * time.Minute, 7 * time.Second, 4 * time.Second},
		[]time.Duration{cfg.MaxAgeChange, cfg.MaxAgeUse, cfg.Lease, cfg.TTL, cfg.NegativeTTL, cfg.FetchTimeout})
	require.Equal(t, 2<<20, cfg.Memory)
	require.Equal(t, "redis://r", cfg.Redis.URL)
	require.Equal(t, []string{"w", "su"}, []string{cfg.Redis.Prefix, cfg.Redis.SentinelUsername})
	require.FileExists(t, cfg.Redis.SentinelPasswordFile)
	cfg.Redis.URL, cfg.Redis.Lease = "redis://r?master_name=m", time.Second
	require.NoError(t, cfg.Redis.Validate())
	require.NoError(t, cfg.Origin.Close())

	s.ChangesTokenFile = "some"
	cfg, err = Configure(s, nil, nil)
	require.NoError(t, err)
	require.False(t, cfg.Announced, "whoever may announce need not announce everything")
	require.NoError(t, cfg.Origin.Close())
	require.NoError(t, s.Membership.Announced.Set("all"))
	cfg, err = Configure(s, nil, nil)
	require.NoError(t, err)
	require.True(t, cfg.Announced)
	require.NoError(t, cfg.Origin.Close())
	cfg.Redis.URL = "redis://r?master_name=m"

	for _, file := range []string{"none", writeFile(t, "empty", "\n"), writeFile(t, "two", "s3cr3t\nlines\n")} {
		cfg.Redis.SentinelPasswordFile = file
		err = cfg.Redis.Validate()
		require.ErrorContains(t, err, "password file")
		require.NotContains(t, err.Error(), "s3cr3t")
	}
	for _, directory := range []string{"", "directory.yaml"} {
		s.Directory = directory
		cfg, err = Configure(s, nil, nil)
		require.NoError(t, err)
		require.Nil(t, cfg)
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
