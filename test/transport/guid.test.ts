import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { isGuid, newGuid, readMachineId } from "../../transport/guid.ts";

test("a new GUID is random and ends with the time in seconds", () => {
  const guid = newGuid(0x6543_21ab * 1000 + 999);
  expect(guid).toMatch(/^[0-9a-f]{32}$/);
  expect(guid.slice(24)).toBe("654321ab");
  expect(newGuid().slice(0, 24)).not.toBe(newGuid().slice(0, 24));
});

test("the time keeps its eight digits whatever it is", () => {
  expect(newGuid(1000).slice(24)).toBe("00000001");
  expect(newGuid((2 ** 32 + 5) * 1000)).toMatch(/00000005$/);
});

test.each([
  ["0123456789abcdefABCDEF0123456789", true],
  ["0123456789abcdefABCDEF012345678", false],
  ["0123456789abcdefABCDEF01234567890", false],
  ["0123456789abcdefABCDEF012345678g", false],
  ["", false],
])("%p is a GUID: %p", (text, expected) => {
  expect(isGuid(text)).toBe(expected);
});

test("the machine id comes from the first file that has one", () => {
  const directory = mkdtempSync(join(tmpdir(), "onehop-guid-"));
  try {
    const [missing, broken, good, other] = ["missing", "broken", "good", "other"].map((name) =>
      join(directory, name),
    ) as [string, string, string, string]; // four names make four paths
    writeFileSync(broken, "uninitialized\n");
    writeFileSync(good, "0123456789ABCDEF0123456789ABCDEF\n");
    writeFileSync(other, "11111111111111111111111111111111\n");
    expect(readMachineId([missing, broken, good, other])).toBe("0123456789abcdef0123456789abcdef");
    expect(readMachineId([missing, broken])).toBeNull();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
