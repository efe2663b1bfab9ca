// Pages have no handler of their own to protect.

import { protect } from "@wardkeeper/pep/fetch";
import { NextResponse } from "next/server";
import { checker } from "./checker.js";

export const proxy = protect(checker, () => NextResponse.next());

export const config = { matcher: "/pages/:path*" };
