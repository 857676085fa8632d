/** RequestName, ReleaseName and the queue of owners. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import type { Client } from "./support/client.ts";
import { conformance, expectError, type Scene, useBus } from "./support/conformance.ts";

useBus();

const REQUEST = "Message Bus Messages: RequestName";
const RELEASE = "Message Bus Messages: ReleaseName";

const ALLOW_REPLACEMENT = 1;
const REPLACE_EXISTING = 2;
const DO_NOT_QUEUE = 4;

const PRIMARY_OWNER = 1;
const IN_QUEUE = 2;
const EXISTS = 3;
const ALREADY_OWNER = 4;

const RELEASED = 1;
const NON_EXISTENT = 2;
const NOT_OWNER = 3;

let counter = 0;

function freshName(): string {
  return `org.example.Names${++counter}`;
}

/** Who stands in the queue, as "AB", "B" … by the letters of `peers`; "" if nobody. */
async function queueOf(name: string, peers: Readonly<Record<string, Client>>): Promise<string> {
  const [asker] = Object.values(peers);
  const reply = await asker?.call("ListQueuedOwners", { signature: "s", arguments: [name] });
  if (reply === undefined || reply.errorName !== null) return "";
  const owners = reply.arguments[0] as string[]; // signature "as"
  return owners
    .map((owner) => Object.entries(peers).find(([, peer]) => peer.uniqueName === owner)?.[0])
    .join("");
}

async function twoPeers(scene: Scene): Promise<{ A: Client; B: Client }> {
  return { A: await scene.client(), B: await scene.client() };
}

const FLAGS: readonly (readonly [flags: number, words: string])[] = [
  [0, "plain"],
  [ALLOW_REPLACEMENT, "ALLOW_REPLACEMENT"],
  [DO_NOT_QUEUE, "DO_NOT_QUEUE"],
  [ALLOW_REPLACEMENT | DO_NOT_QUEUE, "ALLOW_REPLACEMENT|DO_NOT_QUEUE"],
];

const REQUESTS: readonly (readonly [flags: number, words: string])[] = [
  [0, "plain"],
  [REPLACE_EXISTING, "REPLACE_EXISTING"],
  [DO_NOT_QUEUE, "DO_NOT_QUEUE"],
  [REPLACE_EXISTING | DO_NOT_QUEUE, "REPLACE_EXISTING|DO_NOT_QUEUE"],
];

/** The table of the specification: rows by the owner's flags, columns by the requester's. */
const OUTCOMES: readonly (readonly (readonly [result: number, queue: string])[])[] = [
  [
    [IN_QUEUE, "AB"],
    [IN_QUEUE, "AB"],
    [EXISTS, "A"],
    [EXISTS, "A"],
  ],
  [
    [IN_QUEUE, "AB"],
    [PRIMARY_OWNER, "BA"],
    [EXISTS, "A"],
    [PRIMARY_OWNER, "BA"],
  ],
  [
    [IN_QUEUE, "AB"],
    [IN_QUEUE, "AB"],
    [EXISTS, "A"],
    [EXISTS, "A"],
  ],
  [
    [IN_QUEUE, "AB"],
    [PRIMARY_OWNER, "B"],
    [EXISTS, "A"],
    [PRIMARY_OWNER, "B"],
  ],
];

FLAGS.forEach(([ownerFlags, owner], row) => {
  REQUESTS.forEach(([requestFlags, request], column) => {
    const [result, queue] = OUTCOMES[row]?.[column] ?? [0, ""];
    conformance(
      `A name owned ${owner} and requested ${request} ends with the queue ${queue}`,
      { spec: REQUEST },
      async (scene) => {
        const peers = await twoPeers(scene);
        const name = freshName();
        expect(await peers.A.requestName(name, ownerFlags)).toBe(PRIMARY_OWNER);
        expect(await peers.B.requestName(name, requestFlags)).toBe(result);
        expect(await queueOf(name, peers)).toBe(queue);
      },
    );
  });
});

conformance("Requesting an own name again says ALREADY_OWNER", { spec: REQUEST }, async (scene) => {
  const client = await scene.client();
  const name = freshName();
  await client.requestName(name);
  expect(await client.requestName(name)).toBe(ALREADY_OWNER);
});

conformance(
  "The owner's last request decides whether it can be replaced",
  { spec: REQUEST },
  async (scene) => {
    const peers = await twoPeers(scene);
    const name = freshName();
    await peers.A.requestName(name, ALLOW_REPLACEMENT);
    await peers.A.requestName(name, 0);
    expect(await peers.B.requestName(name, REPLACE_EXISTING)).toBe(IN_QUEUE);
    await peers.A.requestName(name, ALLOW_REPLACEMENT);
    expect(await peers.B.requestName(name, REPLACE_EXISTING)).toBe(PRIMARY_OWNER);
    expect(await queueOf(name, peers)).toBe("BA");
  },
);

conformance(
  "A queued peer keeps its place when it asks again",
  { spec: REQUEST },
  async (scene) => {
    const peers = { ...(await twoPeers(scene)), C: await scene.client() };
    const name = freshName();
    await peers.A.requestName(name);
    await peers.B.requestName(name);
    await peers.C.requestName(name);
    expect(await peers.B.requestName(name)).toBe(IN_QUEUE);
    expect(await queueOf(name, peers)).toBe("ABC");
  },
);

conformance(
  "A queued peer that asks with DO_NOT_QUEUE leaves the queue",
  { spec: REQUEST },
  async (scene) => {
    const peers = { ...(await twoPeers(scene)), C: await scene.client() };
    const name = freshName();
    await peers.A.requestName(name);
    await peers.B.requestName(name);
    await peers.C.requestName(name);
    expect(await peers.B.requestName(name, DO_NOT_QUEUE)).toBe(EXISTS);
    expect(await queueOf(name, peers)).toBe("AC");
  },
);

conformance(
  "A replaced owner stands in front of those who waited",
  { spec: REQUEST },
  async (scene) => {
    const peers = { ...(await twoPeers(scene)), C: await scene.client() };
    const name = freshName();
    await peers.A.requestName(name, ALLOW_REPLACEMENT);
    await peers.B.requestName(name);
    await peers.C.requestName(name, REPLACE_EXISTING);
    expect(await queueOf(name, peers)).toBe("CAB");
  },
);

conformance(
  "A queued peer can replace the owner and leaves its old place",
  { spec: REQUEST },
  async (scene) => {
    const peers = { ...(await twoPeers(scene)), C: await scene.client() };
    const name = freshName();
    await peers.A.requestName(name, ALLOW_REPLACEMENT);
    await peers.B.requestName(name);
    await peers.C.requestName(name);
    expect(await peers.C.requestName(name, REPLACE_EXISTING)).toBe(PRIMARY_OWNER);
    expect(await queueOf(name, peers)).toBe("CAB");
  },
);

conformance(
  "An owner with DO_NOT_QUEUE who is replaced does not come back",
  { spec: REQUEST },
  async (scene) => {
    const peers = await twoPeers(scene);
    const name = freshName();
    await peers.A.requestName(name, ALLOW_REPLACEMENT | DO_NOT_QUEUE);
    await peers.B.requestName(name, REPLACE_EXISTING);
    await peers.B.releaseName(name);
    expect((await peers.A.ask("NameHasOwner", "s", name)).arguments).toEqual([false]);
  },
);

conformance(
  "A queued peer's flags count when it becomes the owner",
  { spec: REQUEST },
  async (scene) => {
    const peers = { ...(await twoPeers(scene)), C: await scene.client() };
    const name = freshName();
    await peers.A.requestName(name);
    await peers.B.requestName(name, ALLOW_REPLACEMENT);
    await peers.A.releaseName(name);
    expect(await peers.C.requestName(name, REPLACE_EXISTING)).toBe(PRIMARY_OWNER);
    expect(await queueOf(name, peers)).toBe("CB");
  },
);

conformance("Unknown flags of RequestName are ignored", { spec: "dbus-daemon" }, async (scene) => {
  const client = await scene.client();
  expect(await client.requestName(freshName(), 0xfffffff8)).toBe(PRIMARY_OWNER);
});

conformance("One peer may own many names", { spec: REQUEST }, async (scene) => {
  const client = await scene.client();
  const names = Array.from({ length: 50 }, freshName);
  for (const name of names) expect(await client.requestName(name)).toBe(PRIMARY_OWNER);
  const listed = (await client.ask("ListNames")).arguments[0] as string[]; // signature "as"
  expect(listed).toEqual(expect.arrayContaining(names));
});

// Releasing

conformance("ReleaseName of an own name says RELEASED", { spec: RELEASE }, async (scene) => {
  const client = await scene.client();
  const name = freshName();
  await client.requestName(name);
  expect(await client.releaseName(name)).toBe(RELEASED);
  expect((await client.ask("NameHasOwner", "s", name)).arguments).toEqual([false]);
});

conformance(
  "ReleaseName of a name nobody has says NON_EXISTENT",
  { spec: RELEASE },
  async (scene) => {
    expect(await (await scene.client()).releaseName(freshName())).toBe(NON_EXISTENT);
  },
);

conformance("ReleaseName of another's name says NOT_OWNER", { spec: RELEASE }, async (scene) => {
  const { A, B } = await twoPeers(scene);
  const name = freshName();
  await A.requestName(name);
  expect(await B.releaseName(name)).toBe(NOT_OWNER);
  expect((await A.ask("GetNameOwner", "s", name)).arguments).toEqual([A.uniqueName]);
});

conformance(
  "Releasing a name gives it to the next in the queue",
  { spec: RELEASE },
  async (scene) => {
    const peers = { ...(await twoPeers(scene)), C: await scene.client() };
    const name = freshName();
    for (const peer of Object.values(peers)) await peer.requestName(name);
    await peers.A.releaseName(name);
    expect(await queueOf(name, peers)).toBe("BC");
    await peers.B.releaseName(name);
    expect(await queueOf(name, peers)).toBe("C");
  },
);

conformance(
  "A queued peer may leave the queue, and nobody hears of it",
  { spec: RELEASE },
  async (scene) => {
    const peers = await twoPeers(scene);
    const name = freshName();
    await peers.A.requestName(name);
    await peers.B.requestName(name);
    await peers.A.addMatch(`type='signal',arg0='${name}'`);
    await peers.A.drain();
    expect(await peers.B.releaseName(name)).toBe(RELEASED);
    expect(briefs(await peers.A.drain())).toEqual([]);
    expect(briefs(await peers.B.drain())).toEqual([]);
    expect(await queueOf(name, peers)).toBe("A");
  },
);

conformance("A released name can be had again", { spec: RELEASE }, async (scene) => {
  const { A, B } = await twoPeers(scene);
  const name = freshName();
  await A.requestName(name);
  await A.releaseName(name);
  expect(await B.requestName(name)).toBe(PRIMARY_OWNER);
});

conformance("A queued peer that disconnects leaves the queue", { spec: REQUEST }, async (scene) => {
  const peers = { ...(await twoPeers(scene)), C: await scene.client() };
  const name = freshName();
  for (const peer of Object.values(peers)) await peer.requestName(name);
  await scene.leave(peers.B);
  expect(await queueOf(name, { A: peers.A, C: peers.C })).toBe("AC");
});

conformance(
  "An owner that disconnects makes way for the next",
  { spec: REQUEST },
  async (scene) => {
    const peers = await twoPeers(scene);
    const name = freshName();
    for (const peer of Object.values(peers)) await peer.requestName(name);
    await scene.leave(peers.A);
    expect((await peers.B.ask("GetNameOwner", "s", name)).arguments).toEqual([peers.B.uniqueName]);
  },
);

// Names that cannot be requested

const MALFORMED: readonly (readonly [what: string, name: string])[] = [
  ["the empty name", ""],
  ["a name without a dot", "nodots"],
  ["a name with an empty element", "org..x"],
  ["a name that begins with a dot", ".org.x"],
  ["a name that ends with a dot", "org.x."],
  ["an element that begins with a digit", "org.1x"],
  ["a forbidden character", "org.x/y"],
  ["a character outside ASCII", "org.exämple"],
  ["256 bytes", `a.${"b".repeat(254)}`],
];

for (const [what, name] of MALFORMED) {
  conformance(`RequestName refuses ${what}`, { spec: "Bus names" }, async (scene) => {
    const client = await scene.client();
    const refusal = await client.call("RequestName", { signature: "su", arguments: [name, 0] });
    expectError(refusal, "InvalidArgs", `Requested bus name "${name}" is not valid`);
  });
}

conformance("RequestName refuses the driver's name", { spec: REQUEST }, async (scene) => {
  const client = await scene.client();
  const refusal = await client.call("RequestName", {
    signature: "su",
    arguments: ["org.freedesktop.DBus", 0],
  });
  expectError(
    refusal,
    "InvalidArgs",
    `Connection "${client.uniqueName}" is not allowed to own the service "org.freedesktop.DBus"`,
  );
});

conformance(
  "RequestName refuses unique names, even one's own",
  { spec: REQUEST },
  async (scene) => {
    const client = await scene.client();
    for (const name of [client.uniqueName, ":1.99999"]) {
      expectError(
        await client.call("RequestName", { signature: "su", arguments: [name, 0] }),
        "InvalidArgs",
        `Cannot acquire a service starting with ':' such as "${name}"`,
      );
    }
  },
);

for (const name of ["org.x-y._z", "a.b", "_a._b", "A.B0", `a.${"b".repeat(253)}`]) {
  conformance(
    `RequestName accepts ${name.slice(0, 20)} (${name.length} bytes)`,
    { spec: "Bus names" },
    async (scene) => {
      expect(await (await scene.client()).requestName(name)).toBe(PRIMARY_OWNER);
    },
  );
}

for (const [name, text] of [
  [
    "org.freedesktop.DBus",
    "Cannot release the org.freedesktop.DBus service because it is owned by the bus",
  ],
  [":1.99999", `Cannot release a service starting with ':' such as ":1.99999"`],
  ["nodots", `Given bus name "nodots" is not valid`],
  ["", `Given bus name "" is not valid`],
] as const) {
  conformance(`ReleaseName refuses "${name}"`, { spec: RELEASE }, async (scene) => {
    const client = await scene.client();
    const refusal = await client.call("ReleaseName", { signature: "s", arguments: [name] });
    expectError(refusal, "InvalidArgs", text);
  });
}
