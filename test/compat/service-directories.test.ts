/** Where service files are looked for, and the one directory that is made. */

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Configuration } from "../../compat/dbus-daemon/configuration.ts";
import {
  createTransientDirectory,
  transientServiceDirectory,
  withTransientDirectory,
} from "../../compat/dbus-daemon/service-directories.ts";
import { ConfigurationFolder, configurationOf } from "./configuration-folder.ts";
import { testWithProgram } from "./programs.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onehop-services-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the transient directory is created, private, below the runtime directory", () => {
  const path = transientServiceDirectory({ XDG_RUNTIME_DIR: folder }) ?? "";
  expect(createTransientDirectory(path)).toBeNull();
  expect(createTransientDirectory(path)).toBeNull();
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(transientServiceDirectory({})).toBeNull();
});

test("a transient directory that others could write is not used", () => {
  const runtime = join(folder, "open");
  mkdirSync(runtime);
  symlinkSync(folder, join(folder, "link"));
  expect(createTransientDirectory(join(folder, "link/dbus-1/services"))).toMatch(/not a directory/);
  mkdirSync(join(runtime, "dbus-1"));
  chmodSync(join(runtime, "dbus-1"), 0o777);
  expect(createTransientDirectory(join(runtime, "dbus-1/services"))).toMatch(/by others/);
});

test("a transient directory that is not used is not looked through either", () => {
  const configuration = new ConfigurationFolder();
  const loaded = (runtime: string): Configuration =>
    configurationOf(
      configuration.load(
        "<listen>unix:path=/x</listen><standard_session_servicedirs/>",
        {},
        {},
        { XDG_RUNTIME_DIR: runtime },
      ),
    );
  const transient = join(folder, "dbus-1/services");
  const paths = (from: Configuration): string[] => from.serviceDirectories.map(({ path }) => path);
  const good = withTransientDirectory(loaded(folder));
  expect(good.problem).toBeNull();
  expect(paths(good.configuration)[0]).toBe(transient);
  chmodSync(transient, 0o777);
  const bad = withTransientDirectory(loaded(folder));
  expect(bad.problem).toMatch(/by others/);
  expect(paths(bad.configuration)).not.toContain(transient);
  configuration.remove();
});

const home = join(userInfo().homedir, ".local/share/dbus-1/services");
const shared = "/usr/share/dbus-1/services";

test.each<[Readonly<Record<string, string>>, readonly string[]]>([
  [{ HOME: "/not/asked" }, [home, "/usr/local/share/dbus-1/services", shared]],
  [{ XDG_DATA_HOME: "", XDG_DATA_DIRS: "" }, [shared]],
  [
    { XDG_DATA_HOME: "/h", XDG_DATA_DIRS: "/a::/b/: /c \n:/usr/share:/d" },
    ["/h", "/a", "/b", "/c", "/usr/share", "/d"].map((path) => `${path}/dbus-1/services`),
  ],
  [
    { XDG_DATA_HOME: "/h:/i", XDG_DATA_DIRS: "/a" },
    ["/h", "/i", "/a", "/usr/share"].map((path) => `${path}/dbus-1/services`),
  ],
])("directories of a session with %j", (environment, expected) => {
  expect(directoriesOf("standard_session_servicedirs", environment)).toEqual(expected);
});

testWithProgram("strace", "they are those that dbus-daemon opens, in its order", () => {
  const environments = [{ XDG_DATA_HOME: "/h", XDG_DATA_DIRS: "/a::/b/: /c " }, { HOME: "/h" }];
  for (const kind of ["session", "system"]) {
    for (const environment of environments) {
      const element = `standard_${kind}_servicedirs`;
      const opened = openedByDbusDaemon(element, environment);
      expect(directoriesOf(element, environment)).toEqual(opened);
    }
  }
});

/** What our reader makes of one element. */
function directoriesOf(element: string, environment: Readonly<Record<string, string>>): string[] {
  const configuration = new ConfigurationFolder();
  const result = configuration.load(
    `<listen>unix:path=/x</listen><${element}/>`,
    {},
    {},
    environment,
  );
  configuration.remove();
  return configurationOf(result).serviceDirectories.map(({ path }) => path);
}

/** It is told to end when it has read everything: its process id cannot be written. */
function openedByDbusDaemon(
  element: string,
  environment: Readonly<Record<string, string>>,
): string[] {
  const [file, trace] = ["a.conf", "trace"].map((name) => join(folder, name));
  const contents = `<listen>unix:path=${folder}/bus</listen><${element}/>`;
  writeFileSync(String(file), `<busconfig>${contents}</busconfig>`);
  spawnSync(
    "strace",
    [
      ...["-e", "trace=openat", "-o", String(trace), "dbus-daemon", "--nofork"],
      ...["--print-pid=77", `--config-file=${file}`],
    ],
    { env: { PATH: process.env["PATH"], ...environment } },
  );
  const found = readFileSync(String(trace), "utf8").matchAll(
    /"([^"]*\/dbus-1\/(?:system-)?services)"/g,
  );
  return [...found].map(([, path = ""]) => path);
}
