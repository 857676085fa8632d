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
const portal = ["org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"];
const portalBackend = "org.freedesktop.impl.portal.desktop";
const portalStore = "org.freedesktop.impl.portal.PermissionStore";
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
  await changesUntil(watcher.says(new RegExp(`${key}: (true|false)`)));
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

await testCase("the portal is started by the bus, and starts what it needs", async () => {
  expect(await call(driver, "NameHasOwner", portal[0]), /false/);
  const settings = await call([...portal, "org.freedesktop.portal.Settings"], "ReadAll", "[]");
  expect(settings, new RegExp(`'${schema}': {.*'${key}': <(true|false)>`));
  for (const name of [portal[0], portalStore, `${portalBackend}.gtk`]) {
    expect(await call(driver, "NameHasOwner", name), /true/);
  }
});

await testCase("the portal reads a setting, and tells of its change", async () => {
  const settings = [...portal, "org.freedesktop.portal.Settings"];
  const monitor = start("gdbus", "monitor", "--session", "--dest", portal[0]);
  await monitor.says(/is owned by/);
  const news = new RegExp(`SettingChanged \\('${schema}', '${key}', <(true|false)>\\)`);
  await changesUntil(monitor.says(news));
  for (const value of [true, false]) {
    await run("gsettings", "set", schema, key, String(value));
    expect(await call(settings, "Read", schema, key), new RegExp(`<<${value}>>`));
  }
});

await testCase("a notification for the portal reaches the notification daemon", async () => {
  const rule = "type='method_call',interface='org.freedesktop.Notifications',member='Notify'";
  const monitor = start("dbus-monitor", "--session", rule);
  await monitor.says(/member=NameLost/);
  const content = "{'title': <'from the portal'>, 'body': <'with a body'>}";
  const notification = [...portal, "org.freedesktop.portal.Notification"];
  await call(notification, "AddNotification", "an-id", content);
  await monitor.says(/string "from the portal"\s+string "with a body"/);
});

await testCase("the portal's methods are found by introspection", async () => {
  const xml = await call([...portal, "org.freedesktop.DBus.Introspectable"], "Introspect");
  expect(xml, /interface name="org\.freedesktop\.portal\.FileChooser"/);
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

/** Changes the setting again and again: who watches it does not say when it has begun to. */
async function changesUntil(told) {
  let isTold = false;
  told.finally(() => (isTold = true)).catch(() => {});
  for (let value = true; !isTold; value = !value) {
    await run("gsettings", "set", schema, key, String(value));
  }
  await told;
}

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
