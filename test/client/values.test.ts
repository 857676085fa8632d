/** The forms in which a message shows its arguments. */

import { afterEach, expect, test } from "@jest/globals";
import { createBus } from "../../bus/bus.ts";
import { connect } from "../../client/connect.ts";
import type { ReadOptions } from "../../wire/read-options.ts";
import { Variant } from "../../wire/variant.ts";

const bus = createBus();
afterEach(() => bus.close());

test("values are natural or as the connection was asked for, and the body is exact", async () => {
  const signature = "a{sv}t";
  const body = [{ Icon: "face", Size: new Variant("u", 3) }, 7n];
  const open = async (values?: ReadOptions) => {
    const client = await connect(bus.connect(), values === undefined ? {} : { values });
    client.onCall = (call) => {
      void client.reply(call, { signature, body });
      return true;
    };
    const reply = await client.call({
      destination: client.uniqueName,
      path: "/",
      interface: "org.example.Values",
      member: "Get",
    });
    await client.close();
    return reply;
  };
  const natural = await open();
  expect(natural.values).toEqual([{ Icon: "face", Size: 3 }, 7n]);
  expect(natural.values).toBe(natural.values);
  expect(natural.body).toEqual([
    new Map<string, Variant>([
      ["Icon", new Variant("s", "face")],
      ["Size", new Variant("u", 3)],
    ]),
    7n,
  ]);
  const asked = await open({ integers64: "number", variants: "unwrap" });
  expect(asked.values).toEqual([
    new Map<string, unknown>([
      ["Icon", "face"],
      ["Size", 3],
    ]),
    7,
  ]);
});
