/** nonce-tcp: the file, and what it opens. */

import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { expect } from "@jest/globals";
import { conformance, useBus } from "./support/conformance.ts";
import { Type } from "./support/wire.ts";

useBus({
  configuration: "anonymous.conf",
  listen: "nonce-tcp:host=127.0.0.1,noncefile=/nonexistent/chosen",
});

const NONCE = "Transports: Nonce-authenticated TCP Sockets";
const withheld = { "dbus-broker": "it has no TCP" };

function nonceFile(address: string): string {
  return /noncefile=([^,]*)/.exec(address)?.[1] ?? "";
}

/** The same socket without the nonce. */
function bare(address: string): string {
  return address.replace("nonce-tcp:", "tcp:").replace(/,noncefile=[^,]*/, "");
}

conformance(
  "The bus chooses the file, and prints where it is",
  { spec: NONCE, withheld },
  async (scene) => {
    expect(scene.address).toMatch(
      /^nonce-tcp:host=127\.0\.0\.1,port=[1-9]\d*,family=ipv4,noncefile=\/.*\/nonce,guid=[0-9a-f]{32}$/,
    );
  },
);

conformance(
  "The nonce has 16 bytes that only the user can read",
  { spec: NONCE, withheld },
  async (scene) => {
    const file = nonceFile(scene.address);
    expect(readFileSync(file)).toHaveLength(16);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
  },
);

conformance("Who sends the nonce gets in", { spec: NONCE, withheld }, async (scene) => {
  const client = await scene.client({ isAnonymous: true });
  expect((await client.call("GetId")).type).toBe(Type.Return);
});

conformance("Who sends another nonce hears nothing", { spec: NONCE, withheld }, async (scene) => {
  const nonce = readFileSync(nonceFile(scene.address));
  const wrong = Buffer.from(nonce);
  wrong[15] = (nonce[15] ?? 0) ^ 1;
  for (const first of [wrong, Buffer.alloc(16)]) {
    const client = await scene.clientAt(bare(scene.address), { until: "nothing" });
    client.sendBytes(first);
    client.sendText("\0AUTH ANONYMOUS\r\n");
    expect(await client.line()).toBeNull();
  }
});

conformance(
  "Who sends a handshake instead of the nonce hears nothing",
  { spec: NONCE, withheld },
  async (scene) => {
    const client = await scene.clientAt(bare(scene.address), { until: "nothing" });
    client.sendText("\0AUTH ANONYMOUS\r\nBEGIN\r\n");
    expect(await client.line()).toBeNull();
  },
);
