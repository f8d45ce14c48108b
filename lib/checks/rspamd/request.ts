// The request of rspamd's own protocol: POST /checkv2. Header fields hold the facts about the message, and the body is
// the message. Pure.
//
// Addresses have no brackets. The null sender is `<>`. Unknown facts are left out. A value is a stranger's text, so
// octets that could end it become "?". rspamd takes at most 80 KiB of header, so recipients beyond that are left out.

import { bytesOf, concat } from "../../text/octets.ts";

export interface RequestFacts {
  readonly sender: string | undefined;
  readonly recipients: readonly string[];
  readonly address: string | undefined;
  /** The client's name, HELO and queue id, from XFORWARD. */
  readonly name?: string | undefined;
  readonly helo?: string | undefined;
  readonly ident?: string | undefined;
}

export interface RequestOptions {
  readonly password: string | undefined;
  /** Octets of the body. */
  readonly size: number;
}

export interface Request {
  /** Everything before the body. */
  readonly octets: Uint8Array;
  /** How many recipients had no room. */
  readonly leftOut: number;
}

const RECIPIENTS_LIMIT = 65_536;

// An address has at most 2048 octets, because a command line has no more. XFORWARD values have no limit of their own.
const VALUE_LIMIT = 2048;

export function formatRequest(facts: RequestFacts, { password, size }: RequestOptions): Request {
  const { sender, recipients, address, name, helo, ident } = facts;
  const head = [
    "POST /checkv2 HTTP/1.1\r\n",
    // RFC 9112 s.3.2 requires it. rspamd has no virtual hosts.
    field("Host", "rspamd"),
    field("User-Agent", "postprox"),
    field("Content-Type", "message/rfc822"),
    field("Content-Length", String(size)),
    // rspamd then folds the values of header fields for a milter: with LF alone.
    field("Flags", "milter"),
    field("Password", password),
    field("IP", address),
    field("Helo", helo),
    field("Hostname", name),
    field("From", sender === "" ? "<>" : sender),
    field("Queue-Id", ident),
  ];
  const parts = [bytesOf(head.join(""))];
  let room = RECIPIENTS_LIMIT;
  let leftOut = 0;
  for (const recipient of recipients) {
    const octets = bytesOf(field("Rcpt", recipient));
    if (octets.length > room) {
      leftOut++;
      continue;
    }
    room -= octets.length;
    parts.push(octets);
  }
  parts.push(bytesOf("\r\n"));
  return { octets: concat(parts), leftOut };
}

function field(name: string, value: string | undefined): string {
  if (value === undefined) return "";
  return `${name}: ${value.slice(0, VALUE_LIMIT).replace(/\p{Cc}/gu, "?")}\r\n`;
}
