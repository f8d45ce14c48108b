// Tests of lib/smtp/mailbox.ts: which texts RFC 5321 and RFC 6531 call a mailbox.

import assert from "node:assert/strict";
import { isAddressLiteral, parseMailbox } from "../../lib/smtp/mailbox.ts";

const RIGHT: readonly (readonly [localPart: string, domain: string])[] = [
  // Dot-strings, with all that an atom may have.
  ["a", "b"],
  ["a.b.c", "example.org"],
  ["!#$%&'*+-/=?^_`{|}~", "example.org"],
  ["-", "example.org"],
  ["0", "0.example"],
  // Quoted strings, empty, with blanks, at-signs, dots and what is escaped.
  ['""', "example.org"],
  ['"a b"', "example.org"],
  ['"a@b"', "example.org"],
  ['"..a."', "example.org"],
  ['"a\\"b\\\\c\\ d"', "example.org"],
  ['"<>()[],;:"', "example.org"],
  // Domains: digits, hyphens inside, labels and names of any length that DNS can hold.
  ["a", "1.2.3.4"],
  ["a", "a-b.c--d.example"],
  ["a", "xn--mnchen-3ya.example"],
  ["a", `${"x".repeat(63)}.example`],
  ["x".repeat(64), "example.org"],
  ["bounce+0123456789abcdef0123456789abcdef-someone=example.com", "lists.example.org"],
  // Address literals.
  ["a", "[192.0.2.1]"],
  ["a", "[0.0.0.0]"],
  ["a", "[IPv6:2001:db8::1]"],
  ["a", "[ipv6:::]"],
  ["a", "[IPv6:::ffff:192.0.2.1]"],
  // RFC 6531.
  ["müller", "example.org"],
  ['"mü ller"', "example.org"],
  ["用户", "例え.テスト"],
  ["😀", "☕.example"],
];

const WRONG: readonly string[] = [
  // Without one of the parts.
  "",
  "a",
  "@",
  "a@",
  "@example.org",
  "postmaster",
  // Local parts.
  ".a@example.org",
  "a.@example.org",
  "a..b@example.org",
  "a b@example.org",
  "a@b@example.org",
  "a,b@example.org",
  "a(b)@example.org",
  "<a>@example.org",
  "a\tb@example.org",
  "a\0b@example.org",
  "a\x7fb@example.org",
  '"a@example.org',
  'a"@example.org',
  '"a"b@example.org',
  '"a"."b"@example.org',
  '"a"b"@example.org',
  '"a\\"@example.org',
  '"a\nb"@example.org',
  '"a\\ü"@example.org',
  // Octets that are not UTF-8.
  "\ufffd@example.org",
  "a@\ufffd.example",
  // Domains.
  "a@.",
  "a@.example.org",
  "a@example.org.",
  "a@example..org",
  "a@-example.org",
  "a@example-.org",
  "a@exa_mple.org",
  "a@exa mple.org",
  "a@example.org ",
  "a@example.org\n",
  "a@exam\\ple.org",
  `a@${"x".repeat(64)}.example`,
  // Address literals.
  "a@[]",
  "a@[192.0.2]",
  "a@[192.0.2.256]",
  "a@[192.0.2.1.5]",
  "a@[192.0.2.1",
  "a@192.0.2.1]",
  "a@[2001:db8::1]",
  "a@[IPv6:192.0.2.1]",
  "a@[IPv6:2001:db8::1::2]",
  "a@[IPv6:2001:db8::g]",
  "a@[IPv6:fe80::1%eth0]",
  "a@[IPv6:]",
  "a@[example.org]",
];

Deno.test("parseMailbox takes mailboxes apart", () => {
  for (const [localPart, domain] of RIGHT) {
    assert.deepEqual(parseMailbox(`${localPart}@${domain}`), { localPart, domain });
  }
});

Deno.test("parseMailbox takes nothing else for one", () => {
  for (const text of WRONG) assert.equal(parseMailbox(text), undefined, JSON.stringify(text));
});

Deno.test("parseMailbox is as quick with long texts", () => {
  for (
    const text of ["a.".repeat(50_000), `"${"\\".repeat(100_000)}`, `a@${"a-".repeat(50_000)}`, "@".repeat(100_000)]
  ) {
    const start = performance.now();
    assert.equal(parseMailbox(text), undefined);
    assert.ok(performance.now() - start < 2000, text.slice(0, 10));
  }
});

Deno.test("isAddressLiteral knows literals by their brackets", () => {
  for (const [, domain] of RIGHT) assert.equal(isAddressLiteral(domain), domain.startsWith("["), domain);
});
