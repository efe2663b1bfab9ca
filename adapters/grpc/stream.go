package grpc

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// stream checks the messages that its client sends. Until nothing more has to be judged for it, nothing reaches the client.
type stream struct {
	grpc.ServerStream
	ctx  context.Context
	call *call
	each Question // nil if messages are not checked

	mu              sync.Mutex
	judged          bool        // a message has been judged
	refusal         error       // the status for the client, whatever the handler returns
	header, trailer metadata.MD // set before a message has been judged
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

// RecvMsg receives a message. It fails if the message is refused, and from then on.
func (s *stream) RecvMsg(m any) error {
	if s.each == nil {
		return s.ServerStream.RecvMsg(m)
	}
	if s.ended() {
		return s.refused()
	}
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	refusal := s.call.judge(s.ctx, s.each, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judged, s.refusal = true, refusal
	if refusal != nil {
		return refusal
	}
	return s.release()
}

// release passes on what was set before a message had been judged. The caller holds mu.
func (s *stream) release() error {
	header, trailer := s.header, s.trailer
	s.header, s.trailer = nil, nil
	s.ServerStream.SetTrailer(trailer)
	return s.ServerStream.SetHeader(header)
}

// ended reports whether a message has been refused.
func (s *stream) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.judged && s.refusal != nil
}

// SendMsg fails once a message has been refused, and until the message that the call is judged by has been received.
func (s *stream) SendMsg(m any) error {
	if refusal := s.refused(); refusal != nil {
		return refusal
	}
	return s.ServerStream.SendMsg(m)
}

// SendHeader fails when SendMsg does.
func (s *stream) SendHeader(md metadata.MD) error {
	if refusal := s.refused(); refusal != nil {
		return refusal
	}
	return s.ServerStream.SendHeader(md)
}

// SetHeader keeps the header until the message that the call is judged by has been received. It fails once a message has been
// refused.
func (s *stream) SetHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.refusal == nil:
		return s.ServerStream.SetHeader(md)
	case s.judged:
		return s.refusal
	}
	s.header = metadata.Join(s.header, md)
	return nil
}

// SetTrailer keeps the trailer as SetHeader keeps the header.
func (s *stream) SetTrailer(md metadata.MD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.refusal == nil:
		s.ServerStream.SetTrailer(md)
	case !s.judged:
		s.trailer = metadata.Join(s.trailer, md)
	}
}

// transportStream leads functions that have only the context of a stream, such as [grpc.SetHeader], to the stream. The
// compressor of such a stream cannot be chosen by its context.
type transportStream struct{ s *stream }

func (t transportStream) Method() string                  { return t.s.call.method }
func (t transportStream) SetHeader(md metadata.MD) error  { return t.s.SetHeader(md) }
func (t transportStream) SendHeader(md metadata.MD) error { return t.s.SendHeader(md) }
func (t transportStream) SetTrailer(md metadata.MD) error { t.s.SetTrailer(md); return nil }
