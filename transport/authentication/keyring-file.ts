/**
 * The text of a keyring file: a line "id seconds secret" for each cookie, secrets in hexadecimal.
 *
 * https://dbus.freedesktop.org/doc/dbus-specification.html#auth-mechanisms-sha
 */

/** A cookie as it is written down. */
export interface StoredCookie {
  readonly id: number;
  /** Since 1970. */
  readonly createdSeconds: number;
  /** Hexadecimal digits in the case in which they are written; they are what is hashed. */
  readonly secret: string;
}

/** For this long servers challenge with a cookie; then they make a new one. */
export const FRESH_SECONDS: number = 5 * 60;
/** For this long a client may still answer with it: two minutes more, for who is slow. */
export const USABLE_SECONDS: number = FRESH_SECONDS + 2 * 60;
/** How far ahead another clock that writes to the same home may be. */
export const FUTURE_SECONDS: number = 5 * 60;
/** Cookies that count of one file, as in libdbus. */
export const MAX_COOKIES: number = 256;

const LINE = /^([0-9]{1,10})[ \t]+([0-9]{1,15})[ \t]+((?:[0-9a-fA-F]{2})+)$/;
const MAX_ID = 0x7fff_ffff;

/**
 * The cookies of a file that are neither too old nor from too far ahead, in its order. Lines that are
 * none, and a second one with the same id, do not count.
 */
export function parseKeyring(text: string, nowSeconds: number): StoredCookie[] {
  const cookies = new Map<number, StoredCookie>();
  for (const line of text.split("\n")) {
    const [, idText, secondsText, secret] = LINE.exec(line) ?? [];
    if (secret === undefined || cookies.size === MAX_COOKIES) continue;
    const id = Number(idText);
    const createdSeconds = Number(secondsText);
    const age = nowSeconds - createdSeconds;
    if (id > MAX_ID || age > USABLE_SECONDS || -age > FUTURE_SECONDS || cookies.has(id)) continue;
    cookies.set(id, { id, createdSeconds, secret });
  }
  return [...cookies.values()];
}

/** The first cookie that servers may challenge with, or null. */
export function freshCookie(
  cookies: readonly StoredCookie[],
  nowSeconds: number,
): StoredCookie | null {
  return cookies.find(({ createdSeconds }) => nowSeconds - createdSeconds <= FRESH_SECONDS) ?? null;
}

/** The text that `parseKeyring` reads. */
export function formatKeyring(cookies: readonly StoredCookie[]): string {
  return cookies
    .map(({ id, createdSeconds, secret }) => `${id} ${createdSeconds} ${secret}\n`)
    .join("");
}
