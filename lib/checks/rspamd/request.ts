// The request of rspamd's own protocol: POST /checkv2, what is known of the message as header fields, and the message as the
// body. Pure.
//
// Addresses stand there without brackets, the null sender as `<>`. What is not known is left out. A value is a stranger's
// text: what could end it becomes "?". rspamd takes at most 80 KiB of header, so recipients beyond that are left out.

import { bytesOf, concat } from "../../text/octets.ts";

export interface RequestFacts {
  readonly sender: string | undefined;
  readonly recipients: readonly string[];
  readonly address: string | undefined;
  /** The client's name, HELO and queue id, as XFORWARD has told them. */
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
  /** All that stands before the body. */
  readonly octets: Uint8Array;
  /** Recipients that had no room. */
  readonly leftOut: number;
}

const RECIPIENTS_LIMIT = 65_536;

// An address has 2048 octets at most, since a command line has no more. XFORWARD values have no bound of their own.
const VALUE_LIMIT = 2048;

export function formatRequest(facts: RequestFacts, { password, size }: RequestOptions): Request {
  const { sender, recipients, address, name, helo, ident } = facts;
  const head = [
    "POST /checkv2 HTTP/1.1\r\n",
    // RFC 9112 s.3.2 wants one. rspamd has no virtual hosts.
    field("Host", "rspamd"),
    field("User-Agent", "postprox"),
    field("Content-Type", "message/rfc822"),
    field("Content-Length", String(size)),
    // The values of header fields are then folded for a milter, and so with LF alone.
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
