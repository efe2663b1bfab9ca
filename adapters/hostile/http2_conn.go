package hostile

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// conn2 is a connection of HTTP/2 that sends what it is told to, and answers what the protocol demands. It has one stream at a
// time.
type conn2 struct {
	net.Conn
	framer *http2.Framer
	next   uint32 // the id of the next stream
}

// maxFrame bounds the payload of a frame that is sent, in bytes. Every server accepts that much.
const maxFrame = 16 << 10

// open2 begins a connection. It fails if the server does not speak HTTP/2.
func open2(conn net.Conn) (*conn2, error) {
	if secure, ok := conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol != "h2" {
		return nil, errors.New("the server does not negotiate HTTP/2")
	}
	c := &conn2{Conn: conn, framer: http2.NewFramer(conn, conn), next: 1}
	c.framer.AllowIllegalWrites = true
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	_, err := io.WriteString(conn, http2.ClientPreface)
	// All answers of a connection fit into the window.
	err = errors.Join(err, c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}), c.framer.WriteWindowUpdate(0, 1<<30))
	if err != nil {
		return nil, err
	}
	first, err := c.framer.ReadFrame()
	if err != nil {
		return nil, err
	}
	if _, ok := first.(*http2.SettingsFrame); !ok {
		return nil, errors.New("the server does not speak HTTP/2")
	}
	return c, c.framer.WriteSettingsAck()
}

// SpeaksHTTP2 reports whether a server speaks HTTP/2 on the connections that dial opens.
func SpeaksHTTP2(ctx context.Context, dial func(ctx context.Context) (net.Conn, error)) bool {
	conn, err := dial(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_, err = open2(conn)
	return err == nil
}

// errAgain means that the server closed the connection before it looked at the request.
var errAgain = errors.New("the server takes no more requests on this connection")

// send sends a case and returns its answer. broken means that the connection cannot be used again.
func (c *conn2) send(of Case, patience time.Duration) (answer Answer, broken bool, err error) {
	answer.Case = of
	id := c.next
	c.next += 2
	_ = c.SetDeadline(time.Now().Add(patience))
	if err := c.write(id, of.stream); err != nil {
		return answer, true, errAgain
	}
	var text strings.Builder
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			answer.Closed, answer.Text = !errors.Is(err, os.ErrDeadlineExceeded), text.String()
			return answer, true, nil
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = c.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = c.framer.WritePing(true, frame.Data)
			}
		case *http2.GoAwayFrame:
			if frame.ErrCode == http2.ErrCodeNo && frame.LastStreamID < id && id > 1 {
				return answer, true, errAgain
			}
			broken = true
		case *http2.MetaHeadersFrame:
			if status, err := strconv.Atoi(frame.PseudoValue("status")); err == nil && status >= 200 && frame.StreamID == id {
				answer.Status = status
			}
			if frame.StreamID == id && frame.StreamEnded() {
				answer.Text = text.String()
				return answer, broken, nil
			}
		case *http2.DataFrame:
			if frame.StreamID == id && text.Len() < maxAnswers {
				text.Write(frame.Data())
			}
			if frame.StreamID == id && frame.StreamEnded() {
				answer.Text = text.String()
				return answer, broken, nil
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == id {
				answer.Text = text.String()
				return answer, broken, nil
			}
		}
	}
}

// write writes the frames of a request.
func (c *conn2) write(id uint32, s *stream) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range s.fields {
		f.Sensitive = true // it is not kept in the dynamic table, so that requests do not depend on each other
		if err := encoder.WriteField(f); err != nil {
			return err
		}
	}
	part := block.Next(maxFrame)
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: part, EndStream: s.body == "", EndHeaders: block.Len() == 0})
	for err == nil && block.Len() > 0 {
		part = block.Next(maxFrame)
		err = c.framer.WriteContinuation(id, block.Len() == 0, part)
	}
	if err == nil && s.body != "" {
		err = c.framer.WriteData(id, true, []byte(s.body))
	}
	return err
}
