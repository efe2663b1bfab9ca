package client

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResponseBufferKeepsTheFirstStatus(t *testing.T) {
	w := &responseBuffer{header: http.Header{}, status: http.StatusOK}
	_, err := io.WriteString(w, "said")
	require.NoError(t, err)
	w.WriteHeader(http.StatusTeapot) // too late, as for an http.ResponseWriter of a server
	require.Equal(t, http.StatusOK, w.status)
	require.Equal(t, "said", w.body.String())
}
