import { protect, resultOf } from "@wardkeeper/pep/fetch";
import { checker } from "../../../checker.js";

export const GET = protect(checker, async (request, { params }) => {
  const { id } = await params;
  return Response.json({ id, by: resultOf(request)?.subject });
});

export const POST = protect(checker, async (request) => Response.json(await request.json()));
