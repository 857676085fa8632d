/** Trees of objects, of services that mean no good too. */

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createBus } from "../../bus/index.ts";
import { discoverObjects } from "../../cli/object-tree.ts";
import { formatTree } from "../../cli/print/tree.ts";
import { type Client, connect, type ReceivedMessage } from "../../client/index.ts";

let service: Client;
let client: Client;
let answer: (call: ReceivedMessage) => string | null;
beforeEach(async () => {
  const bus = createBus();
  service = await connect(bus.connect(), {
    onCall: (call) => {
      const xml = answer(call);
      if (xml !== null) service.reply(call, { signature: "s", body: [xml] });
      return true;
    },
  });
  client = await connect(bus.connect());
});
afterEach(async () => {
  await client.close();
  await service.close();
});

const limits = { objects: 50, depth: 8, timeoutMs: 30_000 };

test("an endless tree is cut at its depth, and it is said", async () => {
  answer = () => '<node><node name="x"/></node>';
  const { paths, cuts } = await discoverObjects(client, service.uniqueName, limits);
  expect(paths.at(-1)).toBe("/x".repeat(8));
  expect(paths).toHaveLength(9);
  expect(cuts).toEqual(["1 object more than 8 levels deep left out"]);
});

test("an endless crowd is cut at its number, and it is said", async () => {
  let count = 0;
  answer = () =>
    `<node>${Array.from({ length: 20 }, () => `<node name="n${count++}"/>`).join("")}</node>`;
  const { paths, cuts } = await discoverObjects(client, service.uniqueName, {
    ...limits,
    depth: 100,
  });
  expect(paths).toHaveLength(50);
  expect(cuts).toEqual(["there are more than 50 objects: the rest is left out"]);
});

test("an object that does not answer ends the search in time, and it is said", async () => {
  answer = ({ path }) => (path === "/" ? '<node><node name="a"/><node name="b"/></node>' : null);
  const { paths, cuts } = await discoverObjects(client, service.uniqueName, {
    ...limits,
    timeoutMs: 500,
  });
  expect(paths).toEqual(["/"]);
  expect(cuts).toEqual([
    expect.stringMatching(/^no answer within 500 ms for 2 objects, such as \/[ab]$/),
  ]);
});

test("loops, absolute paths and nested nodes are each looked at once", async () => {
  const asked: (string | null)[] = [];
  answer = ({ path }) => {
    asked.push(path);
    return path === "/"
      ? '<node><node name="/abs/olute"/><node name="a"><node name="b"/></node></node>'
      : '<node><node name="/a"/><node name="/abs/olute"/></node>';
  };
  const { paths } = await discoverObjects(client, service.uniqueName, limits);
  expect(paths).toEqual(["/", "/a", "/a/b", "/abs/olute"]);
  expect(asked.sort()).toEqual(paths);
});

test("what is no introspection data is told with its object", async () => {
  answer = ({ path }) => (path === "/" ? '<node><node name="bad"/></node>' : "<node><");
  const { paths, failures } = await discoverObjects(client, service.uniqueName, limits);
  expect(paths).toEqual(["/"]);
  expect(failures).toEqual([
    { path: "/bad", reason: expect.stringContaining("introspection data, line 1") },
  ]);
});

test("a tree is drawn with whole paths", () => {
  expect(formatTree(["/", "/a", "/a/b", "/a/c", "/d/e"])).toBe(
    "├─/a\n│ ├─/a/b\n│ └─/a/c\n└─/d/e\n",
  );
  expect(formatTree(["/"])).toBe("Only root object discovered.\n");
  expect(formatTree([])).toBe("No objects discovered.\n");
});
