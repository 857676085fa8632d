/** What an object has as a table, as busctl prints it, and as JSON. */

import { parseSignature, type Type } from "../../wire/signature.ts";
import type { Variant } from "../../wire/variant.ts";
import type { Member } from "../object-members.ts";
import type { Paint } from "./colour.ts";
import { fitRows } from "./fit.ts";
import { formatTable } from "./table.ts";
import { formatValue } from "./value.ts";
import { variantJson } from "./value-json.ts";

const TITLES = ["NAME", "TYPE", "SIGNATURE", "RESULT/VALUE", "FLAGS"];

/** `width`: Infinity for whole values. */
export function formatMembers(
  members: readonly Member[],
  {
    paint,
    width,
    legend,
  }: { readonly paint: Paint; readonly width: number; readonly legend: boolean },
): string {
  const rows = members.map(({ type, name, signature, result, value, flags }) => [
    type === "interface" ? name : `.${name}`,
    type,
    signature ?? "-",
    result ?? (value === null ? "-" : variantText(value)),
    flags.join(" ") || "-",
  ]);
  const painted = fitRows(TITLES, rows, width, TITLES.indexOf("RESULT/VALUE")).map((row) =>
    row.map((text) => (text === "-" ? paint(text, "grey") : text)),
  );
  const table = formatTable(TITLES, painted, paint);
  return legend ? table : table.slice(table.indexOf("\n") + 1);
}

/** The same for `formatJson`: values in the shape of variants. */
export function membersJson(members: readonly Member[]): object[] {
  return members.map(
    ({ interface: interfaceName, type, name, signature, result, value, flags }) => ({
      interface: interfaceName,
      type,
      name,
      signature,
      result,
      value: value === null ? null : variantJson(value),
      flags,
    }),
  );
}

function variantText({ signature, value }: Variant): string {
  const [type] = parseSignature(signature) as readonly [Type]; // exactly one
  return formatValue(type, value);
}
