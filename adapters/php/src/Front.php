<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

use Wardkeeper\Pep\Routes\BodyIncomplete;
use Wardkeeper\Pep\Routes\BodyTooLong;
use Wardkeeper\Pep\Routes\Headers;
use Wardkeeper\Pep\Routes\Request;

/** Protects plain PHP: one line at the top of a page, or a file that auto_prepend_file names.
 *
 * What is judged is REQUEST_URI, so the server must run the page that it names. A query that the server has rewritten is refused.
 */
final class Front
{
    // A server joins fields of the same name with commas, which no value of these has by itself.
    private const SINGLE = ['x-request-id', 'traceparent'];
    // Under these, getallheaders has the names as they were sent. FastCGI has one name for X-Remote-User and X_Remote_User.
    private const EXACT = ['cli-server', 'apache2handler'];

    // Errors that end a script, also an exception that is not caught.
    private const FATAL = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

    /** Lets a request pass, or answers it with a refusal and ends the script.
     *
     * after handlers run when the script ends, if its status is below 400 and no error has ended it.
     *
     * @param (\Closure(): bool)|null $fromProxy tells whether the request comes from an authenticated proxy. Only such a request
     *     may name the person in a field. It needs a proof, such as a client certificate: an address is none
     */
    public static function protect(Checker $checker, ?\Closure $fromProxy = null): Result
    {
        $result = $checker->check(self::request($fromProxy));
        if ($result->refusal !== null) {
            self::refuse($result->refusal);
        }
        Trace::use($result->trace);
        if ($result->outcome !== null) {
            self::finish($result->outcome, static fn () => $checker->finish($result, 200));
        }
        return $result;
    }

    /** Asks a question in code, and lets the request pass or answers it with a refusal and ends the script.
     *
     * What obliges is done as protect does it.
     *
     * @param Evaluation $question with 'confirmed' => true in its context where the person has confirmed this very question
     */
    public static function may(Enforcer $enforcer, Evaluation $question): Outcome
    {
        if (Trace::current()->requestId === '') {
            Trace::use(Trace::of(self::request()->headers->values(...)));
        }
        $outcome = $enforcer->enforce($question);
        if (!$outcome->isPermitted()) {
            self::refuse($outcome->refusal());
        }
        self::finish($outcome, static function () use ($outcome): void {
            foreach ($outcome->done() as $problem) {
                error_log('wardkeeper: an obligation was not done: request_id=' . Trace::current()->requestId . " error=$problem");
            }
        });
        return $outcome;
    }

    /** Answers with a refusal, and ends the script. */
    public static function refuse(Refusal $refusal): never
    {
        if ($refusal->requestId === '') {
            $known = Trace::current()->requestId;
            $refusal = $refusal->of($known ?: Trace::of(self::request()->headers->values(...))->requestId);
        }
        while (ob_get_level() > 0 && ob_end_clean()) {
        }
        if (!headers_sent()) {
            header_remove();
            http_response_code($refusal->status);
            foreach ($refusal->fields(self::text('HTTP_ACCEPT')) as $name => $value) {
                header("$name: $value");
            }
        }
        if (self::text('REQUEST_METHOD') !== 'HEAD') {
            echo $refusal->body(self::text('HTTP_ACCEPT'));
        }
        exit;
    }

    /** Returns the request that the script handles.
     *
     * @param (\Closure(): bool)|null $fromProxy
     */
    public static function request(?\Closure $fromProxy = null): Request
    {
        return new Request(
            self::text('REQUEST_METHOD'),
            self::text('REQUEST_URI'),
            isset($_SERVER['HTTP_HOST']) ? [self::text('HTTP_HOST')] : [],
            new Headers(self::fields()),
            query: self::text('QUERY_STRING'),
            readBody: self::body(...),
            fromProxy: $fromProxy,
        );
    }

    /** Calls a function when the script has ended, if its status is below 400 and no error has ended it. */
    private static function finish(Outcome $outcome, \Closure $done): void
    {
        if ($outcome->obligations === []) {
            return;
        }
        ignore_user_abort(true); // an action that obliges is not broken off because the person does not wait for the page
        register_shutdown_function(static function () use ($done): void {
            if (((error_get_last()['type'] ?? 0) & self::FATAL) === 0 && (int) http_response_code() < 400) {
                $done();
            }
        });
    }

    /** @return list<array{string, string}> */
    private static function fields(): array
    {
        $named = in_array(PHP_SAPI, self::EXACT, true) ? getallheaders() : self::named();
        $fields = [];
        foreach ($named as $name => $value) {
            $lower = strtolower((string) $name);
            if ($lower === 'host') {
                continue;
            }
            foreach (in_array($lower, self::SINGLE, true) ? explode(',', $value) : [$value] as $part) {
                $fields[] = [(string) $name, trim($part, " \t")];
            }
        }
        return $fields;
    }

    /** Returns the fields by their names, as far as CGI's variables tell those.
     *
     * @return array<string, string>
     */
    private static function named(): array
    {
        $named = [];
        foreach ($_SERVER as $key => $value) {
            if (!is_string($value)) {
                continue;
            }
            if (str_starts_with((string) $key, 'HTTP_')) {
                $named[str_replace('_', '-', substr((string) $key, strlen('HTTP_')))] = $value;
            }
        }
        foreach (['CONTENT_TYPE' => 'CONTENT-TYPE', 'CONTENT_LENGTH' => 'CONTENT-LENGTH'] as $key => $name) {
            $value = self::text($key);
            if ($value !== '' && ($named[$name] ?? $value) !== $value) {
                $named[$key] = $value; // one of them was sent in another spelling
            }
            if ($value !== '') {
                $named[$name] = $value;
            }
        }
        return $named;
    }

    /** Returns the body. The script can read it again. */
    private static function body(int $limit): string
    {
        $length = self::text('CONTENT_LENGTH');
        if (strspn($length, '0123456789') !== strlen($length) || strlen($length) > 18) {
            throw new BodyIncomplete();
        }
        $body = (string) file_get_contents('php://input', false, null, 0, $limit + 1);
        if (strlen($body) > $limit || (int) $length > $limit) {
            throw new BodyTooLong();
        }
        if ($length !== '' && strlen($body) !== (int) $length) {
            throw new BodyIncomplete();
        }
        return $body;
    }

    private static function text(string $key): string
    {
        return is_string($_SERVER[$key] ?? null) ? $_SERVER[$key] : '';
    }
}
