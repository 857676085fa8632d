/** What service files say, and what is wrong with those that say nothing. */

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseServiceFile } from "../../../bus/activation/service-file.ts";

const HEAD = "[D-BUS Service]\nName=a.b\nExec=/bin/x\n";

test.each([
  [HEAD, {}],
  ["# comment\n\n[Other]\nName=x.y\n[D-BUS Service]\r\nName =  a.b\r\nExec = /bin/x\n", {}],
  [`${HEAD}User=nobody\nSystemdService=a.service`, { user: "nobody", systemdService: "a.service" }],
  [`${HEAD}Name=second.one\n[D-BUS Service]\nUser=root\n`, {}],
  [`${HEAD}Name[de]=anything at all \\q\nunknown=1\n  \t\n`, {}],
  // Blank as far as dbus-daemon looks: up to the next LF, or to a NUL.
  [`${HEAD}\r\n \r\t\n\0nothing\n \0nothing\nUser=a\r \r`, { user: "a" }],
  ["[D-BUS Service]\nName=a.b\nExec=/bin/x \\s\\t\\n\\r\\\\ \n", { exec: "/bin/x  \t\n\r\\ " }],
])("%j is a service", (text, difference) => {
  const plain = { name: "a.b", exec: "/bin/x", user: null, systemdService: null };
  expect(parseServiceFile(text)).toEqual({ ...plain, ...difference });
});

test.each([
  ["[D-BUS Service]\nName=a.b\n", 0, "there is no Exec="],
  ["[D-BUS Service]\nExec=x\n", 0, "there is no Name="],
  ["", 0, "there is no Name="],
  ["Name=a.b\nExec=x\n", 1, "before the first"],
  ["[D-BUS Service] \nName=a.b\n", 1, "is no section"],
  ["[]\n", 1, "is no section"],
  ["[a[b]\n", 1, "is no section"],
  [`${HEAD}[Täst]\n`, 4, "is no section"],
  [`${HEAD} Key=x\n`, 4, "does not begin with a key"],
  [`${HEAD}under_score=x\n`, 4, 'there is no "="'],
  [`${HEAD}Key\t=x\n`, 4, 'there is no "="'],
  [`${HEAD}Key\n`, 4, 'there is no "="'],
  [`${HEAD}Key=a\\qb\n`, 4, '"\\q" in the value of Key'],
  [`${HEAD}Key=a\\`, 4, '"\\" in the value of Key'],
  [`${HEAD}Key=a\0b`, 4, "NUL"],
  ["[D-BUS Service]\r\rName=a.b\rExec=x\r", 2, "does not begin with a key"],
  ["[D-BUS Service]\nExec=x\nName=:1.5", 3, "well-known"],
  ["[D-BUS Service]\nExec=x\nName=nodots", 3, "well-known"],
  ["[D-BUS Service]\nExec=x\nName=a.b ", 3, "well-known"],
])("%j is wrong in line %i", (text, line, problem) => {
  expect(parseServiceFile(text)).toEqual({ line, text: expect.stringContaining(problem) });
});

test("whatever is in a file, it is a service or a problem in one of its lines", () => {
  const piece = fc.constantFrom(
    ...[
      "[D-BUS Service]",
      "[x]",
      "Name=",
      "Exec=",
      "a.b",
      "=",
      "\\",
      "\\s",
      "\n",
      "\r",
      "#",
      "[",
      " ",
      "\0",
      "ä",
    ],
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const result = parseServiceFile(pieces.join(""));
      if ("line" in result) {
        const lines = pieces.join("").split(/\r\n|\n|\r/).length;
        expect(result.line).toBeLessThanOrEqual(lines);
        expect(result.text).not.toBe("");
      } else {
        expect(result.name).toMatch(/\./);
      }
    }),
  );
});
