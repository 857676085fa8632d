/** The bodies of the codec rows, in whatever form a library wants them. */

/** How a library writes what D-Bus has and JavaScript has not. */
export interface Forms {
  variant(signature: string, value: unknown): unknown;
  dictionary(entries: readonly (readonly [string, unknown])[]): unknown;
}

export const SAMPLE_SIGNATURES = ["a{sv}", "aa{sv}", "ay", "a(oa{sa{sv}})"] as const;
export type SampleSignature = (typeof SAMPLE_SIGNATURES)[number];

const BYTES = 1 << 20;

/** The one argument of that signature: properties of a device, ten of those, a mebibyte, or twenty objects. */
export function sampleOf(signature: SampleSignature, forms: Forms): unknown {
  switch (signature) {
    case "a{sv}":
      return properties(0, forms);
    case "aa{sv}":
      return Array.from({ length: 10 }, (_, index) => properties(index, forms));
    case "ay":
      return Buffer.from(Uint8Array.from({ length: BYTES }, (_, index) => index));
    case "a(oa{sa{sv}})":
      return Array.from({ length: 20 }, (_, index) => [
        `/org/example/device${index}`,
        forms.dictionary([
          ["org.example.Device1", properties(index, forms)],
          ["org.example.Battery1", forms.dictionary([["Percentage", forms.variant("y", index)]])],
        ]),
      ]);
  }
}

function properties(index: number, { variant, dictionary }: Forms): unknown {
  return dictionary([
    ["Address", variant("s", `00:1A:7D:DA:71:${10 + index}`)],
    ["Name", variant("s", "Wireless keyboard – 2")],
    ["Adapter", variant("o", "/org/example/adapter0")],
    ["Class", variant("u", 0x240540 + index)],
    ["Signal", variant("n", -60 - index)],
    ["Paired", variant("b", true)],
    ["Connected", variant("b", index % 2 === 0)],
    ["Ratio", variant("d", 0.5 + index)],
    ["SeenAt", variant("t", 1_700_000_000_000_000n + BigInt(index))],
    ["Profiles", variant("as", ["00001124-0000", "00001200-0000", "0000180f-0000"])],
  ]);
}
