// XFORWARD: what Postfix tells of its own client (XFORWARD_README).
//
// The arguments are NAME=VALUE pairs, values in xtext, names in any case. `[UNAVAILABLE]` and `[TEMPUNAVAIL]` mean that
// the value is not known; the latter, that it could be some other time. One transaction's attributes may come in several
// commands, of which the later one wins; an attribute that we do not know is kept out of the result. A control character in
// a value becomes "?", as in Postfix: it could begin a new line in a reply, in the log or in what a filter writes.

import { decodeXtext } from "./xtext.ts";

/** What is known of the client behind our client. An absent value is not known. */
export interface ClientFacts {
  readonly name?: string;
  /** The client in front of us has said something of it, be it that nothing is known. */
  readonly told?: true;
  /** Why there is no name: it has none, or DNS failed when that was looked up. Absent where nobody spoke of it. */
  readonly nameless?: "none" | "failed";
  /** Without the `IPv6:` that marks an IPv6 address. */
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

// White space as Postfix knows it: there are other blanks in Unicode, which are part of a value.
const BLANKS = /[\t-\r ]+/;

// C0, DEL and C1.
const CONTROL = /\p{Cc}/gu;

const NEVER = /^\[UNAVAILABLE\]$/i;
const NOT_NOW = /^\[TEMPUNAVAIL\]$/i;

/** `known` with the attributes of one more XFORWARD command, whose `text` is what follows the verb. */
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
