<?php

declare(strict_types=1);

namespace Wardkeeper\Pep\Routes;

/** What the place of a value needs.
 *
 * @internal
 */
enum Form
{
    case Any;
    case Text; // not empty, without control characters and spaces around; a whole number counts as its digits
    case Boolean; // also as text
}
