package config

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReachableAddrRequiresToken(t *testing.T) {
	for addr, fault := range map[string]string{
		"127.0.0.1:0": "", "127.9.9.9:80": "", "[::1]:80": "", "localhost:80": "", "[::ffff:127.0.0.1]:80": "",
		":8181":                 "which other machines can reach",
		"0.0.0.0:8181":          "which other machines can reach",
		"[::]:8181":             "which other machines can reach",
		"10.1.2.3:8181":         "which other machines can reach",
		"pdp.example.org:8181":  "which other machines can reach",
		"localhost.example:1":   "which other machines can reach",
		"127.0.0.1":             "use HOST:PORT",
		"127.0.0.1:http":        "the port must be a number",
		"127.0.0.1:70000":       "the port must be a number",
		"http://127.0.0.1:8181": "use HOST:PORT",
	} {
		s := Default()
		s.Addr, s.Directory = AddrList{addr}, "d.yaml"
		if fault == "" {
			require.NoError(t, s.Validate(), addr)
			continue
		}
		require.ErrorContains(t, s.Validate(), fault, addr)
		if fault != "which other machines can reach" {
			continue
		}
		s.Insecure = true
		require.NoError(t, s.Validate(), addr)
		s.Insecure, s.TokenFile = false, "token"
		require.NoError(t, s.Validate(), addr)
	}
}

func TestParseBaseURL(t *testing.T) {
	for _, good := range []string{"http://pdp", "https://pdp.example.org/base", "http://[::1]:8181/"} {
		_, err := ParseBaseURL(good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{"pdp", "//pdp", "ftp://pdp", "http://", "http://a@pdp", "http://pdp?q", "http://pdp/?", "http://pdp#f", "http://%"} {
		_, err := ParseBaseURL(bad)
		require.Error(t, err, bad)
	}
}

func TestConcurrencySettingsAreBounded(t *testing.T) {
	for _, flag := range []string{"max-requests", "max-batches", "max-connections"} {
		for value, fault := range map[string]string{"1": "", "1000000": "", "1000001": "use a number", "-1": "use a number", "many": "use a whole number"} {
			s, err := Load(nil, map[string]string{flag: value})
			err = errors.Join(err, s.Validate())
			if fault == "" {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, "--"+flag+" is")
			require.ErrorContains(t, err, fault)
		}
	}
	s, err := Load(nil, map[string]string{"max-requests": "0"})
	require.NoError(t, err)
	require.ErrorContains(t, s.Validate(), "--max-requests is 0: use a number from 1 to 1000000")
}

func TestConnectionLimitReservesOpenFiles(t *testing.T) {
	s := Default()
	require.Equal(t, maxDefaultConnections, s.ConnectionLimit(1<<20))
	require.Equal(t, 1024-32-64, s.ConnectionLimit(1024))
	require.Equal(t, 32, s.ConnectionLimit(64))
	s.Directory = "postgres://db/app"
	require.Equal(t, 1024-32-64-9, s.ConnectionLimit(1024))
	s.MaxConnections = 100
	require.Equal(t, 100, s.ConnectionLimit(1024))
	require.Equal(t, 32, s.ConnectionLimit(64))
}

// Behind no load balancer, waiting would only make restarts longer.
func TestStopDelay(t *testing.T) {
	for name, c := range map[string]struct {
		flags map[string]string
		want  time.Duration
		fault string
	}{
		"default":                {nil, 0, ""},
		"Unix socket":            {map[string]string{"addr": "unix:/run/pdp.sock"}, 0, ""},
		"loopback of both":       {map[string]string{"addr": "127.0.0.1:1,[::1]:1", "ext-authz": "localhost:2", "routes": "r"}, 0, ""},
		"reachable":              {map[string]string{"addr": "0.0.0.0:1", "insecure": "true"}, 5 * time.Second, ""},
		"reachable among them":   {map[string]string{"addr": "127.0.0.1:1,10.0.0.1:1", "insecure": "true"}, 5 * time.Second, ""},
		"reachable by Envoy":     {map[string]string{"ext-authz": "10.0.0.1:1", "routes": "r", "insecure": "true"}, 5 * time.Second, ""},
		"reachable by operators": {map[string]string{"addr": "unix:/run/pdp.sock", "operations-addr": "10.0.0.1:1", "insecure": "true"}, 5 * time.Second, ""},
		"given":                  {map[string]string{"shutdown-delay": "9s"}, 9 * time.Second, ""},
		"none":                   {map[string]string{"addr": "0.0.0.0:1", "insecure": "true", "shutdown-delay": "0s"}, 0, ""},
		"negative":               {map[string]string{"shutdown-delay": "-1s"}, -time.Second, "--shutdown-delay is -1s: it must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Load(nil, c.flags)
			require.NoError(t, err)
			s.Directory = "d.yaml"
			require.Equal(t, c.want, s.StopDelay())
			if c.fault == "" {
				require.NoError(t, s.Validate())
			} else {
				require.EqualError(t, s.Validate(), c.fault)
			}
		})
	}
}

func TestLifetimesOfGuardsAreBounded(t *testing.T) {
	for flag, values := range map[string]map[string]string{
		"guard-lifetime": {"1s": "", "1h": "", "999ms": "use a duration from 1s to 1h0m0s", "61m": "use a duration from 1s to 1h0m0s", "0s": "it must be positive"},
		"claim-lifetime": {"1s": "", "10m": "", "1ms": "use a duration from 1s to 10m0s", "11m": "use a duration from 1s to 10m0s", "-1s": "it must be positive"},
	} {
		for value, fault := range values {
			s, err := Load(nil, map[string]string{flag: value})
			require.NoError(t, err)
			if err = s.Validate(); fault == "" {
				require.NoError(t, err, value)
			} else {
				require.ErrorContains(t, err, fault, value)
			}
		}
	}
}
