// The file of --url-allow: names of hosts. No list is asked about them or about hosts below them. Pure.

import { dnsName } from "../../text/domain.ts";
import { RulesError } from "../../text/line_error.ts";
import { quote } from "../../text/quoting.ts";

/** Names in the form of DNS. */
export type AllowedNames = ReadonlySet<string>;

/** Reads one name per line. `#` begins a comment. Throws a `RulesError` for text that is no name. */
export function parseAllowedNames(text: string): AllowedNames {
  const names = new Set<string>();
  for (const [at, line] of text.split("\n").entries()) {
    const said = line.replace(/#.*$/, "").trim();
    if (said === "") continue;
    const name = dnsName(said);
    // No DNS name ends with a number, because that would be an address.
    if (name === undefined || !/[a-z][^.]*$/.test(name)) {
      throw new RulesError(`${quote(said)} is no name of a host: give one in each line, such as example.org`, at + 1);
    }
    names.add(name);
  }
  return names;
}

/** Whether `name` is one of `names`, or below one of them. */
export function isAllowed(name: string, names: AllowedNames): boolean {
  if (names.size === 0) return false;
  for (let at = 0;; at++) {
    if (names.has(name.slice(at))) return true;
    at = name.indexOf(".", at);
    if (at === -1) return false;
  }
}
