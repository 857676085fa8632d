/** Services that do not come: what those are told who wait for them. */

import { expect } from "@jest/globals";
import { brief } from "./support/brief.ts";
import type { Arrival, Client } from "./support/client.ts";
import { expectError } from "./support/conformance.ts";
import { methodCall, signal } from "./support/messages.ts";
import { activation, useServices } from "./support/services.ts";
import { Flag } from "./support/wire.ts";

const services = useServices();

const ERRORS = "dbus-daemon: errors of a start";

function start(client: Client, name: string): number {
  return client.sendCall("StartServiceByName", { signature: "su", arguments: [name, 0] });
}

async function failures(client: Client, exec: string): Promise<[string, Arrival, Arrival]> {
  const name = services.service(exec);
  const called = await client.replyTo(client.send(methodCall(name)));
  return [name, called, await client.replyTo(start(client, name))];
}

activation(
  "A program that ends with a status fails with that status",
  { spec: ERRORS },
  async (scene) => {
    const client = await scene.client();
    for (const status of [1, 3, 127, 255]) {
      const [name, ...errors] = await failures(client, `/bin/sh -c 'exit ${status}'`);
      for (const error of errors) {
        expectError(error, "Spawn.ChildExited", `Process ${name} exited with status ${status}`);
      }
    }
  },
);

activation(
  "A program that a signal ends fails with the number of the signal",
  { spec: ERRORS },
  async (scene) => {
    const client = await scene.client();
    for (const signal of [9, 11, 15]) {
      const [name, ...errors] = await failures(client, `/bin/sh -c 'kill -${signal} $$'`);
      for (const error of errors) {
        expectError(error, "Spawn.ChildSignaled", `Process ${name} received signal ${signal}`);
      }
    }
  },
);

activation(
  "A program that does not exist fails to be executed",
  { spec: ERRORS },
  async (scene) => {
    const [name, ...errors] = await failures(await scene.client(), "/nowhere/at/all --option");
    const text = `Failed to execute program ${name}: No such file or directory`;
    for (const error of errors) expectError(error, "Spawn.ExecFailed", text);
  },
);

activation(
  "A file that may not be executed fails to be executed",
  { spec: ERRORS },
  async (scene) => {
    services.write("plain", "text");
    const [name, ...errors] = await failures(await scene.client(), `${services.folder}/plain`);
    const text = `Failed to execute program ${name}: Permission denied`;
    for (const error of errors) expectError(error, "Spawn.ExecFailed", text);
  },
);

activation(
  "A program without a path is not looked for in PATH",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [name, error] = await failures(await scene.client(), "true");
    const text = `Failed to execute program ${name}: No such file or directory`;
    expectError(error, "Spawn.ExecFailed", text);
  },
);

activation(
  "A command line without words fails to be executed",
  { spec: "dbus-daemon" },
  async (scene) => {
    const [, error] = await failures(await scene.client(), "");
    expectError(error, "Spawn.ExecFailed");
  },
);

activation(
  "A command line whose quotes are not closed is told at once",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    for (const exec of ["/bin/true 'a", '/bin/true "a', "/bin/true \\\\"]) {
      const [, ...errors] = await failures(client, exec);
      for (const error of errors)
        expectError(error, "InvalidArgs", "Unclosed quotes in command line");
    }
  },
);

activation(
  "Everybody who waits is told, each in the order in which he asked",
  { spec: ERRORS },
  async (scene) => {
    const clients = [await scene.client(), await scene.client()];
    const report = services.report();
    const name = services.service(services.script(`read line < ${report.path}`, "exit 4"));
    const serials: number[][] = [];
    for (const client of clients) {
      const own = [start(client, name), client.send(methodCall(name)), start(client, name)];
      own.push(client.send(methodCall(name)));
      serials.push(own);
      await client.drain();
    }
    report.write("go\n");
    for (const [index, client] of clients.entries()) {
      const answers = [];
      while (answers.length < 4) answers.push(await client.next());
      expect(answers.map(({ replySerial }) => replySerial)).toEqual(serials[index]);
      for (const answer of answers) expectError(answer, "Spawn.ChildExited");
    }
  },
);

activation("Who has left is not told, and the others are", { spec: ERRORS }, async (scene) => {
  const [leaver, stayer] = [await scene.client(), await scene.client()];
  const report = services.report();
  const name = services.service(services.script(`read line < ${report.path}`, "exit 4"));
  start(leaver, name);
  leaver.send(methodCall(name));
  await leaver.drain();
  const serial = stayer.send(methodCall(name));
  await stayer.drain();
  await scene.leave(leaver);
  report.write("go\n");
  expectError(await stayer.replyTo(serial), "Spawn.ChildExited");
});

activation(
  "The next message after a failure starts the program again",
  { spec: ERRORS },
  async (scene) => {
    const client = await scene.client();
    const [log, folder] = [`${services.folder}/starts`, services.folder];
    const name = services.service(
      services.script(
        `echo x >> ${log}`,
        `wc -l < ${log} > ${folder}/n`,
        `exit $(cat ${folder}/n)`,
      ),
    );
    for (const round of [1, 2, 3]) {
      const error = await client.replyTo(client.send(methodCall(name)));
      expectError(error, "Spawn.ChildExited", `Process ${name} exited with status ${round}`);
    }
  },
);

activation(
  "A program that ends with status 0 may have gone to the background: the wait goes on",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const report = services.report();
    const name = services.service(services.script(`exec > ${report.path}`, "exit 0"));
    const serial = start(client, name);
    expect(await report.read()).toBe("");
    await client.drain();
    await client.requestName(name);
    expect(brief(await client.replyTo(serial))).toBe("return 1");
  },
);

activation(
  "Names with the same command line fail together, with the words for the first",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const report = services.report();
    const exec = services.script(`read line < ${report.path}`, "exit 6");
    const names = [services.service(exec), services.service(exec)];
    const serials = names.map((name) => client.send(methodCall(name)));
    await client.drain();
    report.write("go\n");
    const texts = [];
    for (const serial of serials) {
      const error = await client.replyTo(serial);
      expectError(error, "Spawn.ChildExited");
      texts.push(String(error.arguments[0]).replace(/;.*/, ""));
    }
    expect(names.map((name) => `Process ${name} exited with status 6`)).toContain(texts[0]);
    expect(texts[1]).toBe(texts[0]);
  },
);

activation(
  "A failure is nobody's business but that of those who wait",
  { spec: ERRORS },
  async (scene) => {
    const [client, other] = [await scene.client(), await scene.client()];
    await other.addMatch("member='NameOwnerChanged'");
    const [name] = await failures(client, "/bin/false");
    expect(await other.drain()).toEqual([]);
    expect((await client.ask("NameHasOwner", "s", name)).arguments).toEqual([false]);
  },
);

activation(
  "A call that wants no reply gets the failure all the same",
  {
    spec: "dbus-daemon",
    excused: { onehop: "who wants no reply gets none (docs/decisions/0011)" },
  },
  async (scene) => {
    const client = await scene.client();
    const name = services.service("/bin/false");
    const serial = client.send(methodCall(name, { flags: Flag.NoReplyExpected }));
    expectError(await client.replyTo(serial), "Spawn.ChildExited");
  },
);

activation(
  "A signal gets the failure of its receiver, though no signal expects a reply",
  { spec: "dbus-daemon" },
  async (scene) => {
    const client = await scene.client();
    const destination = services.service("/bin/false");
    const serial = client.send(signal({ destination, flags: Flag.NoReplyExpected }));
    expectError(await client.replyTo(serial), "Spawn.ChildExited");
  },
);
