// Character references of HTML (HTML Standard, "character reference state"), decoded octet by octet. Pure.
//
// It knows the names of characters that can stand in or beside the scheme or the host of a URL, and the letters of
// Latin 1 for names in other languages. Everything else stays as it is written. Each octet is looked at twice at most.

import { bytesOf, SP } from "../text/octets.ts";
import { AMPERSAND, hexDigit } from "./url_characters.ts";

const HASH = 0x23;
const SEMICOLON = 0x3b;
const SMALL_X = 0x78;

/** The HTML Standard allows these without a semicolon. */
const OLD_NAMES: ReadonlyMap<string, string> = new Map(Object.entries({
  amp: "&",
  AMP: "&",
  lt: "<",
  LT: "<",
  gt: ">",
  GT: ">",
  quot: '"',
  QUOT: '"',
  ...latin1Names(),
}));

const NAMES: ReadonlyMap<string, string> = new Map(Object.entries({
  ...Object.fromEntries(OLD_NAMES),
  apos: "'",
  Tab: "\t",
  NewLine: "\n",
  excl: "!",
  num: "#",
  dollar: "$",
  percnt: "%",
  lpar: "(",
  rpar: ")",
  ast: "*",
  midast: "*",
  plus: "+",
  comma: ",",
  period: ".",
  sol: "/",
  colon: ":",
  semi: ";",
  equals: "=",
  quest: "?",
  commat: "@",
  lsqb: "[",
  lbrack: "[",
  bsol: "\\",
  rsqb: "]",
  rbrack: "]",
  Hat: "^",
  lowbar: "_",
  UnderBar: "_",
  grave: "`",
  lcub: "{",
  lbrace: "{",
  verbar: "|",
  vert: "|",
  rcub: "}",
  rbrace: "}",
  fjlig: "fj",
  nbsp: "\u00a0",
  NonBreakingSpace: "\u00a0",
  ensp: "\u2002",
  emsp: "\u2003",
  thinsp: "\u2009",
  ZeroWidthSpace: "\u200b",
  zwnj: "\u200c",
  zwj: "\u200d",
  lrm: "\u200e",
  rlm: "\u200f",
  NoBreak: "\u2060",
  inodot: "\u0131",
  imath: "\u0131",
}));

// The longest name above has 16 letters.
const READ_LIMIT = 20;

// More than any character has. It keeps the number small.
const POINT_LIMIT = 0x110000;

// The names of U+00A0 to U+00FF, in order.
function latin1Names(): Record<string, string> {
  const names =
    "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 " +
    "acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring " +
    "AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times " +
    "Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute " +
    "ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc " +
    "uuml yacute thorn yuml";
  return Object.fromEntries(names.split(" ").map((name, at) => [name, String.fromCharCode(0xa0 + at)]));
}

interface Node {
  readonly next: Map<number, Node>;
  /** The character in UTF-8, if a name ends here. */
  octets?: Uint8Array;
  /** It needs no semicolon. */
  isOld?: boolean;
}

const ROOT = treeOf([...NAMES], new Set(OLD_NAMES.keys()));

function treeOf(names: readonly (readonly [string, string])[], old: ReadonlySet<string>): Node {
  const root: Node = { next: new Map() };
  for (const [name, text] of names) {
    let node = root;
    for (const letter of bytesOf(name)) {
      const next: Node = node.next.get(letter) ?? { next: new Map() };
      node.next.set(letter, next);
      node = next;
    }
    node.octets = bytesOf(text);
    node.isOld = old.has(name);
  }
  return root;
}

type State = "none" | "ampersand" | "hash" | "x" | "decimal" | "hexadecimal" | "name";

/** Decodes references, and calls `give` with each octet of the result. */
export class EntityDecoder {
  readonly #give: (octet: number) => void;
  #state: State = "none";
  #point = 0;
  /** The octets since the last `&`, without it. */
  readonly #read = new Uint8Array(READ_LIMIT);
  #length = 0;
  #node = ROOT;
  /** The last name here that needs no semicolon, and its length. */
  #old: Node | undefined;
  #oldLength = 0;

  constructor(give: (octet: number) => void) {
    this.#give = give;
  }

  /** Whether no reference is under way. Then an octet other than `&` would be given as it is. */
  get isIdle(): boolean {
    return this.#state === "none";
  }

  take(octet: number): void {
    switch (this.#state) {
      case "none":
        if (octet === AMPERSAND) this.#begin();
        else this.#give(octet);
        return;
      case "ampersand":
        if (octet === HASH) return this.#goOn("hash", octet);
        this.#state = "name";
        return this.#takeInName(octet);
      case "hash":
        if ((octet | 0x20) === SMALL_X) return this.#goOn("x", octet);
        if (isDigit(octet)) return this.#addDigit("decimal", octet);
        return this.#giveUp(octet);
      case "x":
        if (hexDigit(octet) >= 0) return this.#addDigit("hexadecimal", octet);
        return this.#giveUp(octet);
      case "decimal":
        if (isDigit(octet)) return this.#addDigit("decimal", octet);
        return this.#endNumber(octet);
      case "hexadecimal":
        if (hexDigit(octet) >= 0) return this.#addDigit("hexadecimal", octet);
        return this.#endNumber(octet);
      case "name":
        this.#takeInName(octet);
    }
  }

  /** Ends the text. An unfinished reference is given as it stands. */
  end(): void {
    // A space ends every reference. Nothing that the search looks for contains a space.
    if (this.#state !== "none") this.take(SP);
  }

  #begin(): void {
    this.#state = "ampersand";
    this.#node = ROOT;
    this.#length = this.#point = 0;
    this.#old = undefined;
  }

  #goOn(state: State, octet: number): void {
    this.#state = state;
    this.#read[this.#length++] = octet;
  }

  #addDigit(state: "decimal" | "hexadecimal", octet: number): void {
    this.#state = state;
    this.#point = Math.min(this.#point * (state === "decimal" ? 10 : 16) + hexDigit(octet), POINT_LIMIT);
  }

  #takeInName(octet: number): void {
    const next = this.#node.next.get(octet);
    if (!next) return this.#endName(octet);
    this.#read[this.#length++] = octet;
    this.#node = next;
    if (!next.isOld) return;
    this.#old = next;
    this.#oldLength = this.#length;
  }

  #endName(octet: number): void {
    const { octets } = this.#node;
    if (octet === SEMICOLON && octets) {
      this.#state = "none";
      return this.#giveAll(octets);
    }
    if (!this.#old) return this.#giveUp(octet);
    this.#state = "none";
    this.#giveAll(this.#old.octets!);
    this.#giveAll(this.#read, this.#oldLength, this.#length);
    this.take(octet);
  }

  #endNumber(octet: number): void {
    this.#state = "none";
    const point = this.#point;
    if (point < 0x80) this.#give(point);
    else {
      const isCharacter = point < POINT_LIMIT && (point < 0xd800 || point > 0xdfff);
      this.#giveWide(isCharacter ? point : 0xfffd);
    }
    if (octet !== SEMICOLON) this.take(octet);
  }

  // Gives up: the text is no reference and stands for itself. `octet` may begin another one.
  #giveUp(octet: number): void {
    this.#state = "none";
    this.#give(AMPERSAND);
    this.#giveAll(this.#read, 0, this.#length);
    this.take(octet);
  }

  // Gives a character in UTF-8 (RFC 3629).
  #giveWide(point: number): void {
    if (point < 0x800) this.#give(0xc0 | point >> 6);
    else {
      if (point < 0x10000) this.#give(0xe0 | point >> 12);
      else {
        this.#give(0xf0 | point >> 18);
        this.#give(0x80 | point >> 12 & 0x3f);
      }
      this.#give(0x80 | point >> 6 & 0x3f);
    }
    this.#give(0x80 | point & 0x3f);
  }

  #giveAll(octets: Uint8Array, start = 0, end = octets.length): void {
    for (let at = start; at < end; at++) this.#give(octets[at]!);
  }
}

function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39;
}
