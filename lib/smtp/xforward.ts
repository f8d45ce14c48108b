// XFORWARD: what Postfix tells of its own client (XFORWARD_README).
//
// The arguments are NAME=VALUE pairs, values in xtext, names in any case. `[UNAVAILABLE]` and `[TEMPUNAVAIL]` mean that
// the value is not known. One transaction's attributes may come in several commands, of which the later one wins;
// an attribute that we do not know is kept out of the result.

import { decodeXtext } from "./xtext.ts";

/** What is known of the client behind our client. An absent value is not known. */
export interface ClientFacts {
  readonly name?: string;
  /** Without the `IPv6:` that marks an IPv6 address. */
  readonly address?: string;
  readonly port?: string;
  readonly helo?: string;
  readonly proto?: string;
  readonly ident?: string;
  readonly source?: string;
}

const KEYS: Readonly<Record<string, keyof ClientFacts>> = {
  NAME: "name",
  ADDR: "address",
  PORT: "port",
  HELO: "helo",
  PROTO: "proto",
  IDENT: "ident",
  SOURCE: "source",
};

/** `known` with the attributes of one more XFORWARD command, whose `text` is what follows the verb. */
export function mergeXforward(known: ClientFacts, text: string): ClientFacts {
  const merged: { -readonly [key in keyof ClientFacts]: ClientFacts[key] } = { ...known };
  for (const word of text.split(/\s+/)) {
    const equals = word.indexOf("=");
    const key = KEYS[word.slice(0, Math.max(0, equals)).toUpperCase()];
    if (!key) continue;
    const value = parseValue(word.slice(equals + 1));
    if (value === undefined) delete merged[key];
    else merged[key] = key === "address" ? value.replace(/^ipv6:/i, "") : value;
  }
  return merged;
}

function parseValue(xtext: string): string | undefined {
  const value = decodeXtext(xtext);
  return value === "" || /^\[(UNAVAILABLE|TEMPUNAVAIL)\]$/i.test(value) ? undefined : value;
}
