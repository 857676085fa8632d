/** What a connection needs of either side's authentication: bytes in, bytes out. */

import type { Memory } from "../../wire/memory.ts";
import { isGuid } from "../guid.ts";
import type { Cookie, CookieRequest } from "./cookie.ts";
import { quoted } from "./line.ts";

export interface Handshake {
  /** What follows is messages. */
  readonly isDone: boolean;
  readonly descriptorsNegotiated: boolean;
  /** Why it failed, fit for a log; "" as long as it has not. */
  readonly failure: string;
  /** Without this cookie it does not go on: nothing is read until `proceed`. null: it does. */
  readonly cookieRequest: CookieRequest | null;
  /** What has to be sent to the other side since the last call: ASCII, or "" for nothing. */
  takeReply(): string;
  /**
   * Takes the bytes [offset, end) and returns how many it consumed; fewer if the handshake is over
   * before the end or needs a cookie. -1: it failed.
   */
  receive(memory: Memory, offset: number, end: number): number;
  /** The cookie that was asked for, or in words why there is none. */
  proceed(found: Cookie | string): void;
}

/** The client's side. */
export interface ClientHandshake extends Handshake {
  /** The server's GUID in lower case, or "" as long as it is not known. */
  readonly guid: string;
  /** May messages be sent before it is done? */
  readonly isAllSaid: boolean;
  /** The mechanisms that a server named when it rejected us for good; null if it did not. */
  readonly offer: readonly string[] | null;
}

/** What is wrong with the GUID that a server told with OK; null if it is one that is wanted. */
export function objectionToGuid(told: string, expectedGuid: string | null): string | null {
  if (!isGuid(told)) return `the server's GUID is ${quoted(told)}`;
  const guid = told.toLowerCase();
  if (expectedGuid === null || guid === expectedGuid.toLowerCase()) return null;
  return `the server has GUID ${guid}, its address says ${expectedGuid}`;
}
