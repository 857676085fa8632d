/**
 * What a machine's programs do on the system bus, with the machine's own configuration: run by `run.mjs` as root, in
 * namespaces of its own, so that the standard places are its own as well. The words of the command line are the daemon.
 * Prints a line that begins with ✓ or ✗ for each case.
 */

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, start } from "./processes.mjs";

const python = "/usr/bin/python3";
const nobody = 65534;
const startTimeoutMs = 5000;
const driver = "org.freedesktop.DBus";
const driverPath = "/org/freedesktop/DBus";
const prefix = "org.example.onehop";
const path = "/org/example/onehop/System";
const polkit = "org.freedesktop.PolicyKit1";
/** An action that every installation has, and that nobody may do without a password but root. */
const action = "org.freedesktop.policykit.exec";
const shared = "/usr/local/share/onehop-system";
const service = join(shared, "service.py");

for (const folder of ["/run/dbus", "/etc/dbus-1", "/usr/local/share"]) {
  await run("mount", "-t", "tmpfs", "-o", "mode=755", "none", folder);
}
for (const folder of ["/etc/dbus-1/system.d", "/usr/local/share/dbus-1/system-services", shared]) {
  mkdirSync(folder, { recursive: true });
}
copyFileSync(join(import.meta.dirname, "system-service.py"), service);
writeFileSync(
  "/etc/dbus-1/system.d/onehop.conf",
  `<busconfig>
    <policy user="nobody"><allow own="${prefix}.Nobody"/></policy>
    <policy user="daemon"><allow own="${prefix}.Daemon"/></policy>
    <policy user="root"><allow own="${prefix}.Root"/></policy>
    <policy context="default">
      <allow send_destination_prefix="${prefix}"/><deny send_destination="${prefix}.Secret"/>
    </policy>
  </busconfig>`,
);
writeFileSync(
  "/etc/dbus-1/system-local.conf",
  `<busconfig><limit name="service_start_timeout">${startTimeoutMs}</limit></busconfig>`,
);
writeService("Nobody", `${python} ${service} ${prefix}.Nobody "two words"`, "User=nobody");
writeService("Daemon", `${python} ${service} ${prefix}.Daemon`, "User=daemon");
writeService("Root", `${python} ${service} ${prefix}.Root`, "User=root");
writeService("Secret", "/bin/false", "User=root");
writeService("NoUser", "/bin/true");
writeService("NoSuchUser", "/bin/true", "User=no-such-user");
writeService("NoProgram", "/nowhere/at/all", "User=nobody");
writeService("Quotes", "/bin/true 'open", "User=nobody");
writeService("Failing", "/bin/sh -c 'exit 42'", "User=nobody");
writeService("Signaled", "/bin/sh -c 'kill -9 $$'", "User=nobody");
writeService("Idle", "/bin/sleep 600", "User=nobody");
writeService("Misnamed", "/bin/true", "User=nobody", "Elsewhere");

const [program, ...words] = process.argv.slice(2);
const bus = start(
  program,
  ...words,
  "--system",
  "--nofork",
  "--nopidfile",
  "--nosyslog",
  "--print-address",
);
bus.keep();
await bus.says(/^unix:/);

await testCase("the bus has become its own user, without further groups", async () => {
  const [user, group] = ["-u", "-g"].map((option) => idOf(option, "messagebus"));
  // It tells its address before; then it answers nobody.
  const told = await call(0, driver, "GetConnectionUnixUser", `'${driver}'`);
  expect(told, new RegExp(`^\\(uint32 ${user},\\)$`));
  const status = readFileSync(`/proc/${bus.child.pid}/status`, "utf8");
  expect(status, new RegExp(`^Uid:\\t${user}\\t${user}\\t${user}`, "m"));
  expect(status, new RegExp(`^Gid:\\t${group}\\t${group}\\t${group}`, "m"));
  expect(status, /^Groups:\s*$/m);
});

for (const [caller, name, owner] of [
  [0, "Nobody", "nobody"],
  [nobody, "Daemon", "daemon"],
  [nobody, "Root", "root"],
]) {
  await testCase(`user ${caller} starts a service of ${owner} by a call`, async () => {
    expect(await call(0, driver, "NameHasOwner", `'${prefix}.${name}'`), /false/);
    const { uid, gid, groups } = await describe(caller, name);
    const [user, group] = ["-u", "-g"].map((option) => idOf(option, owner));
    expect(JSON.stringify([uid, gid]), wordsOf(JSON.stringify([ids(user), ids(group)])));
    const all = spawnSync("id", ["-G", owner], { encoding: "utf8" }).stdout.trim().split(" ");
    expect(JSON.stringify(groups.map(String)), wordsOf(JSON.stringify(all.sort())));
    const told = await call(caller, driver, "GetConnectionUnixUser", `'${prefix}.${name}'`);
    expect(told, new RegExp(`uint32 ${user}\\b`));
  });
}

await testCase("it finds the bus in its environment, and nothing else", async () => {
  const { environment, words: found } = await describe(nobody, "Nobody");
  expect(environment.DBUS_STARTER_BUS_TYPE, /^system$/);
  expect(environment.DBUS_STARTER_ADDRESS, /^unix:path=(\/var)?\/run\/dbus\/system_bus_socket/);
  expect(Object.keys(environment).sort().join(" "), /^DBUS_STARTER_ADDRESS DBUS_STARTER_BUS_TYPE$/);
  expect(JSON.stringify(found), wordsOf(JSON.stringify([`${prefix}.Nobody`, "two words"])));
});

await testCase("a service that has ended is started again", async () => {
  const before = await processOf("Nobody");
  await call(nobody, `${prefix}.Nobody`, "Quit");
  await gone(`${prefix}.Nobody`);
  await describe(0, "Nobody");
  expect(String((await processOf("Nobody")) !== before), /true/);
});

await testCase("not even root changes the environment of services", async () => {
  const update = refusal(0, driver, "UpdateActivationEnvironment", "{'A': 'b'}");
  expect(await update, /AccessDenied/);
});

for (const [name, error, text] of [
  ["NoUser", "Spawn.FileInvalid", "Cannot do system-bus activation with no user"],
  ["NoSuchUser", "Spawn.FailedToSetup", "Failed to setup environment correctly"],
  ["NoProgram", "Spawn.ExecFailed", "Cannot launch daemon, file not found or permissions invalid"],
  ["Quotes", "InvalidArgs", "Invalid arguments to command line"],
  ["Failing", "Spawn.ChildExited", "Launch helper exited with unknown return code 42"],
  ["Signaled", "Spawn.ChildSignaled", `Process ${prefix}.Signaled received signal 9`],
  ["Misnamed", "Spawn.ServiceNotFound", "Bus name not found in system service directory"],
  [
    "Idle",
    "TimedOut",
    `Failed to activate service '${prefix}.Idle': timed out (service_start_timeout=${startTimeoutMs}ms)`,
  ],
]) {
  await testCase(`a call to ${name} fails: ${error}`, async () => {
    const told = await refusal(nobody, `${prefix}.${name}`, "Describe");
    expect(told, wordsOf(`${driver}.Error.${error}: ${text}`));
  });
}

await testCase("nobody starts what he may not call", async () => {
  expect(await refusal(nobody, `${prefix}.Secret`, "Describe"), /AccessDenied/);
});
await testCase("nobody takes a name that is not his", async () => {
  const taken = refusal(nobody, driver, "RequestName", `'${prefix}.Root2'`, "0");
  expect(await taken, /AccessDenied.*is not allowed to own the service/);
});
await testCase("nobody speaks for systemd", async () => {
  const words = ["--system", "--print-reply", `--dest=${driver}`, driverPath];
  const told = await failed(nobody, "dbus-send", ...words, "org.freedesktop.systemd1.Activator.X");
  expect(told, /AccessDenied/);
});

await testCase("pkcheck starts polkitd by the bus, which becomes a user of its own", async () => {
  expect(await call(0, driver, "NameHasOwner", `'${polkit}'`), /false/);
  await run("pkcheck", "--action-id", action, "--process", String(process.pid));
  const told = await call(nobody, driver, "GetConnectionUnixUser", `'${polkit}'`);
  expect(told, new RegExp(`uint32 ${idOf("-u", "polkitd")}\\b`));
});

await testCase("polkitd tells users apart by what the bus says of them", async () => {
  const script = `pkcheck --action-id ${action} --process $$`;
  expect(await failed(nobody, "/bin/sh", "-c", script), /requires authentication/);
});

await testCase("polkitd lists its actions to anybody", async () => {
  const actions = await run("setpriv", ...as(nobody), "pkaction");
  expect(actions, new RegExp(`^${action.replaceAll(".", "\\.")}$`, "m"));
});

await testCase("busctl sees who is there and who could be", async () => {
  const list = await run("busctl", "--system", "list", "--no-pager");
  expect(list, /^org\.freedesktop\.PolicyKit1\s+\d+\s+polkitd\s+polkitd\s/m);
  expect(list, /^org\.example\.onehop\.Idle\s+-\s.*\(activatable\)/m);
});

await testCase("the bus ends well when it is asked to", async () => {
  const ended = once(bus.child, "exit");
  bus.child.kill("SIGTERM");
  const [status] = await ended;
  expect(String(status), /^0$/);
});

if (process.env.ONEHOP_SESSION_VERBOSE) console.log(bus.stderr);
// What the bus has started holds its output, and goes when these namespaces go.
process.exit();

function writeService(name, exec, more = "", file = name) {
  writeFileSync(
    `/usr/local/share/dbus-1/system-services/${prefix}.${file}.service`,
    `[D-BUS Service]\nName=${prefix}.${name}\nExec=${exec}\n${more}\n`,
  );
}

async function gone(name) {
  while ((await call(0, driver, "NameHasOwner", `'${name}'`)).includes("true"));
}

async function processOf(name) {
  return call(0, driver, "GetConnectionUnixProcessID", `'${prefix}.${name}'`);
}

async function describe(user, name) {
  const [, json] = /^\('(.*)',\)$/s.exec(await call(user, `${prefix}.${name}`, "Describe")) ?? [];
  return JSON.parse(json);
}

/** Calls a method as a user, by gdbus(1); the answer as that prints it. */
function call(user, destination, member, ...values) {
  return run("setpriv", ...as(user), "gdbus", ...callWords(destination, member, values));
}

/** The same for a call that is to fail: what was told. */
function refusal(user, destination, member, ...values) {
  return failed(user, "gdbus", ...callWords(destination, member, values));
}

function callWords(destination, member, values) {
  const isDriver = destination === driver;
  const [at, of] = isDriver ? [driverPath, driver] : [path, `${prefix}.System`];
  const to = ["call", "--system", "--dest", destination, "--object-path", at];
  return [...to, "--method", `${of}.${member}`, ...values];
}

async function failed(user, command, ...words) {
  const done = await run("setpriv", ...as(user), command, ...words).then(
    (text) => ({ text, isOver: true }),
    (error) => ({ text: error.message, isOver: false }),
  );
  if (done.isOver) throw new Error(`it did not fail: ${done.text}`);
  return done.text;
}

function as(user) {
  return [`--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
}

function idOf(option, user) {
  return Number(spawnSync("id", [option, user], { encoding: "utf8" }).stdout);
}

/** Real, effective and saved. */
function ids(id) {
  return [id, id, id];
}

function wordsOf(text) {
  return new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
}

async function testCase(sentence, check) {
  try {
    await check();
    console.log(`✓ ${sentence}`);
  } catch (error) {
    console.log(`✗ ${sentence}\n    ${error.message.trim().replaceAll("\n", "\n    ")}`);
  }
}

function expect(text, pattern) {
  if (!pattern.test(text ?? "")) throw new Error(`${JSON.stringify(text)} is not ${pattern}`);
}
