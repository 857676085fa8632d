/** Service files: which count, which do not, and what is noticed while the bus runs. */

import { expect } from "@jest/globals";
import { briefs } from "./support/brief.ts";
import { type Client, DRIVER, DRIVER_PATH, PROPERTIES } from "./support/client.ts";
import { expectError, type Scene } from "./support/conformance.ts";
import { methodCall } from "./support/messages.ts";
import { activation, serviceFile, useServices } from "./support/services.ts";

const services = useServices();

const FILES = "Message Bus Starting Services: service files";
const CHANGED = "ActivatableServicesChanged";

/** What the service of `name` says about itself: the status with which its program ends, or how it is unknown. */
async function identify(client: Client, name: string): Promise<string> {
  const error = await client.replyTo(client.send(methodCall(name)));
  const [, status] = /exited with status (\d+)/.exec(String(error.arguments[0])) ?? [];
  return status ?? String(error.errorName?.replace("org.freedesktop.DBus.Error.", ""));
}

const exits = (status: number): string => `/bin/sh -c 'exit ${status}'`;

/** A case about the content of one file, which names `NAME`; `exit 42` is what a good one leads to. */
function file(sentence: string, expected: string, content: string | Uint8Array): void {
  activation(sentence, { spec: FILES }, async (scene) => {
    const name = services.newName();
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    const text = Buffer.from(bytes).toString("latin1").replaceAll("NAME", name);
    services.write(`first/${name}.service`, Buffer.from(text, "latin1"));
    expect(await identify(await scene.client(), name)).toBe(expected);
  });
}

const GOOD = `[D-BUS Service]\nName=NAME\nExec=${exits(42)}\n`;

file(
  "Comments, blank lines, other sections and unknown keys do not matter",
  "42",
  `# comment\n\n   \t\n[Other Section]\nName=other.name\nExec=/bin/false\n${GOOD}Unknown-Key9=1\n`,
);
file("Lines may end with CR and LF", "42", GOOD.replaceAll("\n", "\r\n"));
file("The last line needs no end", "42", GOOD.trimEnd());
file("Spaces around the equals sign do not matter", "42", GOOD.replaceAll("=", "   =  "));
file(
  "Translated keys are passed over",
  "42",
  `[D-BUS Service]\nName[de]=x\nName=NAME\nExec[x\nExec=${exits(42)}\n`,
);
file(
  "The first of several lines with a key counts",
  "42",
  `${GOOD}Exec=${exits(43)}\nName=other.name\n`,
);
file(
  "The first of several sections for D-Bus counts",
  "42",
  `${GOOD}[D-BUS Service]\nExec=${exits(43)}\n`,
);
file(
  "Escapes stand for blanks and backslashes",
  "42",
  `[D-BUS Service]\nName=NAME\nExec=/bin/sh\\s-c\\t'exit\\s42'\n`,
);
file("User means nothing on a session bus", "42", `${GOOD}User=nobody\n`);
file(
  "A unit of systemd means nothing without systemd activation",
  "42",
  `${GOOD}SystemdService=nowhere.service\n`,
);

file("Without Exec a file does not count", "ServiceUnknown", "[D-BUS Service]\nName=NAME\n");
file(
  "Without Name a file does not count",
  "ServiceUnknown",
  `[D-BUS Service]\nExec=${exits(42)}\n`,
);
file(
  "Without a section a file does not count",
  "ServiceUnknown",
  GOOD.replace("[D-BUS Service]\n", ""),
);
file(
  "A section by another name is another section",
  "ServiceUnknown",
  GOOD.replace("D-BUS", "D-Bus"),
);
file("A blank behind a section makes the file wrong", "ServiceUnknown", GOOD.replace("]", "] "));
file("A section that is not closed makes the file wrong", "ServiceUnknown", `${GOOD}[Other\n`);
file("A section without a name makes the file wrong", "ServiceUnknown", `${GOOD}[]\n`);
file("A bracket in the name of a section makes the file wrong", "ServiceUnknown", `${GOOD}[a]b]\n`);
file("A line without an equals sign makes the file wrong", "ServiceUnknown", `${GOOD}nothing\n`);
file("A line without a key makes the file wrong", "ServiceUnknown", `${GOOD}=value\n`);
file("A blank in front of a key makes the file wrong", "ServiceUnknown", `${GOOD} Key=value\n`);
file(
  "A tabulator in front of the equals sign makes the file wrong",
  "ServiceUnknown",
  `${GOOD}Key\t=value\n`,
);
file("An underscore in a key makes the file wrong", "ServiceUnknown", `${GOOD}a_b=value\n`);
file(
  "An unknown escape makes the file wrong, in whichever section",
  "ServiceUnknown",
  `[Other]\nKey=\\x\n${GOOD}`,
);
file(
  "A backslash at the end of a value makes the file wrong",
  "ServiceUnknown",
  `${GOOD}Key=value\\\n`,
);
file(
  "What is not UTF-8 makes the file wrong",
  "ServiceUnknown",
  Buffer.from(`${GOOD}# \xff\n`, "latin1"),
);
file(
  "A file of more than 128 KiB does not count",
  "ServiceUnknown",
  `${GOOD}${"#".repeat(131_073)}\n`,
);
file("A file of almost 128 KiB counts", "42", `${GOOD}${"#".repeat(130_000)}\n`);

activation("Files that do not end in .service do not count", { spec: FILES }, async (scene) => {
  const name = services.newName();
  services.write(`first/${name}.service.bak`, serviceFile(name, exits(1)));
  services.write(`first/${name}`, serviceFile(name, exits(1)));
  expect(await identify(await scene.client(), name)).toBe("ServiceUnknown");
});

activation("A file need not be called like its name", { spec: FILES }, async (scene) => {
  const name = services.newName();
  services.write(`first/x${name}.service`, serviceFile(name, exits(5)));
  expect(await identify(await scene.client(), name)).toBe("5");
});

activation(
  "Of two files for one name that in the first directory counts",
  { spec: FILES },
  async (scene) => {
    const client = await scene.client();
    const name = services.newName();
    services.write(`first/${name}.service`, serviceFile(name, exits(1)));
    services.write(`second/${name}.service`, serviceFile(name, exits(2)));
    await client.ask("ReloadConfig");
    expect(await identify(client, name)).toBe("1");
    services.remove(`first/${name}.service`);
    // dbus-daemon first notices that the one has gone, and then that there is another one.
    await identify(client, name);
    expect(await identify(client, name)).toBe("2");
  },
);

activation(
  "A file that appears is found by the next message",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const name = services.newName();
    expect(await identify(client, name)).toBe("ServiceUnknown");
    services.write(`second/${name}.service`, serviceFile(name, exits(7)));
    expect(await identify(client, name)).toBe("7");
  },
);

activation("A file that goes is not found any more", { spec: "dbus-daemon" }, async (scene) => {
  const client = await scene.client();
  const name = services.service(exits(7));
  expect(await identify(client, name)).toBe("7");
  services.remove(`first/${name}.service`);
  expect(await identify(client, name)).toBe("ServiceUnknown");
});

activation(
  "A file that was changed counts as it is after a reload",
  { spec: "ReloadConfig" },
  async (scene) => {
    const client = await scene.client();
    const name = services.service(exits(7));
    expect(await identify(client, name)).toBe("7");
    services.write(`first/${name}.service`, serviceFile(name, exits(8)));
    await client.ask("ReloadConfig");
    expect(await identify(client, name)).toBe("8");
  },
);

async function activatable(client: Client): Promise<unknown> {
  return (await client.ask("ListActivatableNames")).arguments[0];
}

activation(
  "ListActivatableNames has the names of good files and no others",
  { spec: "ListActivatableNames" },
  async (scene) => {
    const client = await scene.client();
    const good = services.service(exits(1));
    const bad = services.service(exits(1), "Key=\\x");
    await client.ask("ReloadConfig");
    const names = await activatable(client);
    expect(names).toContain(good);
    expect(names).not.toContain(bad);
  },
);

activation(
  "ListActivatableNames does not care whether a name has an owner",
  { spec: "ListActivatableNames" },
  async (scene) => {
    const client = await scene.client();
    const [name, other] = [services.service(exits(1)), services.newName()];
    await client.requestName(name);
    await client.requestName(other);
    await client.ask("ReloadConfig");
    const names = await activatable(client);
    expect(names).toContain(name);
    expect(names).not.toContain(other);
  },
);

/** A client that hears of changes, and of none that cases before have made. */
async function listener(scene: Scene): Promise<Client> {
  const client = await scene.client();
  await client.addMatch(`member='${CHANGED}'`);
  return client;
}

activation(
  "The Features say that changes of the activatable names are told",
  { spec: "Message Bus Properties: Features" },
  async (scene) => {
    const client = await scene.client();
    const reply = await client.call("Get", {
      interface: PROPERTIES,
      signature: "ss",
      arguments: [DRIVER, "Features"],
    });
    expect(reply.arguments).toEqual([
      { signature: "as", value: expect.arrayContaining([CHANGED, "HeaderFiltering"]) },
    ]);
  },
);

activation(
  "A reload tells that the activatable names may have changed, before it is answered",
  { spec: CHANGED },
  async (scene) => {
    const client = await listener(scene);
    const serial = client.sendCall("ReloadConfig");
    const seen = [];
    for (
      let message = await client.next();
      message.replySerial !== serial;
      message = await client.next()
    ) {
      seen.push(message);
    }
    expect(seen.at(-1)).toMatchObject({
      path: DRIVER_PATH,
      interface: DRIVER,
      member: CHANGED,
      sender: DRIVER,
      destination: null,
      signature: "",
    });
  },
);

activation(
  "A file that appears is told without being asked for",
  { spec: CHANGED },
  async (scene) => {
    const client = await listener(scene);
    const name = services.service(exits(1));
    for (;;) {
      await client.first(({ member }) => member === CHANGED, CHANGED);
      const names = (await client.ask("ListActivatableNames")).arguments[0];
      if (Array.isArray(names) && names.includes(name)) return;
    }
  },
);

activation(
  "A start that is under way goes on across a reload, even if its file has gone",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const name = services.service("/bin/true");
    const serial = client.sendCall("StartServiceByName", { signature: "su", arguments: [name, 0] });
    await client.drain();
    services.remove(`first/${name}.service`);
    await client.ask("ReloadConfig");
    await client.requestName(name);
    expect(briefs([await client.replyTo(serial)])).toEqual(["return 1"]);
  },
);

activation(
  "A message to a name whose file has gone does not wait for the start that is under way",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const name = services.service("/bin/true");
    client.send(methodCall(name));
    await client.drain();
    services.remove(`first/${name}.service`);
    expectError(await client.replyTo(client.send(methodCall(name))), "ServiceUnknown");
  },
);
