/** What a descriptor of this process is. */

import { readFileSync, readlinkSync } from "node:fs";

const ACCESS = ["reading", "writing", "reading and writing"] as const;

/** `/dev/null, for reading`, `pipe:[1234], for writing`. */
export function describeDescriptor(number: number): string {
  const target = readlinkSync(`/proc/self/fd/${number}`);
  const [, flags = "0"] =
    /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${number}`, "latin1")) ?? [];
  const access = ACCESS[Number.parseInt(flags, 8) & 3] ?? "nothing";
  return `${target}, for ${access}`;
}
