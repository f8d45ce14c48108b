// A row of the hostile corpus. Text is binary: one character is one octet.
//
// A row is played after the greeting and EHLO, unless it says otherwise. If the client's mail goes into more than one
// message, addresses hold the word TAG. The player replaces it with seven characters of its own, and so finds its
// messages again. A smuggled message, which must never exist, has `smuggled` in its addresses.

import type { Script } from "../rig/server.ts";

/** Seven characters, so that a tag of the same length leaves the offsets of a row as they are. */
export const TAG = "rowTAG0";

export const SENDER = `${TAG}@elsewhere.example`;
/** A mailbox of the end-to-end tests' Postfix. */
export const RECIPIENT = `alice+${TAG}@e2e.example`;

export const GROUPS = [
  "end of data",
  "start and end of the content",
  "dots",
  "commands",
  "hidden extensions",
  "replies",
] as const;
export type Group = typeof GROUPS[number];

/** A number is a reply of one or more lines with that code; a text is a whole reply, without its last CRLF. */
export type Heard = number | string;

export interface Row {
  readonly group: Group;
  readonly name: string;
  /** Commands that are said one by one first, each with the code of its reply. */
  readonly opening: readonly (readonly [command: string, code: number])[];
  /** The client's next text, in one packet or in several. */
  readonly says: string;
  /** Where the packets of `says` are cut: from this offset to that one. */
  readonly cut: readonly [from: number, to: number];
  /** The replies that the client hears to that. */
  readonly hears: readonly Heard[];
  /** The proxy then ends the conversation. */
  readonly closes?: true;
  /** Command lines that reach downstream after EHLO. */
  readonly lines: readonly string[];
  /** Messages that reach downstream, decoded. */
  readonly messages: readonly string[];
  /** The behaviour of the fake downstream server. A row that has this is for no real server. */
  readonly script?: Script;
  /** The row begins before the greeting, and `hears` with that. */
  readonly beforeGreeting?: true;
}
