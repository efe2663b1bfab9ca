import { offers } from "@wardkeeper/pep/fetch";
import { checker } from "../../checker.js";

export const POST = offers(checker);
