/** The codec rows: all libraries encode and decode the same. */

import { expect, test } from "@jest/globals";
import { bodyBytes, CODEC_LIBRARIES, openCodec } from "../../bench/clients/codecs.ts";
import { SAMPLE_SIGNATURES } from "../../bench/clients/samples.ts";

const cases = CODEC_LIBRARIES.flatMap((library) =>
  SAMPLE_SIGNATURES.map((signature) => [library, signature] as const),
);

test.each(cases)("%s encodes and decodes %s as the others do", (library, signature) => {
  const codec = openCodec(library, signature);
  const body = Buffer.from(bodyBytes(signature));
  expect(Buffer.from(codec.encode()).subarray(-body.length).equals(body)).toBe(true);
  expect(codec.decode()).toHaveLength(1);
});
