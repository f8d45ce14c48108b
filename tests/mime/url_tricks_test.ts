// Messages from a sender who hides a host: one trick each, and what the search for URLs must find in it.
//
// The host is evil.example, unless the row says otherwise. A row has all hosts that are found. Text that is no host
// must not be looked up.

import assert from "node:assert/strict";
import { UrlSearch } from "../../lib/mime/url_search.ts";
import { bytesOf, concat } from "../../lib/text/octets.ts";
import { formatHost } from "./url_reference.ts";

const EVIL = ["evil.example"];

interface Trick {
  readonly trick: string;
  readonly message: string | Uint8Array;
  readonly hosts?: readonly string[];
}

const html = (trick: string, body: string, hosts: readonly string[] = EVIL): Trick => ({
  trick,
  message: `Subject: x\nContent-Type: text/html\n\n${body}\n`,
  hosts,
});

const plain = (trick: string, body: string, hosts: readonly string[] = EVIL): Trick => ({
  trick,
  message: `Subject: x\n\n${body}\n`,
  hosts,
});

const mime = (trick: string, message: string | Uint8Array, hosts: readonly string[] = EVIL): Trick => ({
  trick,
  message,
  hosts,
});

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const base64 = (text: string | Uint8Array) =>
  btoa(Array.from(typeof text === "string" ? bytesOf(text) : text, (octet) => String.fromCharCode(octet)).join(""))
    .replace(/.{76}/g, "$&\n");
const quoted = (text: string) =>
  Array.from(bytesOf(text), (octet) => `=${octet.toString(16).toUpperCase().padStart(2, "0")}`).join("")
    .replace(/.{72}/g, "$&=\n");
const utf16 = (text: string, { little = true, mark = true } = {}) => {
  const units = (mark ? "\ufeff" : "") + text;
  const octets = new Uint8Array(2 * units.length);
  for (let at = 0; at < units.length; at++) new DataView(octets.buffer).setUint16(2 * at, units.charCodeAt(at), little);
  return octets;
};

const LINK = '<a href="http://evil.example/x">here</a>';
const multipart = (...parts: readonly string[]) =>
  `Content-Type: multipart/mixed; boundary="b"\n\npreamble\n${parts.map((part) => `--b\n${part}\n`).join("")}--b--\n`;
const nested = (depth: number, leaf: string) => {
  let message = leaf;
  for (let at = depth - 1; at >= 0; at--) {
    message = `Content-Type: multipart/mixed; boundary=b${at}\n\n--b${at}\n${message}\n--b${at}--\n`;
  }
  return message;
};

const TRICKS: readonly Trick[] = [
  // --- plain text
  plain("a URL", "see http://evil.example/x for more"),
  plain("https", "see https://evil.example/x"),
  plain("ftp", "see ftp://evil.example/x"),
  plain("other schemes are not looked at", "see gopher://evil.example/ mailto:me@evil.example", []),
  plain("no host is a word before a colon", "http: is a scheme, and so is ftp:", []),
  plain("capital letters", "HTTP://EVIL.EXAMPLE/"),
  plain("www without a scheme", "www.evil.example", ["www.evil.example"]),
  plain("WWW in capital letters", "WWW.evil.example/x", ["www.evil.example"]),
  plain("www in a word begins no URL", "awww.evil.example, me@www.evil.example", []),
  plain("www behind other letters", "看www.evil.example", ["www.evil.example"]),
  plain("a URL behind a word", "clickhttp://evil.example/"),
  plain("a URL behind other letters", "请看http://evil.example/x"),
  plain("a full stop behind it", "Go to http://evil.example."),
  plain("a comma behind it", "http://evil.example, or not"),
  plain("in brackets", "(http://evil.example) [http://other.example] {ftp://third.example}", [
    "evil.example",
    "other.example",
    "third.example",
  ]),
  plain("in quotes", "'http://evil.example' \"http://other.example\"", ["evil.example", "other.example"]),
  plain("in angle brackets", "<http://evil.example>"),
  plain("in angle brackets, over two lines", "<http://evil.\nexample/x>", ["evil.example"]),
  plain("as in Markdown", "[text](http://evil.example) **http://other.example** _www.third.example_", [
    "evil.example",
    "other.example",
    "www.third.example",
  ]),
  plain("behind an equals sign", "url=http://evil.example/x"),
  plain("the line ends the URL", "http://evil.example\nnext line", EVIL),
  plain("quoted, the line ends it or not", '"http://evil.example\nnext.line"', [
    "evil.example",
    "evil.examplenext.line",
  ]),
  plain("two in a row", "http://evil.example,http://other.example", ["evil.example", "other.example"]),
  plain("one in another", "http://good.example/?u=http://evil.example/", ["good.example", "evil.example"]),
  plain("one in another, encoded", "http://good.example/?u=http%3A%2F%2Fevil.example%2Fx", [
    "good.example",
    "evil.example",
  ]),
  plain("one in another, encoded twice", "http://good.example/?u=http%253A%252F%252Fevil.example%252Fx", [
    "good.example",
    "evil.example",
  ]),
  plain("an address behind it", "http://good.example,me@evil.example", ["good.example", "evil.example"]),
  plain("a no-break space behind it", "http://evil.example\u00a0and more"),
  plain("an ideographic full stop behind it, or in it", "http://evil.example。下一句", [
    "evil.example",
    "evil.example.xn--4gqva906b",
  ]),
  plain("a port", "http://evil.example:8080/"),
  plain("a query right behind it", "http://evil.example?x=1"),
  plain("a fragment right behind it", "http://evil.example#x"),
  plain("a name without a dot is no host", "http://localhost/ http://intranet", []),
  plain("no TLD has digits alone", "http://evil.1234x http://evil.12345", ["evil.1234x"]),
  plain("with underscores", "http://a_b.evil.example/", ["a_b.evil.example"]),
  plain("a name that is too long", `http://${"a.".repeat(130)}example/ http://${"a".repeat(64)}.example/`, []),
  plain("empty labels", "http://evil..example/", []),

  // --- the authority
  plain("any number of slashes: none", "http:evil.example"),
  plain("any number of slashes: one", "http:/evil.example/"),
  plain("any number of slashes: many", "http://////evil.example/"),
  plain("backslashes", "http:\\\\evil.example\\x"),
  plain("mixed slashes", "http:/\\evil.example/"),
  plain("JSON", '{"url":"http:\\/\\/evil.example\\/x"}'),
  plain("a user", "http://good.example@evil.example/"),
  plain("a user and a password", "http://good.example:80@evil.example/"),
  plain("several users", "http://a@b@c@evil.example/"),
  plain("a user with a percent sign", "http://good%2eexample@evil.example/"),
  plain("a very long user", `http://${"good.example".repeat(2000)}@evil.example/`),
  plain("a backslash ends the host", "http://evil.example\\@good.example/"),
  plain("a slash ends the host", "http://evil.example/@good.example/"),
  plain("a question mark ends the host", "http://evil.example?@good.example/"),
  html("a user with a blank", '<a href="http://good one@evil.example/">'),
  html("a user with marks", '<a href="http://good<>\'one@evil.example/">'),
  plain("a URL as a user", "http://http://evil.example/"),
  plain("a dot at the end", "http://evil.example./"),
  plain("dots at the end", "http://evil.example.../"),
  plain("percent-encoded letters", "http://%65%76il.example/"),
  plain("percent-encoded dot", "http://evil%2Eexample/"),
  plain("percent-encoded twice", "http://%2565vil.example/"),
  plain("percent-encoded slash", "http://evil.example%2F.good.example/"),

  // --- numbers
  plain("an address", "http://192.0.2.1/", ["192.0.2.1"]),
  plain("an integer", "http://3221225985/", ["192.0.2.1"]),
  plain("an integer without slashes", "http:3221225985", ["192.0.2.1"]),
  plain("hexadecimal", "http://0xC0000201/", ["192.0.2.1"]),
  plain("octal", "http://030000001001/", ["192.0.2.1"]),
  plain("mixed numbers", "http://0xc0.0.02.1/", ["192.0.2.1"]),
  plain("two parts", "http://192.513/", ["192.0.2.1"]),
  plain("three parts", "http://192.0.513/", ["192.0.2.1"]),
  plain("leading zeros", "http://0000000300.0.2.1/", ["192.0.2.1"]),
  plain("a number with a port", "http://3221225985:80/", ["192.0.2.1"]),
  plain("a number with a user", "http://good.example@3221225985/", ["192.0.2.1"]),
  plain("a number with a dot behind it", "http://192.0.2.1./", ["192.0.2.1"]),
  plain("percent-encoded numbers", "http://%31%39%32.0.2.1/", ["192.0.2.1"]),
  plain("full-width digits", "http://１９２.０.２.１/", ["192.0.2.1"]),
  plain("numbers that are no addresses", "http://192.0.2.256/ http://4294967296/ http://1.2.3.4.5/ http://09.1/", []),
  plain("an IPv6 address", "http://[2001:db8::1]/x http://[2001:db8::2]:80/", [
    "2001:db8:0:0:0:0:0:1",
    "2001:db8:0:0:0:0:0:2",
  ]),
  plain("an IPv4 address in an IPv6 one", "http://[::ffff:192.0.2.1]/", ["192.0.2.1"]),
  plain("brackets behind a URL", "www.evil.example[1]", ["www.evil.example"]),

  // --- other letters
  plain("IDN", "http://bücher.example/", ["xn--bcher-kva.example"]),
  plain("IDN in capital letters", "http://BÜCHER.example/", ["xn--bcher-kva.example"]),
  plain("IDN, decomposed", "http://bu\u0308cher.example/", ["xn--bcher-kva.example"]),
  plain("IDN in A-labels", "http://xn--bcher-kva.example/", ["xn--bcher-kva.example"]),
  plain("IDN, percent-encoded", "http://b%C3%BCcher.example/", ["xn--bcher-kva.example"]),
  plain("a top-level domain in other letters", "http://例え.テスト/", ["xn--r8jz45g.xn--zckzah"]),
  plain("sharp s", "http://faß.example/", ["xn--fa-hia.example"]),
  plain("full-width letters", "http://ｅｖｉｌ.ｅｘａｍｐｌｅ/"),
  plain("a full-width dot", "http://evil．example/"),
  plain("an ideographic dot", "http://evil。example/"),
  plain("a half-width ideographic dot", "http://evil｡example/"),
  plain("www and an ideographic dot", "www。evil。example/", ["www.evil.example"]),
  plain("letters in circles", "http://ⓔⓥⓘⓛ.example/"),
  plain("mathematical letters", "http://𝐞𝐯𝐢𝐥.example/"),
  plain("a soft hyphen", "http://ev\u00adil.example/"),
  plain("a zero-width space", "http://ev\u200bil.example/"),
  plain("a word joiner", "http://evil\u2060.example/"),
  html("IDN by entities", '<a href="http://b&uuml;cher.example/">', ["xn--bcher-kva.example"]),
  mime(
    "IDN in Latin 1",
    concat([bytesOf("Content-Type: text/plain; charset=iso-8859-1\n\n"), latin1("http://b\xfccher.example/")]),
    ["xn--bcher-kva.example"],
  ),
  mime(
    "IDN in KOI8-R",
    concat([bytesOf("Content-Type: text/plain; charset=koi8-r\n\n"), latin1("http://\xd0\xd2\xc9.example/")]),
    ["xn--h1and.example"],
  ),
  mime(
    "IDN in a charset that nobody knows",
    concat([bytesOf("Content-Type: text/plain; charset=x-none\n\n"), latin1("http://b\xfccher.example/")]),
    ["xn--bcher-kva.example"],
  ),

  // --- HTML
  html("an attribute", LINK),
  html("single quotes", "<a href='http://evil.example/x'>"),
  html("no quotes", "<a href=http://evil.example/x>"),
  html("no quotes and no path", "<a href=http://evil.example>x</a>"),
  html("blanks before it", '<a href="  \n http://evil.example/">'),
  html("blanks around the equals sign", '<a href = "http://evil.example/">'),
  html("a line end in the scheme", '<a href="ht\ntp://evil.example/">'),
  html("a line end in the slashes", '<a href="http:/\n/evil.example/">'),
  html("a line end in the host", '<a href="http://ev\nil.example/">'),
  html("CR LF and a tab in the host", '<a href="http://ev\r\nil.\texample/">'),
  html("a tab by an entity", '<a href="http://ev&Tab;il.example/">'),
  html("a line end by an entity", '<a href="h&NewLine;ttp://ev&#10;il.example/">'),
  html("decimal entities", '<a href="&#104;&#116;&#116;&#112;&#58;&#47;&#47;&#101;vil.example/">'),
  html("hexadecimal entities", '<a href="&#x68;ttp://&#X65;vil.example/">'),
  html("entities without semicolons", '<a href="&#104ttp://&#101vil&#46example/">'),
  html("entities with many zeros", '<a href="http://&#00000000000101;vil.example/">'),
  html("named entities", '<a href="http&colon;&sol;&sol;evil&period;example&sol;x">'),
  html("named entities for a user", '<a href="http://good.example&commat;evil.example/">'),
  html("an ampersand by an entity", '<a href="http://good.example/?a=1&amp;u=http://evil.example/">', [
    "good.example",
    "evil.example",
  ]),
  html("a named entity that goes on", "http://evil.example&ltbr>x&notin;"),
  html("an entity behind it, or in it", "http://evil.example&copyright", ["evil.example", "evil.xn--exampleright-ppa"]),
  html("tags by entities", "&lt;http://evil.example&gt;"),
  html("a percent sign by an entity", '<a href="http://&#37;65vil.example/">'),
  html("no scheme", '<a href="//evil.example/x">'),
  html("no scheme, no quotes", "<a href=//evil.example/x>"),
  html("no scheme, backslashes", '<a href="\\\\evil.example/x">'),
  html("an image", '<img src="http://evil.example/x.gif">'),
  html("a style", "<div style=\"background:url('http://evil.example/x.gif')\">"),
  html("a style without quotes", '<div style="background:url(http://evil.example/x.gif)">'),
  html("a refresh", '<meta http-equiv="refresh" content="0;url=http://evil.example/">'),
  html("a base", '<base href="http://evil.example/">'),
  html("a form", '<form action="http://evil.example/x" method=post>'),
  html("a source set", '<img srcset="http://evil.example/1 1x, http://other.example/2 2x">', [
    "evil.example",
    "other.example",
  ]),
  html("a comment", "<!-- http://evil.example/ -->"),
  html("a comment for one browser", '<!--[if mso]><a href="http://evil.example/"><![endif]-->'),
  html("a script", "<script>location='http://evil.example/'</script>"),
  html("a tag that never ends", '<a href="http://evil.example/x'),
  html("a quote that never ends", '<a title="x href="http://evil.example/">'),
  html("text beside tags", "<p>http://evil.example</p>"),
  html("a NUL in the host", '<a href="http://ev\0il.example/">'),
  html("DOCTYPE and name spaces are hosts too", '<html xmlns="http://www.w3.org/1999/xhtml">', ["www.w3.org"]),

  // --- codings
  mime("base64", `Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}\n`),
  mime("base64 in short lines", `Content-Transfer-Encoding: base64\n\n${base64(LINK).replace(/./g, "$&\n")}`),
  mime(
    "base64 in one long line",
    `Content-Transfer-Encoding: base64\n\n${base64("x ".repeat(9000) + LINK).replaceAll("\n", "")}\n`,
  ),
  mime("base64 with blanks", `Content-Transfer-Encoding: BASE64 \n\n${base64(LINK).replace(/..../g, " $&\t")}\n`),
  mime(
    "base64 with other characters",
    `Content-Transfer-Encoding: base64\n\n${base64(LINK).replace(/..../g, "$&!")}\n`,
  ),
  mime("base64 in pieces", `Content-Transfer-Encoding: base64\n\n${base64("http://ev")}\n${base64("il.example/")}\n`),
  mime(
    "base64 with padding in its middle",
    `Content-Transfer-Encoding: base64\n\n${base64("xhttp://ev")}${base64("il.example/")}\n`,
  ),
  mime(
    "base64 without its padding",
    `Content-Transfer-Encoding: base64\n\n${base64("go to http://evil.example").replaceAll("=", "")}\n`,
  ),
  mime("base64 in capital letters, in quotes", `Content-Transfer-Encoding: "Base64"; x=y\n\n${base64(LINK)}\n`),
  mime("declared base64 that is text", `Content-Transfer-Encoding: base64\n\nsee http://evil.example/\n`),
  mime(
    "base64, and text behind it",
    `Content-Transfer-Encoding: base64\n\n${base64("Hello,")}\nsee http://evil.example/\n`,
  ),
  mime("quoted-printable", `Content-Transfer-Encoding: quoted-printable\n\n${quoted(LINK)}\n`),
  mime(
    "quoted-printable in small letters",
    `Content-Transfer-Encoding: quoted-printable\n\n<a href=3d"http://e=76il.example/">\n`,
  ),
  mime("a soft line break in the host", `Content-Transfer-Encoding: quoted-printable\n\nhttp://ev=\nil.example/\n`),
  mime(
    "a soft line break with blanks behind it",
    `Content-Transfer-Encoding: quoted-printable\n\nhttp://ev= \t\nil.example/\n`,
  ),
  mime(
    "a soft line break in a coded letter is no break",
    `Content-Transfer-Encoding: quoted-printable\n\nhttp://evil.example=4\n1\n`,
  ),
  mime(
    "quoted-printable with mistakes",
    `Content-Transfer-Encoding: quoted-printable\n\n<a href="http://evil.example/?a=b&c=d">\n`,
  ),
  mime("a coding that nobody knows", `Content-Transfer-Encoding: x-foo\n\n${LINK}\n`),
  mime("a coding with a comment", `Content-Transfer-Encoding: (really) base64\n\n${base64(LINK)}\n`),
  mime("a coding in a folded field", `Content-Transfer-Encoding:\n base64\n\n${base64(LINK)}\n`),
  mime("two codings", `Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}\n`),
  mime("a blank before the colon", `Content-Transfer-Encoding : base64\n\n${base64(LINK)}\n`),

  // --- UTF-16
  mime("UTF-16 with a mark", concat([bytesOf("Content-Type: text/html; charset=utf-16\n\n"), utf16(LINK)])),
  mime(
    "UTF-16, big endian, with a mark",
    concat([bytesOf("Content-Type: text/html; charset=utf-16\n\n"), utf16(LINK, { little: false })]),
  ),
  mime("UTF-16 that is not declared", concat([bytesOf("Content-Type: text/html\n\n"), utf16(LINK)])),
  mime(
    "UTF-16LE without a mark",
    concat([bytesOf("Content-Type: text/html; charset=utf-16le\n\n"), utf16(LINK, { mark: false })]),
  ),
  mime(
    "UTF-16BE without a mark",
    concat([bytesOf("Content-Type: text/html; charset=UTF-16BE\n\n"), utf16(LINK, { mark: false, little: false })]),
  ),
  mime(
    "UTF-16 that is declared the other way",
    concat([bytesOf("Content-Type: text/html; charset=utf-16be\n\n"), utf16(LINK, { mark: false })]),
  ),
  mime("declared UTF-16 that is UTF-8", `Content-Type: text/html; charset=utf-16\n\n${LINK}\n`),
  mime("UTF-16 without a mark that is not declared", concat([bytesOf("\n"), utf16(LINK, { mark: false })])),
  mime(
    "UTF-16 in base64",
    `Content-Type: text/html; charset=utf-16\nContent-Transfer-Encoding: base64\n\n${base64(utf16(LINK))}\n`,
  ),
  mime(
    "IDN in UTF-16",
    `Content-Transfer-Encoding: base64\n\n${base64(utf16("http://bücher.example/ http://𝐞vil.example/"))}\n`,
    [
      "xn--bcher-kva.example",
      "evil.example",
    ],
  ),

  // --- parts
  mime("no header at all", "http://evil.example/\n\nhttp://other.example/\n", ["evil.example", "other.example"]),
  mime("an empty header", "\nhttp://evil.example/\n"),
  mime("fields of the header are not read", "List-Unsubscribe: <http://good.example/>\n\nhttp://evil.example/\n"),
  mime("a line that is no field", "Subject: x\nhttp://evil.example/\nX: http://other.example/\n\ntext\n", [
    "evil.example",
    "other.example",
  ]),
  mime(
    "a line of a mailbox file",
    "From me@example.org Mon\nSubject: x\nContent-Transfer-Encoding: base64\n\n" + base64(LINK),
  ),
  mime("a message that ends in its header", "Subject: x\nhttp://evil.example/"),
  mime("line ends that are CRs", "Subject: x\rContent-Type: text/html\r\rhttp://evil.example/\r"),
  mime(
    "a very long field",
    `Content-Type: multipart/mixed; x="${
      "y".repeat(50_000)
    }"; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}\n--b--\n`,
  ),
  mime(
    "a field that is folded very often",
    `Content-Type: multipart/mixed;${
      '\n x="y";'.repeat(5_000)
    } boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}\n--b--\n`,
  ),
  mime(
    "the last of many fields",
    `${"Content-Type: text/plain\n".repeat(9)}Content-Type: multipart/mixed; boundary=b\n\n--b\n` +
      `Content-Transfer-Encoding: base64\n\n${base64(LINK)}\n--b--\n`,
  ),
  mime("a part", multipart(`Content-Type: text/html\n\n${LINK}`)),
  mime("two parts", multipart("\nhttp://evil.example/", "\nhttp://other.example/"), ["evil.example", "other.example"]),
  mime("a part in base64", multipart(`Content-Transfer-Encoding: base64\n\n${base64(LINK)}`)),
  mime(
    "before the first part",
    "Content-Type: multipart/mixed; boundary=b\n\nhttp://evil.example/\n--b\n\ntext\n--b--\n",
  ),
  mime("behind the last part", `${multipart("\ntext")}http://evil.example/\n`),
  mime(
    "no last boundary",
    `Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}\n`,
  ),
  mime("no first boundary", "Content-Type: multipart/mixed; boundary=b\n\nhttp://evil.example/\n"),
  mime("no boundary declared", `Content-Type: multipart/mixed\n\n--b\n\n${LINK}\n--b--\n`),
  mime("an empty boundary", `Content-Type: multipart/mixed; boundary=""\n\n--\n\n${LINK}\n----\n`),
  mime(
    "no MIME-Version, no subtype",
    `Content-Type: multipart; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}\n--b--\n`,
  ),
  mime(
    "a boundary with blanks behind it",
    `Content-Type: multipart/mixed; boundary=b\n\n--b \t\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b--\n`,
  ),
  mime(
    "a boundary in a header",
    `Content-Type: multipart/mixed; boundary=b\n\n--b\nSubject: x\n--b\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n`,
  ),
  mime(
    "a boundary in RFC 2231's form",
    `Content-Type: multipart/mixed; boundary*=us-ascii''a%62c\n\n--abc\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--abc--\n`,
  ),
  mime(
    "a boundary in parts",
    `Content-Type: multipart/mixed; boundary*0="a"; boundary*1=bc\n\n--abc\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--abc--\n`,
  ),
  mime(
    "a boundary in a folded field",
    `Content-Type: multipart/mixed;\n\tboundary="b"\n\n--b\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b--\n`,
  ),
  mime(
    "a boundary with a comment before it",
    `Content-Type: multipart/mixed (x); boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b--\n`,
  ),
  mime(
    "a boundary with a comment between it and its name",
    `Content-Type: multipart/mixed; boundary=(x) "b"\n\n--b\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b--\n`,
  ),
  mime(
    "a boundary that is like a comment",
    `Content-Type: multipart/mixed; boundary=(x)b\n\n--(x)b\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--(x)b--\n`,
  ),
  mime(
    "a boundary without its quotes",
    `Content-Type: multipart/mixed; boundary=b c\n\n--b c\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b c--\n`,
  ),
  mime(
    "two fields that say what it is",
    `Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b--\n`,
  ),
  mime(
    "one boundary begins with the other",
    `Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b1\n\n--b1\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b1--\n--b--\n`,
  ),
  mime(
    "one boundary for both",
    `Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b--\n--b--\n`,
  ),
  mime(
    "a very long boundary",
    `Content-Type: multipart/mixed; boundary=${"b".repeat(300)}\n\n--${
      "b".repeat(300)
    }\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}\n`,
  ),
  mime(
    "a message in a message",
    `Content-Type: message/rfc822\n\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}\n`,
  ),
  mime(
    "a message in a part",
    multipart(`Content-Type: message/rfc822\n\nSubject: y\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}`),
  ),
  mime(
    "a message in base64",
    multipart(
      `Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n${
        base64(multipart(`Content-Transfer-Encoding: base64\n\n${base64(LINK)}`))
      }`,
    ),
  ),
  mime(
    "a message that is declared as base64 and is not",
    multipart(
      `Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nSubject: y\nContent-Transfer-Encoding: base64\n\n${
        base64(LINK)
      }`,
    ),
  ),
  mime(
    "a message in quoted-printable",
    multipart(
      `Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n${
        quoted(`Content-Transfer-Encoding: base64\n\n${base64(LINK)}`)
      }`,
    ),
  ),
  mime(
    "a digest",
    `Content-Type: multipart/digest; boundary=b\n\n--b\n\nContent-Transfer-Encoding: base64\n\n${
      base64(LINK)
    }\n--b--\n`,
  ),
  mime("nested", nested(10, `Content-Transfer-Encoding: base64\n\n${base64(LINK)}`)),
  mime("nested as deep as the bound", nested(20, `Content-Transfer-Encoding: base64\n\n${base64(LINK)}`)),
  mime("nested deeper, as text", nested(30, `Content-Type: text/html\n\n${LINK}`)),
  mime("a type that is not valid", `Content-Type: html\n\n${LINK}\n`),
  mime("another type", `Content-Type: application/x-foo\n\n${LINK}\n`),
  mime(
    "a web page as a file",
    multipart(
      `Content-Type: application/octet-stream; name=x.html\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}`,
    ),
  ),
  mime(
    "a picture is not read",
    multipart(`Content-Type: image/gif\nContent-Transfer-Encoding: base64\n\n${base64(`GIF89a\x01\0${LINK}`)}`),
    [],
  ),
  mime(
    "a picture that is a web page",
    multipart(`Content-Type: image/gif\nContent-Transfer-Encoding: base64\n\n${base64(LINK)}`),
  ),
];

function search(message: Uint8Array, piece: number): UrlSearch {
  const search = new UrlSearch();
  for (let at = 0; at < message.length; at += piece) search.push(message.subarray(at, at + piece));
  search.end();
  return search;
}

for (const [name, pieceOf] of [["whole", () => 1_000_000], ["one octet at a time", () => 1]] as const) {
  Deno.test(`Each trick is seen through, ${name}`, async (test) => {
    for (const { trick, message, hosts = [] } of TRICKS) {
      const octets = typeof message === "string" ? bytesOf(message) : message;
      await test.step(trick, () => {
        assert.deepEqual(search(octets, pieceOf()).hosts.map(formatHost).sort(), [...hosts].sort());
      });
    }
  });
}
