// Tests of lib/dns/answers.ts: how to write ADDRESSES, and which answers count.

import assert from "node:assert/strict";
import { parseAddresses, weigh } from "../../lib/dns/answers.ts";

const counts = "counts";
const other = "other";
const none = "no listing";

Deno.test("which answers are a listing, and count", () => {
  const rows: readonly (readonly [addresses: string | undefined, answer: string, weight: string])[] = [
    // Without addresses all listings count.
    [undefined, "127.0.0.2", counts],
    [undefined, "127.0.0.0", counts],
    [undefined, "127.0.0.254", counts],
    [undefined, "127.0.1.2", counts],
    [undefined, "127.0.1.1", counts],
    [undefined, "127.255.254.255", counts],
    [undefined, "127.254.255.1", counts],
    // A refusal to answer, an advertisement that is kept away, a parked domain.
    [undefined, "127.0.0.1", none],
    [undefined, "127.0.0.255", none],
    [undefined, "127.0.1.255", none],
    [undefined, "127.255.255.0", none],
    [undefined, "127.255.255.254", none],
    [undefined, "198.51.100.7", none],
    [undefined, "0.0.0.0", none],
    [undefined, "10.0.0.2", none],
    [undefined, "128.0.0.2", none],
    // An address, ranges, Postfix's patterns.
    ["127.0.0.2", "127.0.0.2", counts],
    ["127.0.0.2", "127.0.0.3", other],
    ["127.0.0.2", "127.0.1.2", other],
    ["127.0.0.2-11", "127.0.0.11", counts],
    ["127.0.0.2..11", "127.0.0.11", counts],
    ["127.0.0.2-11", "127.0.0.12", other],
    ["127.0.[0..3].[2;4;10..11]", "127.0.3.10", counts],
    ["127.0.[0..3].[2;4;10..11]", "127.0.3.3", other],
    ["127.0.[0..3].[2;4;10..11]", "127.0.4.10", other],
    ["0-255.0.0.2", "127.0.0.2", counts],
    ["0-255.0.0.2", "126.0.0.2", none],
    // A list of them.
    ["127.0.0.2,127.0.0.9-11", "127.0.0.10", counts],
    ["127.0.0.2,127.0.0.9-11", "127.0.0.2", counts],
    ["127.0.0.2,127.0.0.9-11", "127.0.0.8", other],
    // Bits of the last octet. One of them is enough.
    ["127.0.0.0&4", "127.0.0.4", counts],
    ["127.0.0.0&4", "127.0.0.14", counts],
    ["127.0.0.0&4", "127.0.0.254", counts],
    ["127.0.0.0&4", "127.0.0.8", other],
    ["127.0.0.0&12", "127.0.0.8", counts],
    ["127.0.0.0&4", "127.0.1.4", other],
    ["127.0.0-1.0&4", "127.0.1.4", counts],
    ["127.0.0.0&128,127.0.0.2", "127.0.0.2", counts],
    // Reserved addresses count if an address or a range names them. Bits name none.
    ["127.0.0.1", "127.0.0.1", counts],
    ["127.0.0.1-11", "127.0.0.1", counts],
    ["127.0.0.[1;4]", "127.0.0.1", counts],
    ["127.0.0.255", "127.0.0.255", counts],
    ["127.0.0-1.255", "127.0.1.255", counts],
    ["127.0.0.2-11", "127.0.0.1", none],
    ["127.0.0.2", "127.0.0.255", none],
    ["127.0.0.2", "127.0.1.255", none],
    ["127.0.0.0&1", "127.0.0.1", none],
    ["127.0.0.0&1", "127.0.0.3", counts],
    ["127.0.0.0&255", "127.0.0.255", none],
    ["127.0.0.0&1,127.0.0.1", "127.0.0.1", counts],
    // But never this.
    ["127.0-255.0-255.0-255", "127.255.255.254", none],
    ["127.0-255.0-255.0-255", "127.255.254.254", counts],
    ["127.255.254-255.0&2", "127.255.255.2", none],
  ];
  for (const [text, answer, weight] of rows) {
    const addresses = text === undefined ? undefined : parseAddresses(text);
    assert.ok(text === undefined || addresses, text);
    assert.equal(weigh(answer, addresses), weight, `${text} ${answer}`);
  }
});

Deno.test("texts that are no list of answers", () => {
  const rows = [
    "",
    ",",
    "127.0.0.2,",
    ",127.0.0.2",
    "127.0.0.2,,127.0.0.3",
    "127.0.0.2, 127.0.0.3",
    "127.0.0.2,3",
    " 127.0.0.2",
    "127.0.0",
    "127.0.0.",
    "127.0.0.2.3",
    "127.0.0.256",
    "127.0.0.11-2",
    "127.0.0.2-",
    "127.0.0.2-127.0.0.11",
    "127.0.0.[]",
    "127.0.0.[2",
    "127.0.0.[2;]",
    "127.0.0.[2,3]",
    "127.0.0.*",
    "127.0.0.2/24",
    "127.0.0.0/8",
    "listed",
    "2",
    "0x7f.0.0.2",
    // Bits.
    "127.0.0.0&",
    "127.0.0.0&0",
    "127.0.0.0&256",
    "127.0.0.0&x",
    "127.0.0.0&4&8",
    "127.0.0.2&4",
    "&4",
    "4",
    // These can match no listing.
    "10.0.0.1",
    "128-255.0.0.1",
    "127.255.255.254",
    "127.255.255.0-255",
    "127.255.255.0&2",
    "127.0.0.2,127.255.255.254",
  ];
  for (const text of rows) assert.equal(parseAddresses(text), undefined, text);
});
