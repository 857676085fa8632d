/** A bus, and who owns a name, as lines of a name and a value. */

import { parseSignature, type Type } from "../../wire/signature.ts";
import type { Variant } from "../../wire/variant.ts";
import type { BusStatus } from "../bus-status.ts";
import type { OwnerFacts, OwnerStatus } from "../owner-status.ts";
import type { Paint } from "./colour.ts";
import { oneLine } from "./table.ts";
import { formatValue } from "./value.ts";
import { variantJson } from "./value-json.ts";

export interface StatusStyle {
  readonly paint: Paint;
  /** Of the terminal; Infinity: nothing is cut. */
  readonly width: number;
}

const LEAST_VALUE_WIDTH = 20;

type Line = readonly [name: string, value: string | number | null];

export function formatBusStatus(address: string, status: BusStatus, style: StatusStyle): string {
  const { process } = status;
  return section(
    [
      ["Address", address],
      ["Server GUID", status.serverGuid],
      ["Bus id", status.id],
      ["Implementation", status.implementation],
      ["Features", listed(status.features)],
      ["Interfaces", listed(status.interfaces)],
      ["Process", process.processId],
      ["Command line", process.commandLine?.join(" ") ?? process.command],
      ["User", process.user],
      ["Unit", process.unit],
      ["Peers", status.peers],
      ["Well-known names", status.wellKnownNames],
      ["Activatable names", status.activatableNames],
      ["Match rules", status.matchRules],
      ...statisticsLines(status.statistics),
    ],
    status.withheld,
    style,
  );
}

export function formatOwnerStatus(status: OwnerStatus, style: StatusStyle): string {
  return section(
    [
      ["Connection", status.uniqueName],
      ["Names", listed(status.names)],
      ["Process", status.processId],
      ["Command", status.command],
      ["Executable", status.executable],
      ["Command line", status.commandLine?.join(" ") ?? null],
      ["User", withNumber(status.user, status.userId)],
      ["Groups", listed(status.groups?.map(({ name, id }) => withNumber(name, id) ?? "") ?? null)],
      ["Security label", status.label],
      ["Control group", status.controlGroup],
      ["Unit", status.unit],
      ["Session", status.session],
      ...statisticsLines(status.statistics),
    ],
    status.statistics === null ? ["statistics"] : [],
    style,
  );
}

/** For `formatJson`. */
export function statusJson(
  status: (BusStatus & { readonly address: string }) | OwnerStatus,
): object {
  const { statistics } = status;
  const counts =
    statistics === null
      ? null
      : Object.fromEntries([...statistics].map(([key, each]) => [key, variantJson(each)]));
  return { ...status, statistics: counts };
}

/** What is not known is left out; what was not told is said below. */
function section(
  lines: readonly Line[],
  withheld: readonly string[],
  { paint, width }: StatusStyle,
): string {
  const known = lines.filter(([, value]) => value !== null && value !== "");
  const nameWidth = Math.max(...known.map(([name]) => name.length));
  const room = Math.max(LEAST_VALUE_WIDTH, width - nameWidth - 2);
  return [
    ...known.map(
      ([name, value]) =>
        `${paint(name.padEnd(nameWidth), "grey")}  ${oneLine(String(value), room)}`,
    ),
    ...withheld.map((what) => paint(`The bus does not tell: ${oneLine(what)}`, "yellow")),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function statisticsLines(statistics: ReadonlyMap<string, Variant> | null): Line[] {
  return [...(statistics ?? [])].map(([key, { signature, value }]) => {
    const [type] = parseSignature(signature) as readonly [Type]; // exactly one
    return [`  ${oneLine(key)}`, formatValue(type, value)];
  });
}

function listed(texts: readonly string[] | null): string | null {
  return texts === null ? null : texts.join(", ") || "none";
}

function withNumber(name: OwnerFacts["user"], id: number | null): string | null {
  if (name === null || id === null) return name;
  return name === String(id) ? name : `${name} (${id})`;
}
