// Tests of lib/restrictions/rules/file.ts: how each part of a rule is read, and each kind of mistake with its message.

import assert from "node:assert/strict";
import { RulesError } from "../../../lib/text/line_error.ts";
import { parseAddresses } from "../../../lib/dns/answers.ts";
import { type Action, parseRules, type Rule } from "../../../lib/restrictions/rules/file.ts";

function parseOne(line: string): Rule {
  const [rule, other] = parseRules(line);
  assert.ok(rule && !other, line);
  return rule;
}

Deno.test("parseRules reads the examples of the Spammer Deterrent page as they are", () => {
  const rules = parseRules(`allow-filter:ALL:ALL:ALL@somedomain.com
allow-filter:127.0.0.1:ALL:ALL
noto:ALL:RHS.dsn.rfc-ignorant.org:ALL:550 Mail refused. Your mail system does not accept bounces. This violates RFC 2821. See www.rfc-ignorant.org
allow-extchk|allow-filter:ALL:ALL:ALL@somedomain.com
allow-extchk:ALL:ALL:ALL@nofilter.com
allow:127.0.0.1:ALL:ALL
`);
  assert.deepEqual(
    rules.map(({ line, action }) => [line, action.kind, "contentChecks" in action && action.contentChecks]),
    [
      [1, "allow", ["filter"]],
      [2, "allow", ["filter"]],
      [3, "refuse", false],
      [4, "allow", ["extchk", "filter"]],
      [5, "allow", ["extchk"]],
      [6, "allow", []],
    ],
  );
  assert.deepEqual(rules[0]!.tos, {
    patterns: [{ left: { kind: "all" }, right: { kind: "glob", text: "somedomain.com" } }],
  });
  assert.deepEqual(rules[2]!.froms, {
    patterns: [{ domain: { kind: "listed", zone: "dsn.rfc-ignorant.org", addresses: undefined } }],
  });
});

Deno.test("parseRules reads the example of the README", () => {
  const readme = Deno.readTextFileSync(new URL("../../../README.md", import.meta.url));
  const example = /```\n(# ACTION:SOURCES:[^`]*)```/.exec(readme)?.[1];
  assert.ok(example, "the README has no example");
  assert.equal(parseRules(example).length, 5);
});

Deno.test("parseRules skips comments and empty lines, counts them, and accepts any line end", () => {
  const text = "# a comment: with a colon\n\n  \t\n  # another\r\nallow:ALL:ALL:ALL\r\nnoto:ALL:ALL:ALL";
  assert.deepEqual(parseRules(text.replaceAll("\r\n", "\n")).map(({ line }) => line), [5, 6]);
  assert.deepEqual(parseRules(text).map(({ line }) => line), [5, 6]);
  assert.deepEqual(parseRules(""), []);
});

Deno.test("parseRules: actions", () => {
  const rows: [string, Partial<Action>][] = [
    ["allow", { kind: "allow", contentChecks: [] }],
    ["allow-filter", { kind: "allow", contentChecks: ["filter"] }],
    ["allow-extchk | allow-filter|allow-filter", { kind: "allow", contentChecks: ["extchk", "filter"] }],
    ["allow|allow-extchk", { kind: "allow", contentChecks: ["extchk"] }],
    ["deny", { kind: "refuse", ends: true, slowly: false }],
    ["deny_delay", { kind: "refuse", ends: true, slowly: true }],
    ["noto", { kind: "refuse", ends: false, slowly: false }],
    [" noto_delay ", { kind: "refuse", ends: false, slowly: true }],
    ["debug", { kind: "debug" }],
  ];
  for (const [action, expected] of rows) {
    const { message: _, ...rest } = parseOne(`${action}:ALL:ALL:ALL`).action as Action & { message?: string };
    assert.deepEqual(rest, expected, action);
  }
});

Deno.test("parseRules: messages", () => {
  const NONE = "550 5.7.1 Mail from %F to %T is not accepted from %H[%I]";
  const rows: [string, string][] = [
    // None, or a comment in its place.
    ["", NONE],
    [":", NONE],
    [":  # no message", NONE],
    // The code is that of the text, or 550.
    [":550 Go away", "550 Go away"],
    [": 451 4.7.1 Later", "451 4.7.1 Later"],
    [":571 Go away", "571 Go away"],
    [":421", "421 "],
    [":550-Go away", "550 Go away"],
    [":Go away", "550 Go away"],
    [":5500 messages", "550 5500 messages"],
    // Escapes stay for later; a comment may follow, and colons do no harm.
    [":550 %F %T %H %I %U 100%% sure%C no: # why", "550 %F %T %H %I %U 100%% sure%C no"],
    [":550 See http://example.org/#why", "550 See http://example.org/#why"],
  ];
  for (const [field, expected] of rows) {
    const { action } = parseOne(`noto:ALL:ALL:ALL${field}`);
    assert.equal(action.kind === "refuse" && action.message, expected, field);
  }
  // A message that is never said may be anything.
  parseOne("allow:ALL:ALL:ALL:250 %Q");
});

Deno.test("parseRules: lists and their exceptions", () => {
  const { sources } = parseOne("noto:a b,c , d EXCEPT e except f:ALL:ALL");
  const host = (text: string) => ({ kind: "glob", text });
  assert.deepEqual(sources, {
    patterns: ["a", "b", "c", "d"].map(host),
    except: { patterns: [host("e")], except: { patterns: [host("f")] } },
  });
});

Deno.test("parseRules: sources", () => {
  const glob = (text: string) => ({ kind: "glob", text });
  const rows: [string, unknown][] = [
    ["ALL", { kind: "all" }],
    ["KNOWN", { kind: "known", wanted: true }],
    ["UNKNOWN", { kind: "known", wanted: false }],
    // The name of a host without one; and names that are like a key word.
    ["unknown", glob("unknown")],
    ["rbl.example.org", glob("rbl.example.org")],
    ["all.example.org", glob("all.example.org")],
    ["*.Example.ORG", glob("*.example.org")],
    ["*example.org", glob("*example.org")],
    ["a_b-1.*.x", glob("a_b-1.*.x")],
    ["*.b\u00fccher.example", glob("*.xn--bcher-kva.example")],
    ["1-2.example.org", glob("1-2.example.org")],
    ["192.0.2.1", network([192, 0, 2, 1], 32)],
    ["192.0.2.0/24", network([192, 0, 2, 0], 24)],
    ["0/0", network([0, 0, 0, 0], 0)],
    ["[2001:db8::]/32", network([0x20, 0x01, 0x0d, 0xb8, ...Array(12).fill(0)], 32)],
    ["[::ffff:192.0.2.1]", network([192, 0, 2, 1], 32)],
    // Addresses with an asterisk.
    ...["*", "192.0.2.*", "*.2.*", "192.0.2*", "1*2", "*.0.0.1", "10.*.*.1", "25*.*5", "*05.1"].map((
      text,
    ): [string, unknown] => [text, glob(text)]),
    ["RBL.List.example.org.", { kind: "listed", zone: "list.example.org", addresses: undefined }],
    ["RBL.l.example=127.0.0.[2;4..11]", listed("127.0.0.[2;4..11]")],
    ["RBL.L.Example.=127.0.0.0&12", listed("127.0.0.0&12")],
    ["NS=RBL.l.example=127.0.0.2", { kind: "servers", host: listed("127.0.0.2") }],
    ["NS=*.example.org", { kind: "servers", host: glob("*.example.org") }],
    ["NS=UNKNOWN", { kind: "servers", host: { kind: "known", wanted: false } }],
    ["NS=RBL.l.example", { kind: "servers", host: { kind: "listed", zone: "l.example", addresses: undefined } }],
    // Any user that ident may name.
    ["ALL@192.0.2.0/24", network([192, 0, 2, 0], 24)],
    ["ALL@*.example.org", glob("*.example.org")],
  ];
  for (const [source, expected] of rows) {
    assert.deepEqual(parseOne(`deny:${source}:ALL:ALL`).sources, { patterns: [expected] }, source);
  }
});

function listed(addresses: string): object {
  return { kind: "listed", zone: "l.example", addresses: parseAddresses(addresses) };
}

function network(address: number[], bits: number): object {
  return { kind: "network", network: { address: Uint8Array.from(address), bits } };
}

Deno.test("parseRules: addresses", () => {
  const glob = (text: string) => ({ kind: "glob", text });
  const rows: [string, unknown][] = [
    ["ALL", { whole: { kind: "all" } }],
    ["*.example.org", { whole: glob("*.example.org") }],
    ["a@b@c", { left: glob("a@b"), right: glob("c") }],
    ["*%*@*", { left: glob("*%*"), right: glob("*") }],
    ["ALL@*.org", { left: { kind: "all" }, right: glob("*.org") }],
    ["all@ALL", { left: glob("all"), right: { kind: "all" } }],
    ["a@rhs.example", { left: glob("a"), right: glob("rhs.example") }],
    ["a@[192.0.2.1]", { left: glob("a"), right: glob("[192.0.2.1]") }],
    ["a@[IPv6:2001:DB8::1]", { left: glob("a"), right: glob("[ipv6:2001:db8::1]") }],
    ["a@[*]", { left: glob("a"), right: glob("[*]") }],
    ["RHS.l.example", { domain: { kind: "listed", zone: "l.example", addresses: undefined } }],
    ["ALL@RHS.l.example", {
      left: { kind: "all" },
      right: { kind: "listed", zone: "l.example", addresses: undefined },
    }],
    ["RHS.l.example=127.0.1.[2..4]", { domain: listed("127.0.1.[2..4]") }],
    ["bob@RHS.l.example=127.0.0.0&4", { left: glob("bob"), right: listed("127.0.0.0&4") }],
    ["NS=KNOWN", { domain: { kind: "servers", host: { kind: "known", wanted: true } } }],
    ["a@NS=x", { left: glob("a"), right: { kind: "servers", host: glob("x") } }],
  ];
  for (const [address, expected] of rows) {
    const { froms, tos } = parseOne(`deny:ALL:${address}:${address}`);
    assert.deepEqual(froms, { patterns: [expected] }, address);
    assert.deepEqual(tos, froms, address);
  }
  // Addresses without a domain.
  const { froms, tos } = parseOne("deny:ALL:<>:Postmaster");
  assert.deepEqual(froms, { patterns: [{ whole: glob("") }] });
  assert.deepEqual(tos, { patterns: [{ whole: glob("postmaster") }] });
});

Deno.test("parseRules: a regular expression may hold the characters that separate fields and patterns", () => {
  const matches = (pattern: unknown, text: string) =>
    (pattern as { pattern: { matches(octets: Uint8Array): boolean } }).pattern.matches(new TextEncoder().encode(text));
  const rule = parseOne("noto:/^a:b, c$/ x:/a/b/@c /d@e/:f@/[[:alpha:]]/ /\\//");
  const [source] = rule.sources.patterns;
  assert.ok(matches(source!, "A:B, C"));
  assert.ok(!matches(source!, "a:b,c"));
  const [sided, whole] = rule.froms.patterns as unknown as { left: unknown; whole: unknown }[];
  assert.ok(matches(sided!.left, "xa/bx"));
  assert.ok(matches(whole!.whole, "d@e"));
  const [right, slash] = rule.tos.patterns as unknown as { right: unknown; whole: unknown }[];
  assert.ok(matches(right!.right, "x"));
  assert.ok(!matches(right!.right, "1"));
  assert.ok(matches(slash!.whole, "a/b"));
});

Deno.test("parseRules: exceptions that leave something", () => {
  const lists = [
    "ALL EXCEPT ALL EXCEPT KNOWN",
    "192.0.2.0/24 EXCEPT 192.0.2.0/25",
    "a.example EXCEPT b.example",
    "ALL EXCEPT 0/0",
  ];
  for (const list of lists) parseOne(`deny:${list}:ALL:ALL`);
});

Deno.test("parseRules refuses a wrong rule with its line, the reason and what would be right", () => {
  const rows: [string, RegExp][] = [
    // Fields.
    ["allow", /^1 of the 4 fields of a rule: a rule is one line, ACTION:SOURCES:FROMS:TOS\[:XXX message\]$/],
    ["does not accept bounces. See www.example.org", /^1 of the 4 fields/],
    ["allow:ALL:ALL", /^3 of the 4 fields/],
    ["allow::ALL:ALL", /^field SOURCES is empty: give patterns, or ALL$/],
    ["allow:ALL: ,:ALL", /^field FROMS is empty/],
    ["allow:ALL:ALL:", /^field TOS is empty/],
    ["allow:ALL\0:ALL:ALL", /^a NUL octet in the line: take it out$/],
    // Actions.
    ["permit:ALL:ALL:ALL", /^action "permit" is not known: give allow, allow-filter, .*noto_delay or debug$/],
    ["Allow:ALL:ALL:ALL", /^action "Allow" is not known/],
    [":ALL:ALL:ALL", /^action "" is not known/],
    ["allow|:ALL:ALL:ALL", /^action "" is not known/],
    ["constructor:ALL:ALL:ALL", /^action "constructor" is not known/],
    [
      "allow|deny:ALL:ALL:ALL",
      /^action "allow\|deny" joins what .*: only allow, allow-filter and allow-extchk go together$/,
    ],
    ["debug|debug:ALL:ALL:ALL", /^action "debug\|debug" joins/],
    // Lists.
    ["allow:EXCEPT a:ALL:ALL", /^no pattern in SOURCES before EXCEPT: give patterns, or ALL$/],
    ["allow:ALL:ALL:a@b EXCEPT", /^no pattern in TOS after EXCEPT: give what is excepted$/],
    ["allow:ALL:a@b EXCEPT EXCEPT c@d:ALL", /^no pattern in FROMS before EXCEPT/],
    // Sources.
    ["allow:192.0.2.0/33:ALL:ALL", /^"192\.0\.2\.0\/33" is no network: give ADDRESS\/BITS, such as /],
    ["allow:192.0.2/24:ALL:ALL", /is no network/],
    ["allow:192.0.2.0/x:ALL:ALL", /is no network/],
    ["allow:192.0.2.*/24:ALL:ALL", /is no network/],
    ["allow:[2001:db8::]/129:ALL:ALL", /is no network/],
    ["allow:[2001:db8::1:ALL:ALL", /is no network/],
    ["allow:[2001:db8:::1]:ALL:ALL", /is no network/],
    ["allow:NS=:ALL:ALL", /^"NS=" names no name server: give a pattern after NS=$/],
    ["allow:RBL.:ALL:ALL", /^"RBL\." names no zone: give a domain after RBL\., such as RBL\.list\.example\.org$/],
    ["allow:RBL.a..b:ALL:ALL", /names no zone/],
    ["allow:RBL.1.2.3.4:ALL:ALL", /names no zone/],
    // Answers of a list.
    [
      "noto:RBL.x.y=:ALL:ALL",
      /^"RBL\.x\.y=" has no addresses after "=": give answers of a list, such as 127\.0\.0\.2, /,
    ],
    ["noto:RBL.x.y=127.255.255.254:ALL:ALL", /has no addresses after "="/],
    ["noto:ALL:*@RHS.x.y=10.0.0.1:ALL", /has no addresses after "="/],
    ["noto:RBL.x.y=127.0.0.[2,4]:ALL:ALL", /has no addresses after "="/],
    [
      "noto:RBL.x.y=127.0.0.2,127.0.0.3 a:ALL:ALL",
      /^"RBL\.x\.y=127\.0\.0\.2,127\.0\.0\.3": a comma separates patterns here: give answers as one word, such as 127\.0\.0\.\[/,
    ],
    ["noto:NS=RBL.x.y=127.0.0.2-4,9-11:ALL:ALL", /a comma separates patterns here/],
    ["noto:ALL:*@RHS.x.y=127.0.0.2,10:ALL", /a comma separates patterns here/],
    // Nobody asks ident.
    [
      "allow:root@a.example:ALL:ALL",
      /^"root@a\.example" matches no client, .* ident .*: give a\.example; senders stand in/,
    ],
    ["allow:*@a.example:ALL:ALL", /"\*@a\.example" matches no client, .*: give a\.example;/],
    ["deny:UNKNOWN@ALL:ALL:ALL", /matches no client, .*: give ALL;/],
    ["deny:/x/@192.0.2.1:ALL:ALL", /matches no client, .*: give 192\.0\.2\.1;/],
    ["deny:all@a.example:ALL:ALL", /matches no client/],
    ["deny:ALL:USER@a.example:ALL", /^"USER@a\.example" matches no address, .* ident .*: give \*@a\.example$/],
    // The sides of a firewall. Nothing is known of them here.
    [
      "allow:TRUSTED:ALL:ALL",
      /^"TRUSTED" means a side of a firewall .*: give your own networks, such as 192\.0\.2\.0\/24/,
    ],
    ["deny:192.0.2.1 UNTRUSTED:ALL:ALL", /^"UNTRUSTED" means a side of a firewall .* or ALL EXCEPT these$/],
    ["allow:ALL EXCEPT Trusted:ALL:ALL", /^"Trusted" means/],
    ["allow:ALL@TRUSTED:ALL:ALL", /^"TRUSTED" means/],
    ["allow:NS=TRUSTED:ALL:ALL", /^"TRUSTED" means/],
    ["allow:ALL:TRUSTED:ALL", /^"TRUSTED" means/],
    ["allow:ALL:*@UNTRUSTED:ALL", /^"UNTRUSTED" means/],
    // Half a name.
    ["allow:.a.example:ALL:ALL", /^"\.a\.example" matches no name: give \*\.a\.example$/],
    ["allow:NS=.a.example:ALL:ALL", /^"\.a\.example" matches no name/],
    [
      "allow:@a.example:ALL:ALL",
      /^"@a\.example" matches no client, .*: give a\.example or \*\.a\.example; senders stand in FROMS$/,
    ],
    ["allow:ALL:@a.example:ALL", /^"@a\.example" matches no address: give \*@a\.example$/],
    ["allow:ALL:ALL:@a.example", /^"@a\.example" matches no address: give \*@a\.example$/],
    ["allow:ALL:@RHS.a.example:ALL", /^"@RHS\.a\.example" matches no address: give \*@RHS\.a\.example$/],
    ["allow:ALL:.a.example:ALL", /^"\.a\.example" is no address: give such as \*@\*\.a\.example or /],
    ["allow:ALL:ALL:bob@.a.example", /^"\.a\.example" matches no name: give \*\.a\.example$/],
    // No name has these.
    ...[
      "a%b",
      "a=b",
      "<>",
      "a..b.example",
      "a/b",
      "a!b",
      "a?.example",
      "(a)",
      "a|b",
      "a+",
      "^a",
      "a$",
      "rbl.x=127.0.0.2",
    ]
      .map((name): [string, RegExp] => [`allow:${name}:ALL:ALL`, / is no name: give a host | matches no name: /]),
    ["allow:NS=a%:ALL:ALL", /^"a%" is no name: give a host or a domain, with \* for any text$/],
    [`allow:${"a".repeat(64)}.example:ALL:ALL`, /matches no name: give labels of 1 to 63/],
    [`allow:*${"a.".repeat(127)}b:ALL:ALL`, /matches no name/],
    ["allow:ALL:*@a..b:ALL", /matches no name/],
    ["allow:ALL:*@a?b:ALL", /is no name/],
    ["allow:ALL:*@<a.example>:ALL", /is no name/],
    ["allow:ALL.a.example:ALL:ALL", /^"ALL\.a\.example" has ALL in a name: give \*\.a\.example$/],
    ["allow:ALL:*@ALL.a.example:ALL", /has ALL in a name/],
    ["allow:2001:db8::1:ALL:ALL", /^"2001" is no address: give .* or \[2001:db8::1\]$/],
    ["allow:192.0.2.x:ALL:ALL", /^"192\.0\.2\.x" is no address: give such as/],
    ...["256.*", "1.2.3.256*", "1.*.1000", "01.*", "1..*", ".*", "1.2.*.", "1.300*"].map((source): [string, RegExp] => [
      `allow:${source}:ALL:ALL`,
      /is no address/,
    ]),
    // No address has these.
    ["allow:ALL:<a@b.example>:ALL", /^"<a@b\.example>" matches no address: give it without the brackets$/],
    ["allow:ALL:ALL:<postmaster>", /matches no address: give it without the brackets/],
    ["allow:ALL:*.example.org.:ALL", /^"\*\.example\.org\." matches no address: give it without the last dot$/],
    ["allow:ALL:postmaster:ALL", /^"postmaster" matches no sender, because all have a domain: give postmaster@\*$/],
    ["allow:ALL:ALL:<>", /^"<>" matches no recipient: it is the null sender, which stands in FROMS$/],
    ...["[192.0.2.300]", "[192.0.2.0/24]", "[a.example]", "[]", "[192.0.2.1"].map((domain): [string, RegExp] => [
      `allow:ALL:*@${domain}:ALL`,
      /is no address literal: give such as \[192\.0\.2\.1\] or \[IPv6:2001:db8::1\]$/,
    ]),
    // Lists with nothing left.
    ["deny:ALL EXCEPT ALL:ALL:ALL", /^EXCEPT leaves nothing of SOURCES: except less, or take the rule out$/],
    ["deny:192.0.2.0/25 192.0.2.200 EXCEPT 192.0.2.0/24:ALL:ALL", /^EXCEPT leaves nothing of SOURCES/],
    ["deny:[2001:db8::1] EXCEPT [2001:db8::]/32:ALL:ALL", /^EXCEPT leaves nothing of SOURCES/],
    ["deny:192.0.2.1 EXCEPT *:ALL:ALL", /^EXCEPT leaves nothing of SOURCES/],
    ["deny:ALL:*@A.example EXCEPT *@a.example:ALL", /^EXCEPT leaves nothing of FROMS/],
    ["deny:ALL:ALL:*@a.example EXCEPT *@b.example ALL", /^EXCEPT leaves nothing of TOS/],
    ["deny:ALL EXCEPT KNOWN EXCEPT KNOWN:ALL:ALL", /^EXCEPT leaves nothing of SOURCES/],
    ["allow:root@:ALL:ALL", /^"root@" names no host: give one after the @, or ALL$/],
    // Texts that are no addresses.
    [
      "allow:192.0.2.1-9:ALL:ALL",
      /^"192\.0\.2\.1-9" is no address: give such as 192\.0\.2\.1, 192\.0\.2\.\*, .* or \[2001:db8::1\]$/,
    ],
    ...["1.2.3", "1.2.3.", "1.2.3.4.5", "300.2.3.4", "300.*", "1.2.3.4.*", "2001"].map((source): [string, RegExp] => [
      `allow:${source}:ALL:ALL`,
      /is no address/,
    ]),
    // Key words in other letters, or in another field.
    ["allow:all:ALL:ALL", /^"all" is no key word: give ALL$/],
    ["allow:Known:ALL:ALL", /^"Known" is no key word: give KNOWN$/],
    ["allow:ns=*.example:ALL:ALL", /^"ns=" is no key word: give NS=$/],
    ["allow:ALL:all:ALL", /^"all" is no key word/],
    ["allow:ALL:ALL:*@all", /^"all" is no key word/],
    ["noto:RHS.x.y:ALL:ALL", /^"RHS\.x\.y" means nothing in SOURCES: see RULES in postprox\(8\)$/],
    ["noto:USER:ALL:ALL", /^"USER" means nothing in SOURCES/],
    ["noto:ALL:RBL.x.y:ALL", /^"RBL\.x\.y" means nothing in FROMS and TOS/],
    ["noto:ALL:*@RBL.x.y:ALL", /^"RBL\.x\.y" means nothing in FROMS and TOS/],
    ["noto:ALL:KNOWN:ALL", /^"KNOWN" means nothing in FROMS and TOS/],
    ["noto:ALL:UNKNOWN:ALL", /^"UNKNOWN" means nothing/],
    // An address without its domain.
    ["noto:ALL:ALL:example.org", /^"example\.org" is no address: give such as \*@example\.org or user@example\.org$/],
    ["noto:ALL:bob:ALL", /^"bob" is no address/],
    // No name or address is compared in such a form.
    ["noto:ALL:ALL:*@example.org.", /^"example\.org\." matches no name: give it without the last dot$/],
    ["deny:*.example.org.:ALL:ALL", /^"\*\.example\.org\." matches no name/],
    ['noto:ALL:"bob"@example.org:ALL', /^"\\"bob\\"@example\.org" matches no address: give it without the quotes$/],
    ["noto:ALL:bob@:ALL", /^"" is no name/],
    // Addresses.
    ["allow:ALL:RHS.*:ALL", /^"RHS\.\*" names no zone: give a domain after RHS\./],
    ["allow:ALL:a@NS=:ALL", /^"NS=" names no name server/],
    // Regular expressions.
    ["allow:/a:ALL:ALL", /^"\/a" is half a regular expression: give \/EXPRESSION\/$/],
    ["allow:ALL:ALL:/a(/", /^regular expression "a\(": /],
    ["allow:ALL:/(/@b:ALL", /^regular expression "\(": /],
    // Messages.
    [
      "noto:ALL:ALL:ALL:250 Ok",
      /^code 250 of the message refuses nothing: give one that begins with 4 or 5, such as 550$/,
    ],
    ["deny:ALL:ALL:ALL:354 Go on", /^code 354 of the message/],
    [
      "deny:ALL:ALL:ALL:550 %X",
      /^"%X" in the message: give %H, %I, %F, %T, %U, %C for a colon or %% for a percent sign$/,
    ],
    ["deny:ALL:ALL:ALL:550 %f", /^"%f" in the message/],
    ["deny:ALL:ALL:ALL:550 100%", /^"%" in the message/],
  ];
  for (const [line, message] of rows) {
    assert.throws(() => parseRules(`# first\n${line}\nallow:ALL:ALL:ALL\n`), (error) => {
      assert.ok(error instanceof RulesError, `${line}: ${error}`);
      assert.match(error.message, message, line);
      assert.equal(error.line, 2, line);
      return true;
    });
  }
});
