// XFORWARD: Postfix tells us about its own client (XFORWARD_README).
//
// The arguments are NAME=VALUE pairs. The values are xtext, and the names may be in any case. `[UNAVAILABLE]` and
// `[TEMPUNAVAIL]` mean that the value is not known, the second one that it may be known at another time. The attributes
// of a transaction may come in several commands, and the later command wins. The result has only attributes that we
// know. A control character in a value becomes "?", as in Postfix. Otherwise it could begin a new line in a reply, in
// the log, or in a filter's output.

import { decodeXtext } from "./xtext.ts";

/** The known facts about the client of our client. An absent value is not known. */
export interface ClientFacts {
  readonly name?: string;
  /** Our client has sent XFORWARD, even if only to say that nothing is known. */
  readonly told?: true;
  /**
   * Why there is no name: the client has none, or the DNS lookup failed. Absent if nobody said anything about the name.
   */
  readonly nameless?: "none" | "failed";
  /** Without the `IPv6:` before an IPv6 address. */
  readonly address?: string;
  readonly port?: string;
  readonly helo?: string;
  readonly proto?: string;
  readonly ident?: string;
  readonly source?: string;
}

const KEYS: Readonly<Record<string, Exclude<keyof ClientFacts, "told" | "nameless">>> = {
  NAME: "name",
  ADDR: "address",
  PORT: "port",
  HELO: "helo",
  PROTO: "proto",
  IDENT: "ident",
  SOURCE: "source",
};

// White space as Postfix defines it. Other blanks of Unicode are part of a value.
const BLANKS = /[\t-\r ]+/;

// C0, DEL and C1.
const CONTROL = /\p{Cc}/gu;

const NEVER = /^\[UNAVAILABLE\]$/i;
const NOT_NOW = /^\[TEMPUNAVAIL\]$/i;

/** Adds the attributes of one more XFORWARD command to `known`. `text` is what follows the verb. */
export function mergeXforward(known: ClientFacts, text: string): ClientFacts {
  const merged: { -readonly [key in keyof ClientFacts]: ClientFacts[key] } = { ...known };
  for (const word of text.split(BLANKS)) {
    const equals = word.indexOf("=");
    const key = KEYS[word.slice(0, Math.max(0, equals)).toUpperCase()];
    if (!key) continue;
    merged.told = true;
    const value = decodeXtext(word.slice(equals + 1)).replace(CONTROL, "?");
    const isKnown = value !== "" && !NEVER.test(value) && !NOT_NOW.test(value);
    if (key === "name") {
      delete merged.nameless;
      if (!isKnown) merged.nameless = NOT_NOW.test(value) ? "failed" : "none";
    }
    if (!isKnown) delete merged[key];
    else merged[key] = key === "address" ? value.replace(/^ipv6:/i, "") : value;
  }
  return merged;
}
