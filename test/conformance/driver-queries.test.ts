/** What the driver tells about names and about the processes behind them. */

import { expect } from "@jest/globals";
import { type Client, DRIVER } from "./support/client.ts";
import { conformance, expectError, notRun, useBus } from "./support/conformance.ts";
import type { Variant } from "./support/wire.ts";

useBus({ configuration: "all-users.conf" });

const NOBODY = 65534;
const MISSING = "org.example.Missing";
const CREDENTIALS = "Message Bus Messages: GetConnectionCredentials";

async function names(client: Client, method: string, ...values: string[]): Promise<string[]> {
  const reply = await client.ask(method, "s".repeat(values.length), ...values);
  return reply.arguments[0] as string[]; // these methods return "as"
}

/** The dictionary that GetConnectionCredentials returns. */
async function credentialsOf(client: Client, name: string): Promise<Map<string, Variant>> {
  const reply = await client.ask("GetConnectionCredentials", "s", name);
  expect(reply.signature).toBe("a{sv}");
  return new Map(reply.arguments[0] as unknown as [string, Variant][]); // signature "a{sv}"
}

conformance(
  "ListNames has the driver, unique and well-known names",
  { spec: "ListNames" },
  async (scene) => {
    const [client, other] = [await scene.client(), await scene.client()];
    await other.requestName("org.example.Listed");
    const listed = await names(client, "ListNames");
    expect(listed).toEqual(
      expect.arrayContaining([DRIVER, client.uniqueName, other.uniqueName, "org.example.Listed"]),
    );
    expect(new Set(listed).size).toBe(listed.length);
  },
);

conformance("ListNames forgets names that are gone", { spec: "ListNames" }, async (scene) => {
  const [client, other] = [await scene.client(), await scene.client()];
  await other.requestName("org.example.Gone");
  await scene.leave(other);
  const listed = await names(client, "ListNames");
  expect(listed).not.toContain(other.uniqueName);
  expect(listed).not.toContain("org.example.Gone");
});

conformance(
  "ListNames has no peer that has not said Hello",
  { spec: "ListNames" },
  async (scene) => {
    const client = await scene.client();
    const before = (await names(client, "ListNames")).length;
    await scene.client({ until: "begin" });
    expect(await names(client, "ListNames")).toHaveLength(before);
  },
);

conformance(
  "ListActivatableNames has the driver's own name",
  { spec: "ListActivatableNames" },
  async (scene) => {
    expect(await names(await scene.client(), "ListActivatableNames")).toContain(DRIVER);
  },
);

conformance("NameHasOwner is true for owned names", { spec: "NameHasOwner" }, async (scene) => {
  const client = await scene.client();
  await client.requestName("org.example.Has");
  for (const name of [DRIVER, client.uniqueName, "org.example.Has"]) {
    expect((await client.ask("NameHasOwner", "s", name)).arguments).toEqual([true]);
  }
});

conformance(
  "NameHasOwner is false for names nobody has",
  { spec: "NameHasOwner" },
  async (scene) => {
    const client = await scene.client();
    for (const name of [MISSING, ":1.99999"]) {
      expect((await client.ask("NameHasOwner", "s", name)).arguments).toEqual([false]);
    }
  },
);

for (const name of ["", "!bad", "nodots"]) {
  conformance(
    `NameHasOwner is false for "${name}", which is no name`,
    { spec: "dbus-daemon" },
    async (scene) => {
      const client = await scene.client();
      expect((await client.ask("NameHasOwner", "s", name)).arguments).toEqual([false]);
    },
  );
}

conformance(
  "GetNameOwner of the driver is the driver's name",
  { spec: "GetNameOwner" },
  async (scene) => {
    const client = await scene.client();
    expect((await client.ask("GetNameOwner", "s", DRIVER)).arguments).toEqual([DRIVER]);
  },
);

conformance(
  "GetNameOwner of a well-known name is a unique name",
  { spec: "GetNameOwner" },
  async (scene) => {
    const [client, owner] = [await scene.client(), await scene.client()];
    await owner.requestName("org.example.Owner");
    expect((await client.ask("GetNameOwner", "s", "org.example.Owner")).arguments).toEqual([
      owner.uniqueName,
    ]);
    expect((await client.ask("GetNameOwner", "s", owner.uniqueName)).arguments).toEqual([
      owner.uniqueName,
    ]);
  },
);

conformance(
  "ListQueuedOwners of the driver and of a unique name has one",
  { spec: "ListQueuedOwners" },
  async (scene) => {
    const client = await scene.client();
    expect(await names(client, "ListQueuedOwners", DRIVER)).toEqual([DRIVER]);
    expect(await names(client, "ListQueuedOwners", client.uniqueName)).toEqual([client.uniqueName]);
  },
);

for (const [method, subject] of [
  ["GetNameOwner", "owner"],
  ["ListQueuedOwners", "owners"],
  ["GetConnectionUnixUser", "UID"],
  ["GetConnectionUnixProcessID", "PID"],
  ["GetConnectionCredentials", "credentials"],
  ["GetAdtAuditSessionData", "audit session data"],
  ["GetConnectionSELinuxSecurityContext", "security context"],
] as const) {
  for (const name of [MISSING, ":1.99999"]) {
    conformance(`${method} of ${name} fails: nobody has it`, { spec: method }, async (scene) => {
      const client = await scene.client();
      const refusal = await client.call(method, { signature: "s", arguments: [name] });
      expectError(
        refusal,
        "NameHasNoOwner",
        `Could not get ${subject} of name '${name}': no such name`,
      );
    });
  }
  conformance(
    `${method} of something that is no name fails like a missing one`,
    {
      spec: "dbus-daemon",
    },
    async (scene) => {
      const client = await scene.client();
      const refusal = await client.call(method, { signature: "s", arguments: ["!bad"] });
      expectError(
        refusal,
        "NameHasNoOwner",
        `Could not get ${subject} of name '!bad': no such name`,
      );
    },
  );
}

conformance(
  "GetConnectionUnixUser tells the peer's user",
  { spec: "GetConnectionUnixUser" },
  async (scene) => {
    const client = await scene.client();
    const reply = await client.ask("GetConnectionUnixUser", "s", client.uniqueName);
    expect(reply.signature).toBe("u");
    expect(reply.arguments).toEqual([process.getuid?.()]);
  },
);

conformance(
  "GetConnectionUnixUser understands well-known names",
  { spec: "GetConnectionUnixUser" },
  async (scene) => {
    const client = await scene.client();
    await client.requestName("org.example.User");
    expect((await client.ask("GetConnectionUnixUser", "s", "org.example.User")).arguments).toEqual([
      process.getuid?.(),
    ]);
  },
);

conformance(
  "GetConnectionUnixUser tells another user apart",
  { spec: "GetConnectionUnixUser" },
  async (scene) => {
    if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
    const stranger = await scene.peer({}, { uid: NOBODY, gid: NOBODY, groups: [] });
    const client = await scene.client();
    expect((await client.ask("GetConnectionUnixUser", "s", stranger.uniqueName)).arguments).toEqual(
      [NOBODY],
    );
  },
);

conformance(
  "GetConnectionUnixProcessID tells the peer's process",
  { spec: "GetConnectionUnixProcessID" },
  async (scene) => {
    const [client, peer] = [await scene.client(), await scene.peer()];
    for (const { uniqueName, processId } of [client, peer]) {
      const reply = await client.ask("GetConnectionUnixProcessID", "s", uniqueName);
      expect(reply.signature).toBe("u");
      expect(reply.arguments).toEqual([processId]);
    }
    expect(peer.processId).not.toBe(client.processId);
  },
);

conformance(
  "GetConnectionUnixProcessID of the driver is the daemon's",
  {
    spec: "dbus-daemon",
    excused: { "dbus-broker": "it tells the process of its controller, broker-launch" },
  },
  async (scene) => {
    const client = await scene.client();
    const [processId] = (await client.ask("GetConnectionUnixProcessID", "s", DRIVER)).arguments;
    expect(processId).toBe(scene.processId ?? processId);
  },
);

conformance(
  "GetConnectionUnixUser of the driver is the daemon's user",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    expect((await client.ask("GetConnectionUnixUser", "s", DRIVER)).arguments).toEqual([
      process.getuid?.(),
    ]);
  },
);

conformance(
  "GetConnectionCredentials has UnixUserID and ProcessID",
  { spec: CREDENTIALS },
  async (scene) => {
    const peer = await scene.peer();
    const credentials = await credentialsOf(peer, peer.uniqueName);
    expect(credentials.get("UnixUserID")).toEqual({ signature: "u", value: process.getuid?.() });
    expect(credentials.get("ProcessID")).toEqual({ signature: "u", value: peer.processId });
  },
);

conformance(
  "GetConnectionCredentials has UnixGroupIDs: all groups, in order, once",
  { spec: CREDENTIALS, excused: { "dbus-broker": "it lists the main group a second time" } },
  async (scene) => {
    if (process.getuid?.() !== 0) return notRun("only root can be somebody else");
    const peer = await scene.peer({}, { uid: NOBODY, gid: NOBODY, groups: [5, 4, NOBODY] });
    const groups = (await credentialsOf(peer, peer.uniqueName)).get("UnixGroupIDs");
    expect(groups).toEqual({ signature: "au", value: [4, 5, NOBODY] });
  },
);

conformance(
  "GetConnectionCredentials works for the peer itself, others and well-known names",
  { spec: CREDENTIALS },
  async (scene) => {
    const [client, peer] = [await scene.client(), await scene.peer()];
    await peer.requestName("org.example.Credentials");
    const byName = await credentialsOf(client, "org.example.Credentials");
    expect(byName).toEqual(await credentialsOf(peer, peer.uniqueName));
  },
);

conformance(
  "GetConnectionCredentials of the driver has the daemon's process and user",
  { spec: CREDENTIALS },
  async (scene) => {
    const client = await scene.client();
    const credentials = await credentialsOf(client, DRIVER);
    const daemon = (await client.ask("GetConnectionUnixProcessID", "s", DRIVER)).arguments[0];
    expect(credentials.get("ProcessID")).toEqual({ signature: "u", value: daemon });
    expect(credentials.get("UnixUserID")).toEqual({ signature: "u", value: process.getuid?.() });
  },
);

conformance(
  "GetConnectionCredentials has a LinuxSecurityLabel only if the kernel has one",
  { spec: CREDENTIALS },
  async (scene) => {
    const peer = await scene.peer();
    const label = (await credentialsOf(peer, peer.uniqueName)).get("LinuxSecurityLabel");
    const bytes = label?.value as number[] | undefined; // signature "ay"
    expect(bytes?.at(-1) ?? 0).toBe(0);
  },
);

for (const subject of ["a peer", "the driver"]) {
  conformance(
    `GetAdtAuditSessionData of ${subject} is unknown`,
    { spec: "GetAdtAuditSessionData" },
    async (scene) => {
      const client = await scene.client();
      const name = subject === "a peer" ? client.uniqueName : DRIVER;
      const refusal = await client.call("GetAdtAuditSessionData", {
        signature: "s",
        arguments: [name],
      });
      expectError(
        refusal,
        "AdtAuditDataUnknown",
        `Could not determine audit session data for '${name}'`,
      );
    },
  );
  conformance(
    `GetConnectionSELinuxSecurityContext of ${subject} is unknown without SELinux`,
    { spec: "GetConnectionSELinuxSecurityContext" },
    async (scene) => {
      const client = await scene.client();
      const name = subject === "a peer" ? client.uniqueName : DRIVER;
      const refusal = await client.call("GetConnectionSELinuxSecurityContext", {
        signature: "s",
        arguments: [name],
      });
      expectError(
        refusal,
        "SELinuxSecurityContextUnknown",
        `Could not determine security context for '${name}'`,
      );
    },
  );
}

conformance("GetId is 32 hexadecimal digits and stays", { spec: "GetId" }, async (scene) => {
  const [one, two] = [await scene.client(), await scene.client()];
  const [id] = (await one.ask("GetId")).arguments;
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect((await two.ask("GetId")).arguments).toEqual([id]);
});

conformance(
  "GetId is the bus's, not the listening address's GUID",
  { spec: "GetId" },
  async (scene) => {
    const client = await scene.client();
    expect(client.guid).toMatch(/^[0-9a-f]{32}$/);
    expect((await client.ask("GetId")).signature).toBe("s");
  },
);
