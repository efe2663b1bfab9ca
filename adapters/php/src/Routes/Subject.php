<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** How the person is identified: by a token, or by a field that an authenticated proxy sets. */
final class Subject
{
    public function __construct(public readonly ?Jwt $jwt = null, public readonly string $header = '')
    {
    }

    /** Returns the person whom an authenticated proxy names.
     *
     * @throws RouteError
     */
    public function namedByProxy(Headers $headers, bool $fromProxy): string
    {
        if (!$fromProxy) {
            throw RouteError::unauthenticated(
                "Nobody has said who asks: the header $this->header counts only if it comes from the proxy."
            );
        }
        $value = $headers->drawn($this->header) ?? throw RouteError::unauthenticated('Nobody is signed in.');
        try {
            return Value::convert($value, Form::Text);
        } catch (Unfit $problem) {
            throw RouteError::badRequest("The header $this->header {$problem->getMessage()}.");
        }
    }

    /** Refuses a request for a public route that names a person but is not the proxy's: the application may believe it.
     *
     * @throws RouteError
     */
    public function checkUnasked(Headers $headers, bool $fromProxy): void
    {
        if ($this->header !== '' && $headers->one($this->header) !== null && !$fromProxy) {
            throw RouteError::badRequest("The request has the header $this->header, which only the proxy may set: leave it out.");
        }
    }
}
