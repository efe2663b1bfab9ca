package terminal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrintable(t *testing.T) {
	require.Equal(t, `a\u001b[31mé 漢\u202e\u0000\u009b`+"\uFFFD"+`\u000a\ue000\udb80\udc00`,
		Printable("a\x1b[31mé 漢\u202e\x00\u009b\xff\n\ue000\U000F0000"))
}
