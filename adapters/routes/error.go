package routes

// Kind classifies the error.
type Kind int

// The kinds of errors that [Table.Resolve] returns.
const (
	BadRequest      Kind = iota + 1 // 400: the request is ambiguous, or lacks a value
	Unauthenticated                 // 401: the person is not known
	Unavailable                     // 503: what the request means, or who asks, cannot be determined here
)

// Error says why a request could not be resolved. Message is one sentence that may be sent to the client: it contains names
// from the route file, but no value of the request.
type Error struct {
	Kind    Kind
	Message string
	Err     error // the cause, for logs; nil if there is nothing more to say
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

func badRequest(message string) *Error { return &Error{Kind: BadRequest, Message: message} }

func unauthenticated(message string) *Error { return &Error{Kind: Unauthenticated, Message: message} }
