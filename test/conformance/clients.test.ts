/** Real programs on the bus, as the user who runs the tests. */

import { programCases } from "./support/program-cases.ts";

programCases("the tests' user");
