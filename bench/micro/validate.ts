/** Checking bodies without making values of them. */

import { bench, boxplot, do_not_optimize, run } from "mitata";
import { Memory } from "../../wire/memory.ts";
import { signal } from "../../wire/message.ts";
import { encodeMessage } from "../../wire/message-codec.ts";
import { BodyValidator } from "../../wire/validate.ts";

const validator = new BodyValidator();

boxplot(() => {
  benchBody("a short string", "s", ["tick"]);
  benchBody("a string of 8 KiB", "s", ["x".repeat(8192)]);
  benchBody("64 KiB of bytes", "ay", [new Uint8Array(65536)]);
  benchBody("1,000 strings", "as", [Array.from({ length: 1000 }, (_, i) => `name${i}`)]);
  benchBody("1,000 structs", "a(uso)", [
    Array.from({ length: 1000 }, (_, i) => [i, `name${i}`, "/org/example/object"]),
  ]);
});

run({ colors: process.stdout.isTTY === true });

function benchBody(title: string, signature: string, body: readonly unknown[]): void {
  const path = "/org/example";
  const message = signal({ path, interface: "org.example.I", member: "M", signature, body });
  const encoded = encodeMessage(message, 1);
  const bodyLength = new DataView(encoded.buffer, encoded.byteOffset).getUint32(4, true);
  const memory = Memory.of(encoded.subarray(encoded.length - bodyLength));
  bench(title, () => do_not_optimize(validator.validate(memory, 0, bodyLength, signature, true)));
}
