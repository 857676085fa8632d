/** Aligned text tables. */

import { expect, test } from "@jest/globals";
import { type ColumnGroup, formatTable } from "../../bench/table.ts";

const groups: readonly ColumnGroup[] = [
  { heading: "", columns: [{ heading: "mode", align: "left" }] },
  {
    heading: "CPU",
    columns: [
      { heading: "one", align: "right" },
      { heading: "another", align: "right" },
    ],
  },
];

test("cells stand under their headings, text to the left and numbers to the right", () => {
  const rows = [
    [{ text: "ping-pong" }, { text: "9" }, { text: "12345" }],
    [{ text: "pipe" }, { text: "1000" }, { text: "5" }],
  ];
  expect(formatTable(groups, rows, false)).toBe(
    [
      "            CPU",
      "mode         one  another",
      "ping-pong      9    12345",
      "pipe        1000        5",
    ].join("\n"),
  );
});

test("a heading longer than its columns widens them", () => {
  const wide: readonly ColumnGroup[] = [
    { heading: "", columns: [{ heading: "m", align: "left" }] },
    { heading: "a long one", columns: [{ heading: "x", align: "right" }] },
    { heading: "next", columns: [{ heading: "y", align: "right" }] },
  ];
  const row = [{ text: "a" }, { text: "1" }, { text: "2" }];
  expect(formatTable(wide, [row], false)).toBe(
    [
      "    a long one   next", //
      "m            x      y",
      "a            1      2",
    ].join("\n"),
  );
});

test("tones colour a cell only where colours are shown, and do not disturb the columns", () => {
  const rows = [[{ text: "a" }, { text: "1", tone: "good" as const }, { text: "2" }]];
  const plain = formatTable(groups, rows, false);
  expect(plain).not.toContain("\u001b");
  const coloured = formatTable(groups, rows, true);
  expect(coloured).toContain("\u001b[32m  1\u001b[0m");
  expect(coloured.replace("\u001b[32m", "").replace("\u001b[0m", "")).toBe(plain);
});
