<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** A drawn value is not what its place needs. The message is the end of a sentence.
 *
 * @internal
 */
final class Unfit extends \RuntimeException
{
}
