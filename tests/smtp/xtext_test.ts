// Tests of lib/smtp/xtext.ts: xtext as XFORWARD carries it (RFC 3461 s.4).
//
// Decoding never fails, because a stranger writes the values.

import assert from "node:assert/strict";
import { bytesOf } from "../../lib/text/octets.ts";
import { decodeXtext } from "../../lib/smtp/xtext.ts";
import { randomText, SEED, seeded } from "../rig/octets.ts";

const ROWS: readonly { xtext: string; text: string }[] = [
  // RFC 3461 s.4, xchar: printable ASCII but "+" and "=" stands for itself.
  { xtext: "", text: "" },
  { xtext: "spike.porcupine.org", text: "spike.porcupine.org" },
  { xtext: "[UNAVAILABLE]", text: "[UNAVAILABLE]" },

  // RFC 3461 s.4, hexchar: "+" and two digits are one octet, wherever they stand.
  { xtext: "+2B", text: "+" },
  { xtext: "a+3Db", text: "a=b" },
  { xtext: "+41+42+43", text: "ABC" },
  { xtext: "x+20", text: "x " },
  { xtext: "+41BC", text: "ABC" },
  // Decoded text is not decoded again.
  { xtext: "+2B41", text: "+41" },

  // Digits in lower case are not xtext, but Postfix reads them (xtext.c), so we do.
  { xtext: "+2b+c3+BC", text: "+ü" },

  // A "+" without two digits stays as it is: Postfix before 2.3 sent values unencoded (XFORWARD_README, note 4).
  { xtext: "+", text: "+" },
  { xtext: "++", text: "++" },
  { xtext: "+4", text: "+4" },
  { xtext: "a+", text: "a+" },
  { xtext: "+4G", text: "+4G" },
  { xtext: "+G4", text: "+G4" },
  { xtext: "+ 4", text: "+ 4" },
  { xtext: "+-1", text: "+-1" },
  { xtext: "++41", text: "++41" },
  { xtext: "+4+41", text: "+4+41" },
  { xtext: "user+tag@example.org", text: "user+tag@example.org" },

  // UTF-8, encoded, plain or mixed; half a character becomes U+FFFD.
  { xtext: "+C3+BC", text: "ü" },
  { xtext: "m\u00fcller+2B", text: "müller+" },
  { xtext: "+C3", text: "\ufffd" },
  { xtext: "+FFx", text: "\ufffdx" },

  // No environment variable can hold a NUL; other control octets are the filter's to see, literally (CONTRACT, 2).
  { xtext: "a+00b", text: "a?b" },
  { xtext: "+0D+0A+09+7F", text: "\r\n\t\x7f" },
];

Deno.test("decodeXtext gives the text that xtext stands for", () => {
  for (const row of ROWS) assert.equal(decodeXtext(row.xtext), row.text, JSON.stringify(row.xtext));
});

Deno.test("decodeXtext is the inverse of quoting, all octets or only those that must be", () => {
  const random = seeded(SEED);
  for (let run = 0; run < 5000; run++) {
    const text = randomText(["a", "=", "+", "+4", "1", " ", "ü", "€", "\u{1f4e7}", "\r", "\x7f"], 8, random);
    const quoted = (all: boolean) =>
      Array.from(bytesOf(text), (octet) => {
        const plain = octet > 0x20 && octet < 0x7f && octet !== 0x2b && octet !== 0x3d;
        return plain && !all ? String.fromCharCode(octet) : `+${octet.toString(16).toUpperCase().padStart(2, "0")}`;
      }).join("");
    const where = `seed ${SEED}, run ${run}: ${JSON.stringify(text)}`;
    assert.equal(decodeXtext(quoted(false)), text, where);
    assert.equal(decodeXtext(quoted(true)), text, where);
  }
});

Deno.test("decodeXtext takes any text and never gives back an encoded NUL", () => {
  const random = seeded(SEED);
  for (let run = 0; run < 5000; run++) {
    const xtext = randomText(["+", "0", "00", "+00", "+0", "F", "g", "ü", "\ud83d"], 9, random);
    assert.ok(!decodeXtext(xtext).includes("\0"), `seed ${SEED}, run ${run}: ${JSON.stringify(xtext)}`);
  }
});
