/** Signatures that people type. */

import { parseSignature, type Type } from "../wire/signature.ts";
import { misuse } from "./command-problem.ts";

/** What a signature may be made of, to say below an error. */
export const SIGNATURE_HINT =
  "types: y b n q i u x t d s o g h v, arrays such as as, structs such as (su), dictionaries such as a{sv}";

/** The types of `signature`. @throws CommandProblem that says where it is wrong */
export function checkedSignature(signature: string): readonly Type[] {
  try {
    return parseSignature(signature);
  } catch (error) {
    const [, position] = /wrong at character (\d+)$/.exec(String(error)) ?? [];
    const at = Number(position);
    const where =
      at >= signature.length
        ? "it ends too early"
        : `it is wrong at character ${at + 1}, ${JSON.stringify(signature[at])}`;
    throw misuse(`${JSON.stringify(signature)} is not a valid signature: ${where}`, SIGNATURE_HINT);
  }
}
