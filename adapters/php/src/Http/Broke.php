<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Http;

/** An established connection broke before an answer began.
 *
 * @internal
 */
final class Broke extends \RuntimeException
{
}
