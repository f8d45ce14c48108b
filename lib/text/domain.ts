// Domain names in the form that DNS uses: ASCII, lower case, without a final dot. Pure.

/** RFC 1035 s.2.3.4, without the final dot. */
export const NAME_LIMIT = 253;

const NAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** The DNS form of the domain of an address or of a host name; undefined if DNS can have no such name. */
export function dnsName(text: string): string | undefined {
  const name = asciiName(text.replace(/\.$/, "")).toLowerCase();
  return name.length <= NAME_LIMIT && NAME.test(name) ? name : undefined;
}

/**
 * A name with RFC 5890's A-labels, as a browser makes them. ASCII stays as it is, because a browser also takes `1.2`
 * for an address. The result is empty if `text` cannot be a name.
 */
export function asciiName(text: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(text) || /[\s/?#@:%\\[\]]/.test(text)) return text;
  try {
    return new URL(`http://${text}/`).hostname;
  } catch {
    return "";
  }
}
