/** The cookies in a home: made, shared, aged, locked; and what somebody may have put there instead. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import type { Cookie, CookieRequest } from "../../transport/authentication/cookie.ts";
import { Keyring, type KeyringOptions } from "../../transport/keyring.ts";
import { openDescriptors, openedSince } from "../support/descriptors.ts";
import { inScratch } from "./scratch.ts";

const CONTEXT = "org_freedesktop_general";
const NOW = 1_800_000_000;
const SECRET = "ab".repeat(24);
const FRESH: CookieRequest = { context: CONTEXT, id: null, user: null };
const isRoot = process.geteuid?.() === 0;

/** A home, its keyrings and what was logged. */
class Home {
  readonly path: string;
  readonly log: string[] = [];
  now = NOW;

  constructor(path: string) {
    this.path = path;
  }

  get directory(): string {
    return join(this.path, ".dbus-keyrings");
  }

  get file(): string {
    return join(this.directory, CONTEXT);
  }

  get lock(): string {
    return `${this.file}.lock`;
  }

  get text(): string {
    return readFileSync(this.file, "utf8");
  }

  get lines(): string[][] {
    return this.text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" "));
  }

  /** What another server has left here: cookies by id and age in seconds. */
  fill(cookies: Readonly<Record<number, number>>): void {
    mkdirSync(this.directory, { mode: 0o700 });
    const lines = Object.entries(cookies).map(([id, age]) => `${id} ${NOW - age} ${SECRET}\n`);
    writeFileSync(this.file, lines.join(""), { mode: 0o600 });
  }

  keyring(options: KeyringOptions = {}): Keyring {
    return new Keyring({
      home: () => this.path,
      now: () => this.now,
      log: (line) => this.log.push(line.replaceAll(this.path, "HOME")),
      wait: () => Promise.reject(new Error("nobody holds the lock")),
      ...options,
    });
  }

  find(
    request: Partial<CookieRequest> = {},
    options: KeyringOptions = {},
  ): Promise<Cookie | string> {
    return findIn(this.keyring(options), request);
  }
}

function findIn(keyring: Keyring, request: Partial<CookieRequest> = {}): Promise<Cookie | string> {
  return new Promise((resolve) => keyring.find({ ...FRESH, ...request }, resolve));
}

async function idOf(found: Promise<Cookie | string>): Promise<number | string> {
  const cookie = await found;
  return typeof cookie === "string" ? cookie : cookie.id;
}

function inHome(body: (home: Home) => Promise<void>): Promise<void> {
  return inScratch(async (directory) => {
    const before = openDescriptors();
    await body(new Home(directory));
    expect(openedSince(before)).toEqual([]);
  });
}

test("the first cookie makes a directory and a file that only we can read", async () => {
  await inHome(async (home) => {
    const umask = process.umask(0);
    const cookie = await home.find();
    process.umask(umask);
    if (typeof cookie === "string") throw new Error(cookie);
    expect(statSync(home.directory).mode & 0o777).toBe(0o700);
    expect(statSync(home.file).mode & 0o777).toBe(0o600);
    expect(readdirSync(home.directory)).toEqual([CONTEXT]);
    const [[id, seconds, secret] = []] = home.lines;
    expect([Number(id), Number(seconds)]).toEqual([cookie.id, NOW]);
    expect(secret).toMatch(/^[0-9a-f]{48}$/);
    expect(cookie.userId).toBe(process.geteuid?.());
    const expected = createHash("sha1")
      .update(`server:\xffclient:${secret}`, "latin1")
      .digest("hex");
    expect(cookie.proofOf("server", "\xffclient")).toBe(expected);
    expect(home.log).toEqual([]);
  });
});

test.each<
  [what: string, cookies: Record<number, number>, ids: (number | "new")[], used: number | "new"]
>([
  ["a cookie of this minute is used again", { 7: 0 }, [7], 7],
  ["so is one that is nearly five minutes old", { 7: 299 }, [7], 7],
  [
    "after five minutes there is a new one, and clients may still use the old one",
    { 7: 301 },
    [7, "new"],
    "new",
  ],
  ["nearly until it is seven minutes old", { 7: 419 }, [7, "new"], "new"],
  ["then it is deleted", { 7: 421 }, ["new"], "new"],
  ["a clock may be five minutes ahead", { 7: -299 }, [7], 7],
  ["but not more", { 7: -301 }, ["new"], "new"],
  ["the first fresh one of a file is used", { 3: 310, 7: 10, 8: 5 }, [3, 7, 8], 7],
])("%s", async (_, cookies, ids, used) => {
  await inHome(async (home) => {
    home.fill(cookies);
    const id = await idOf(home.find());
    const left = home.lines.map(([each]) => Number(each));
    expect(left.map((each) => (each in cookies ? each : "new"))).toEqual(ids);
    expect(left).toContain(id);
    expect(Number(id) in cookies ? id : "new").toBe(used);
  });
});

test("lines that are no cookies are skipped, and go when the file is written again", async () => {
  await inHome(async (home) => {
    home.fill({ 7: 310 });
    const bad = [
      "",
      "#",
      "x 1 ab",
      `-1 ${NOW} ab`,
      `9 ${NOW} zz`,
      `9 ${NOW} abc`,
      `9 ${NOW} `,
      "9",
    ];
    const many = `99999999999 ${NOW} ab\n9 ${NOW} ab trailing\n 9 ${NOW} ab\n`;
    writeFileSync(home.file, `${bad.join("\n")}\n${many}${home.text}`);
    await home.find();
    expect(home.lines.map(([id]) => id)).toEqual(["7", expect.any(String)]);
  });
});

test("a full file loses its first cookie", async () => {
  await inHome(async (home) => {
    home.fill(Object.fromEntries(Array.from({ length: 300 }, (_, id) => [id, 310])));
    const id = await idOf(home.find());
    expect(home.lines.map(([each]) => Number(each))).toEqual([
      ...Array.from({ length: 255 }, (_, index) => index + 1),
      id,
    ]);
  });
});

test("any number of peers at a time cost one look, and get one cookie", async () => {
  await inHome(async (home) => {
    let looks = 0;
    const keyring = home.keyring({
      home: () => {
        looks++;
        return home.path;
      },
    });
    const found = await Promise.all(Array.from({ length: 500 }, () => idOf(findIn(keyring))));
    expect(new Set(found).size).toBe(1);
    expect([looks, home.lines.length]).toEqual([1, 1]);
    expect(await idOf(findIn(keyring))).toBe(found[0]);
    expect(looks).toBe(2);
  });
});

test("a lock is waited for, and what its holder wrote is used", async () => {
  await inHome(async (home) => {
    home.fill({ 7: 310 });
    writeFileSync(home.lock, "");
    const waits: number[] = [];
    const wait = async (ms: number): Promise<void> => {
      waits.push(ms);
      if (waits.length < 3) return;
      writeFileSync(home.file, `8 ${NOW} ${SECRET}\n`);
      execFileSync("rm", [home.lock]);
    };
    expect(await idOf(home.find({}, { wait }))).toBe(8);
    expect(waits).toEqual([250, 250, 250]);
    expect(existsSync(home.lock)).toBe(false);
    expect(home.log).toEqual([]);
  });
});

test("a lock that somebody left behind is removed after eight seconds, and the log says so", async () => {
  await inHome(async (home) => {
    home.fill({});
    symlinkSync("/nonexistent", home.lock);
    let waitedMs = 0;
    const wait = async (ms: number): Promise<void> => {
      waitedMs += ms;
    };
    expect(typeof (await idOf(home.find({}, { wait })))).toBe("number");
    expect(waitedMs).toBe(8000);
    expect(readdirSync(home.directory)).toEqual([CONTEXT]);
    expect(home.log).toEqual([`HOME/.dbus-keyrings/${CONTEXT}.lock was left behind: removed`]);
  });
});

test("a cookie that is fresh needs no lock", async () => {
  await inHome(async (home) => {
    home.fill({ 7: 0 });
    writeFileSync(home.lock, "");
    expect(await idOf(home.find())).toBe(7);
    expect(existsSync(home.lock)).toBe(true);
  });
});

test("a client finds the cookie that the server has named, and makes nothing", async () => {
  await inHome(async (home) => {
    expect(await home.find({ id: 7 })).toContain("ENOENT");
    expect(existsSync(home.directory)).toBe(false);
    home.fill({ 7: 400, 8: 430 });
    expect(await idOf(home.find({ id: 7 }))).toBe(7);
    expect(await home.find({ id: 8 })).toBe(`there is no cookie 8 in the keyring ${CONTEXT}`);
    expect(await home.find({ id: 7, context: "other" })).toContain("no cookie 7");
    expect(home.lines).toHaveLength(2);
    expect(home.log).toEqual([]);
  });
});

test("only our own user has cookies here, by number or by name", async () => {
  await inHome(async (home) => {
    const uid = process.geteuid?.() ?? 0;
    for (const user of [`${uid}`, `0x${uid.toString(16)}`, userInfo().username]) {
      expect(typeof (await idOf(home.find({ user })))).toBe("number");
    }
    for (const user of [`${uid + 1}`, "nobody-of-that-name", "", "\xff", `${uid} `, "../root"]) {
      expect(await home.find({ user })).toBe("only the user that runs the bus has cookies here");
    }
  });
});

/** What may be in the place of the directory or the file, and the reason for refusing it. */
const HOSTILE: readonly [what: string, prepare: (home: Home) => void, reason: string][] = [
  [
    "a directory that others can list",
    (home) => {
      home.fill({ 7: 0 });
      chmodSync(home.directory, 0o750);
    },
    "HOME/.dbus-keyrings is open to others (mode 750)",
  ],
  [
    "a directory that others can write",
    (home) => {
      home.fill({ 7: 0 });
      chmodSync(home.directory, 0o702);
    },
    "HOME/.dbus-keyrings is open to others (mode 702)",
  ],
  [
    "a file that others can read, in a directory that they can pass through",
    (home) => {
      home.fill({ 7: 0 });
      chmodSync(home.directory, 0o711);
      chmodSync(home.file, 0o644);
    },
    `HOME/.dbus-keyrings/${CONTEXT} is open to others (mode 644)`,
  ],
  [
    "a link in the place of the directory",
    (home) => {
      mkdirSync(join(home.path, "elsewhere"), { mode: 0o700 });
      symlinkSync(join(home.path, "elsewhere"), home.directory);
    },
    "HOME/.dbus-keyrings cannot be opened: it is no directory, and links are not followed",
  ],
  [
    "a file in the place of the directory",
    (home) => writeFileSync(home.directory, ""),
    "HOME/.dbus-keyrings cannot be opened: it is no directory, and links are not followed",
  ],
  [
    "a link in the place of the file",
    (home) => {
      home.fill({});
      execFileSync("rm", [home.file]);
      symlinkSync("/etc/passwd", home.file);
    },
    `HOME/.dbus-keyrings/${CONTEXT} cannot be opened: ELOOP`,
  ],
  [
    "a FIFO in the place of the file",
    (home) => {
      mkdirSync(home.directory, { mode: 0o700 });
      execFileSync("mkfifo", [home.file]);
    },
    `HOME/.dbus-keyrings/${CONTEXT} is no regular file`,
  ],
  [
    "a directory in the place of the file",
    (home) => mkdirSync(home.file, { recursive: true, mode: 0o700 }),
    `HOME/.dbus-keyrings/${CONTEXT} is no regular file`,
  ],
  [
    "a file without an end",
    (home) => {
      home.fill({});
      execFileSync("truncate", ["-s", "1T", home.file]);
    },
    `HOME/.dbus-keyrings/${CONTEXT} has more than 65536 bytes`,
  ],
  [
    "no home",
    (home) => execFileSync("rmdir", [home.path]),
    "HOME/.dbus-keyrings cannot be made: ENOENT",
  ],
];

test.each(HOSTILE)("%s is refused, and the log says so once", async (_, prepare, reason) => {
  await inHome(async (home) => {
    prepare(home);
    const keyring = home.keyring();
    const answers = [await findIn(keyring), await findIn(keyring)];
    expect(answers.map((answer) => String(answer).replaceAll(home.path, "HOME"))).toEqual([
      reason,
      reason,
    ]);
    expect(home.log).toEqual([reason]);
    if (!existsSync(home.path)) mkdirSync(home.path);
  });
});

test("a home that is no absolute path is none", async () => {
  const found = await findIn(new Keyring({ home: () => "." }));
  expect(found).toBe('our home "." is no absolute path');
});

test("what belongs to others is refused", async () => {
  if (!isRoot) return notRun("only root can give files away");
  await inHome(async (home) => {
    home.fill({ 7: 0 });
    chownSync(home.file, 1000, 1000);
    expect(await home.find()).toContain("belongs to user 1000");
    chownSync(home.directory, 1000, 1000);
    expect(await home.find()).toContain(".dbus-keyrings belongs to user 1000");
  });
});

test("a context leads nowhere but into the directory's own files", async () => {
  await inHome(async (home) => {
    home.fill({});
    writeFileSync(join(home.path, "outside"), `7 ${NOW} ${SECRET}\n`);
    for (const context of ["../outside", "..", ".", "", "a/b", "a b", "\xe9", "a\0"]) {
      expect(await home.find({ id: 7, context })).toBe("that is no name of a keyring");
    }
  });
});

function notRun(reason: string): void {
  process.stderr.write(`not run: ${expect.getState().currentTestName}: ${reason}\n`);
}
