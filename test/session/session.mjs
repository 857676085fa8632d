/**
 * What a desktop's programs do on the day, in a session that has been started: run by `run.mjs`, with the bus in
 * DBUS_SESSION_BUS_ADDRESS and a display in DISPLAY. Prints a line that begins with ✓ or ✗ for each case.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { endAll, run, start } from "./processes.mjs";

const python = "/usr/bin/python3";
const application = join(import.meta.dirname, "application.py");
const accessible = join(import.meta.dirname, "accessible.py");
const applicationName = "org.example.onehop.Session";
const applicationPath = "/org/example/onehop/Session";
const driver = ["org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus"];
const [schema, key] = ["org.gnome.desktop.interface", "clock-show-seconds"];

await testCase("dconf can be activated and does not run before it is asked", async () => {
  expect(await call(driver, "ListActivatableNames"), /'ca\.desrt\.dconf'/);
  expect(await call(driver, "NameHasOwner", "ca.desrt.dconf"), /false/);
});

await testCase("gsettings starts dconf by the bus, which tells it whose it is", async () => {
  await run("gsettings", "set", schema, key, "true");
  const [processId] = /\d+(?=,)/.exec(
    await call(driver, "GetConnectionUnixProcessID", "ca.desrt.dconf"),
  );
  const environment = readFileSync(`/proc/${processId}/environ`, "utf8").split("\0");
  expect(environment.join(" "), /DBUS_STARTER_BUS_TYPE=session/);
  const address = process.env.DBUS_SESSION_BUS_ADDRESS;
  const starter = environment.find((pair) => pair.startsWith("DBUS_STARTER_ADDRESS="));
  expect(starter, new RegExp(`=${address.split(",")[0]}`));
});

await testCase("another process reads what was set", async () => {
  expect(await run("gsettings", "get", schema, key), /^true$/);
  await run("gsettings", "set", schema, key, "false");
  expect(await run("gsettings", "get", schema, key), /^false$/);
});

await testCase("a process that watches a setting is told of its change", async () => {
  const watcher = start("gsettings", "monitor", schema, key);
  const told = watcher.says(new RegExp(`${key}: (true|false)`));
  let isTold = false;
  told.finally(() => (isTold = true)).catch(() => {});
  // It does not say when it has begun to watch.
  for (let value = true; !isTold; value = !value) {
    await run("gsettings", "set", schema, key, String(value));
  }
  await told;
});

let notification = "";
await testCase("notify-send starts the notification daemon and gets a number", async () => {
  expect(await call(driver, "NameHasOwner", "org.freedesktop.Notifications"), /false/);
  notification = await run("notify-send", "--print-id", "the first", "body");
  expect(notification, /^[1-9]\d*$/);
  expect(await call(driver, "NameHasOwner", "org.freedesktop.Notifications"), /true/);
});

await testCase("a monitor sees a notification, and its answer", async () => {
  const rule = "type='method_call',interface='org.freedesktop.Notifications'";
  const monitor = start("dbus-monitor", "--session", rule, "type='method_return'");
  // Its unique name is gone when it has become a monitor.
  await monitor.says(/member=NameLost/);
  const number = await run("notify-send", "--print-id", "the second", "with a body");
  await monitor.says(/member=Notify\b[\s\S]*string "the second"\s+string "with a body"/);
  await monitor.says(new RegExp(`method return[^\n]*\\n\\s+uint32 ${number}\\b`));
});

await testCase("whoever sent a notification is told that it was closed", async () => {
  const sender = start("notify-send", "--print-id", "--wait", "the third");
  const [number] = await sender.says(/^\d+(?=\n)/);
  const notifications = ["org.freedesktop.Notifications", "/org/freedesktop/Notifications"];
  await call([...notifications, notifications[0]], "CloseNotification", number);
  const [status] = await sender.ended;
  expect(String(status), /^0$/);
});

let accessibilityAddress = "";
await testCase("the accessibility bus is started and tells its address", async () => {
  const answer = await call(["org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus"], "GetAddress");
  [accessibilityAddress = ""] = /unix:[^']+/.exec(answer) ?? [];
  const names = await run(
    "gdbus",
    ...["call", "--address", accessibilityAddress, "--dest", driver[0]],
    ...["--object-path", driver[1], "--method", `${driver[2]}.ListActivatableNames`],
  );
  expect(names, /'org\.a11y\.atspi\.Registry'/);
});

let first;
await testCase("a GTK program owns its name", async () => {
  first = start(python, application, applicationName);
  await first.says(/activated 1\n/);
  expect(await call(driver, "NameHasOwner", applicationName), /true/);
});

await testCase("the GTK program is in the tree of accessible objects", async () => {
  const way = await run(python, accessible, "a button of the session");
  expect(
    way,
    /application “[^”]+” \/ frame “a window of the session” \/ .*“a button of the session”/,
  );
});

await testCase("a second start of the program activates the first and ends", async () => {
  await run(python, application, applicationName);
  await first.says(/activated 2\n/);
});

await testCase("org.freedesktop.Application activates it", async () => {
  await call([applicationName, applicationPath, "org.freedesktop.Application"], "Activate", "{}");
  await first.says(/activated 3\n/);
});

await testCase("org.gtk.Actions lists its actions and runs them", async () => {
  const actions = [applicationName, applicationPath, "org.gtk.Actions"];
  expect(await call(actions, "List"), /'greet'/);
  await call(actions, "Activate", "greet", "[<'the bus'>]", "{}");
  await first.says(/greeted the bus\n/);
});

await testCase("it ends when it is asked to, and its name is free", async () => {
  await call([applicationName, applicationPath, "org.gtk.Actions"], "Activate", "quit", "[]", "{}");
  const [status] = await first.ended;
  expect(String(status), /^0$/);
  expect(await call(driver, "NameHasOwner", applicationName), /false/);
});

async function testCase(sentence, check) {
  try {
    await check();
    console.log(`✓ ${sentence}`);
  } catch (error) {
    console.log(`✗ ${sentence}\n    ${error.message.trim().replaceAll("\n", "\n    ")}`);
  }
}

/** Calls a method by gdbus(1); its answer as that prints it. */
function call([destination, path, interfaceName], member, ...values) {
  return run(
    "gdbus",
    ...["call", "--session", "--dest", destination, "--object-path", path],
    ...["--method", `${interfaceName}.${member}`, ...values],
  );
}

function expect(text, pattern) {
  if (!pattern.test(text ?? "")) throw new Error(`${JSON.stringify(text)} is not ${pattern}`);
}

await endAll();
