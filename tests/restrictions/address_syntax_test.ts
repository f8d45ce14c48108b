// Tests of lib/restrictions/address_syntax.ts: it refuses text that Postfix reads as an address and that a rule would
// not recognize.

import assert from "node:assert/strict";
import { addressSyntax } from "../../lib/restrictions/address_syntax.ts";
import type { RestrictionContext, Ruling } from "../../lib/restrictions/restriction.ts";
import { emptyEnvelope } from "../../lib/mail/envelope.ts";
import { parsePath } from "../../lib/smtp/path.ts";
import { replyText } from "../../lib/smtp/reply.ts";

const NO_CONTEXT = {} as RestrictionContext;

async function rulings(path: string): Promise<[string, string]> {
  const sender = parsePath(` FROM:${path}`, "FROM")?.address;
  const recipient = parsePath(` TO:${path}`, "TO")?.address ?? "";
  return [
    said(await addressSyntax.sender!({ ...emptyEnvelope(), sender }, NO_CONTEXT)),
    said(await addressSyntax.recipient!(recipient, emptyEnvelope(), NO_CONTEXT)),
  ];
}

function said(ruling: Ruling): string {
  return ruling.kind === "allow" ? "allow" : replyText(ruling.reply).trim();
}

const REFUSED = ["501 5.1.7 Bad sender address syntax", "501 5.1.3 Bad recipient address syntax"];

Deno.test("addresses that can be read in only one way pass", async () => {
  const rows = [
    // RFC 5321 s.4.1.2 and RFC 6531 s.3.3.
    "<bob@d.example>",
    "<bob+x@d.example>",
    `<"b ob"@d.example>`,
    "<bob@[192.0.2.1]>",
    "<bob@[IPv6:2001:db8::1]>",
    "<jürgen@müller.example>",
    "<@x,@y:bob@d.example>",
    "<bob@d.example> SIZE=1",
    // These are common, or do no harm.
    "bob@d.example",
    "<b..o.b.@d.example>",
    "<bob@under_score.example>",
    "<bob@-d.example>",
    "<bob@d.example.>",
  ];
  for (const path of rows) assert.deepEqual(await rulings(path), ["allow", "allow"], path);
  assert.deepEqual(await rulings("<>"), ["allow", REFUSED[1]]);
  assert.deepEqual(await rulings("<PostMaster>"), [REFUSED[0], "allow"]);
});

Deno.test("addresses that Postfix reads as bob@d.example, and others may not, are refused", async () => {
  const rows = [
    // Blanks.
    ..."< bob@d.example>|<bob@d.example >|<bob @d.example>|<bob@ d.example>|<@x,@y: bob@d.example>|<bob@d . example>"
      .split("|"),
    // Comments, and phrases.
    ..."<(c)bob@d.example>|<bob(c)@d.example>|<bob@(c)d.example>|<bob@d.example(c)>|(c)<bob@d.example>".split("|"),
    ...`x <bob@d.example>|"x" <bob@d.example>|<bob@d.example>(c)`.split("|"),
    // Brackets and separators.
    ..."<<bob@d.example>>|bob@d.example>|<bob@d.example,>|<bob@d.example;>|<g:bob@d.example;>".split("|"),
    ..."<@x:@y:bob@d.example>|<a@x>,<bob@d.example>|<a@x>:bob@d.example;|<bob@d.example@d.example>".split("|"),
    // Quotes and escapes within a word.
    ...`<b\\ob@d.example>|<b"o"b@d.example>|<""bob@d.example>|<bob@d.exam"ple">`.split("|"),
    // Without a domain the server behind us adds its own, or makes one of what there is.
    ...`<bob>|bob|<"bob">|<bob%d.example>|<d.example!bob>|<"bob@d.example">`.split("|"),
    // No address, or octets that are not UTF-8.
    "<bob",
    "<@d.example>",
    "<bob@>",
    "<bob@d..example>",
    "<bob@[d.example]>",
    "<b\ufffdb@d.example>",
  ];
  for (const path of rows) assert.deepEqual(await rulings(path), REFUSED, path);
});
