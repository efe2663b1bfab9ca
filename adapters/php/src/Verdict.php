<?php

declare(strict_types=1);

namespace Wardkeeper\Pep;

/** Whether an action may be done. Only Permitted permits. */
enum Verdict
{
    case Denied;
    case Permitted;
    case ConfirmationRequired;
    case Unavailable;
}
