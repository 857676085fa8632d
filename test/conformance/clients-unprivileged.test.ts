/** Real programs on a bus that runs as an unprivileged user, as that user. */

import { programCases } from "./support/program-cases.ts";

programCases("nobody", 65534);
