/** After the build: the programs that package.json names as `bin` may be executed, by anybody. */

import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const { bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
for (const program of Object.values(bin)) chmodSync(join(root, program), 0o755);
