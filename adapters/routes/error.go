package routes

// Kind says what is wrong with a request.
type Kind int

// The kinds of errors that [Table.Resolve] returns.
const (
	BadRequest      Kind = iota + 1 // 400: the request has no meaning that everybody shares, or lacks a value
	Unauthenticated                 // 401: it is not known who asks
	Unavailable                     // 503: it cannot be found out here what the request means or who asks
)

// Error is why a request has no meaning. Message is one sentence that may be sent to the client: it contains names from the route
// file, but no value of the request.
type Error struct {
	Kind    Kind
	Message string
	Err     error // the cause, for logs; nil if there is nothing more to say
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

func badRequest(message string) *Error { return &Error{Kind: BadRequest, Message: message} }

func unauthenticated(message string) *Error { return &Error{Kind: Unauthenticated, Message: message} }
