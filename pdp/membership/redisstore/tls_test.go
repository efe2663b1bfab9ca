package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

func TestTLSChecksBothCertificates(t *testing.T) {
	t.Parallel()
	a := fixture.NewAuthority(t)
	ca, serverCertificate, serverKey := a.WriteFiles("server")
	_, clientCertificate, clientKey := a.WriteFiles("client")
	port := fmt.Sprint(servertest.FreePort(t))
	addr := "127.0.0.1:" + port
	servertest.StartRedis(t, "--tls-port", port, "--tls-cert-file", serverCertificate, "--tls-key-file", serverKey,
		"--tls-ca-cert-file", ca, "--tls-auth-clients", "yes")

	cfg := Config{
		URL: "rediss://" + addr, Timeout: 10 * time.Second,
		CAFile: ca, CertFile: clientCertificate, KeyFile: clientKey,
	}
	store := openStore(t, cfg)
	require.NoError(t, roundTrip(store, "alice"))
	follow(t, store).waitBegan(t, 0)

	anonymous := cfg
	anonymous.CertFile, anonymous.KeyFile = "", ""
	assert.Error(t, roundTrip(openStore(t, anonymous), "alice"))
	stranger := cfg
	stranger.CAFile, _, _ = fixture.NewAuthority(t).WriteFiles("other")
	assert.ErrorContains(t, roundTrip(openStore(t, stranger), "alice"), "certificate")
	cfg.URL = "rediss://localhost:" + port
	assert.ErrorContains(t, roundTrip(openStore(t, cfg), "alice"), "certificate", "its name is checked")
}

func TestSentinelCredentialsAreSeparate(t *testing.T) {
	o, dial, err := Config{
		URL: "rediss://u:p@s1,s2/3?master_name=main", SentinelUsername: "su", SentinelPassword: "sp", Password: "over",
	}.withDefaults().options()
	require.NoError(t, err)
	f := o.Failover()
	assert.Equal(t, []string{"s1:26379", "s2:26379"}, f.SentinelAddrs)
	assert.Equal(t, []string{"main", "su", "sp", "u", "over"}, []string{f.MasterName, f.SentinelUsername, f.SentinelPassword, f.Username, f.Password})
	assert.Equal(t, 3, f.DB)
	assert.NotNil(t, dial)
}
