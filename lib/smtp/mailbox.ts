// Mailboxes of RFC 5321 s.4.1.2, with the characters beyond ASCII of RFC 6531 s.3.3. Pure.
//
// This is for code that judges an address. It does not decide what goes downstream. Address literals other than IPv4
// and IPv6 are left out, because none exist. The 64 octets of s.4.5.3.1.1 are no limit here: every server must take
// that much, and bounce addresses of mailing lists have more.

export interface Mailbox {
  readonly localPart: string;
  /** A domain, or an address in brackets. */
  readonly domain: string;
}

// U+FFFD stands for octets that are not UTF-8.
const NOT_ASCII = "\\u0080-\\ufffc\\u{10000}-\\u{10ffff}";
const ATOM_TEXT = `A-Za-z0-9!#$%&'*+/=?^_\`{|}~${NOT_ASCII}-`;
const ATOM = `[${ATOM_TEXT}]+`;
const QUOTED = `"(?:[ !#-\\[\\]-~${NOT_ASCII}]|\\\\[ -~])*"`;
const LOCAL_PART = new RegExp(`^(?:${ATOM}(?:\\.${ATOM})*|${QUOTED})$`, "u");

// Addresses that people really have: dots anywhere in the local part, underscores in the domain, a dot at its end.
const ANY_LOCAL_PART = new RegExp(`^(?:[.${ATOM_TEXT}]+|${QUOTED})$`, "u");
const ANY_LABEL = `[\\w${NOT_ASCII}-]+`;
const ANY_DOMAIN = new RegExp(`^${ANY_LABEL}(?:\\.${ANY_LABEL})*\\.?$`, "u");

const LETTER_OR_DIGIT = `[A-Za-z0-9${NOT_ASCII}]`;
const LABEL = `${LETTER_OR_DIGIT}(?:[A-Za-z0-9${NOT_ASCII}-]{0,61}${LETTER_OR_DIGIT})?`;
const DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`, "u");

const BYTE = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])";
const IPV4_LITERAL = new RegExp(`^\\[${BYTE}(?:\\.${BYTE}){3}\\]$`);
const IPV6_LITERAL = /^\[IPv6:([0-9A-F:.]+)\]$/i;

/** The mailbox in `text`, an address without angle brackets; undefined if it is no mailbox. */
export function parseMailbox(text: string): Mailbox | undefined {
  const { localPart, domain } = sides(text);
  return LOCAL_PART.test(localPart) && (DOMAIN.test(domain) || isAddressLiteral(domain))
    ? { localPart, domain }
    : undefined;
}

/** Whether `text` is a mailbox, or so close to one that no server reads another address in it. */
export function isUnmistakable(text: string): boolean {
  const { localPart, domain } = sides(text);
  return ANY_LOCAL_PART.test(localPart) && (ANY_DOMAIN.test(domain) || isAddressLiteral(domain));
}

function sides(text: string): Mailbox {
  const at = text.lastIndexOf("@");
  return { localPart: text.slice(0, Math.max(0, at)), domain: text.slice(at + 1) };
}

export function isAddressLiteral(domain: string): boolean {
  const [, ipv6] = IPV6_LITERAL.exec(domain) ?? [];
  return ipv6 === undefined ? IPV4_LITERAL.test(domain) : URL.canParse(`http://[${ipv6}]`);
}
