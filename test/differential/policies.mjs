/** `node test/differential/policies.mjs --cases 10000 --seed 1`: see policies.ts. */

import "../fuzz/loader.mjs";

await import("./policies.ts");
