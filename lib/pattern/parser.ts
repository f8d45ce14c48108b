// Reads POSIX basic and extended regular expressions (POSIX s.9) with GNU's extensions, and makes trees of them.
//
// Where POSIX leaves a case open, this does what GNU grep -i 3.8 does:
// * `*` with nothing before it is a literal in a basic expression. In an extended one it repeats nothing.
// * `{` that begins no interval is a literal in an extended expression.
// * `^` and `$` are anchors: in a basic expression at the ends of an alternative, in an extended one anywhere.
// * A backslash before any other octet is ignored.
//
// An expression is octets and has no line end. A wrong expression throws a `PatternError`.

import { isSpace, LF, textOf } from "../text/octets.ts";
import { parseBracket } from "./bracket.ts";
import { isWord, type OctetSet, octetsThat } from "./octets.ts";
import { type Assertion, PatternError, type Tree } from "./tree.ts";

export type Syntax = "basic" | "extended";

// RE_DUP_MAX of glibc.
const REPEAT_LIMIT = 32_767;

// The parser, the compiler and the readers of the tree call themselves at most this deep.
const NESTING_LIMIT = 250;

const BACKSLASH = 0x5c;
const CLOSING_BRACE = 0x7d;

const OPERATORS = "(){|+?";

const ASSERTIONS: ReadonlyMap<string, Assertion> = new Map([
  ["`", "line-start"],
  ["'", "line-end"],
  ["<", "word-start"],
  [">", "word-end"],
  ["b", "word-edge"],
  ["B", "no-word-edge"],
]);

const ESCAPED_SETS: ReadonlyMap<string, OctetSet> = new Map([
  ["w", octetsThat(isWord)],
  ["W", octetsThat((octet) => !isWord(octet))],
  ["s", octetsThat(isSpace)],
  ["S", octetsThat((octet) => !isSpace(octet))],
]);

const EMPTY: Tree = { kind: "empty" };
const ANY: Tree = { kind: "octet", set: octetsThat((octet) => octet !== LF) };
const LITERALS: Tree[] = [];

interface Token {
  /** The octet as a character, with the backslash before it if there is one. */
  readonly text: string;
  readonly isEscaped: boolean;
  readonly isOperator: boolean;
}

interface Interval {
  readonly min: number;
  readonly max: number;
  readonly end: number;
}

function literal(octet: number): Tree {
  return LITERALS[octet] ??= { kind: "octet", set: octetsThat((other) => other === octet) };
}

/** The tree of the expression `source`. */
export function parsePattern(source: Uint8Array, syntax: Syntax): Tree {
  if (source.includes(LF)) throw new PatternError("it has a line end");
  return new Parser(source, syntax).parse();
}

class Parser {
  readonly #source: Uint8Array;
  readonly #isBasic: boolean;
  #at = 0;
  #nesting = 0;
  #groups = 0;
  /** The groups that have ended. A back-reference may refer only to these. */
  #ended: ReadonlySet<number> = new Set();
  /** Whether there is nothing to repeat: at the start of an alternative, and after an anchor that stands there. */
  #isStart = true;

  constructor(source: Uint8Array, syntax: Syntax) {
    this.#source = source;
    this.#isBasic = syntax === "basic";
  }

  parse(): Tree {
    const tree = this.#parseChoice();
    if (this.#at < this.#source.length) throw this.#unmatched(")");
    return tree;
  }

  #parseChoice(): Tree {
    // A group that ended in one alternative does not exist in the next one.
    const before = this.#ended;
    let after = before;
    const parts: Tree[] = [];
    do {
      this.#ended = before;
      this.#isStart = true;
      parts.push(this.#parseSequence());
      after = after.union(this.#ended);
    } while (this.#take("|"));
    this.#ended = after;
    return parts.length === 1 ? parts[0]! : { kind: "choice", parts };
  }

  #parseSequence(): Tree {
    const parts: Tree[] = [];
    for (let token = this.#peek(); token && !this.#endsSequence(token); token = this.#peek()) {
      parts.push(this.#parseRepeated(token, parts.length === 0));
    }
    return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
  }

  // An extended `)` without its `(` is a literal.
  #endsSequence({ text, isOperator }: Token): boolean {
    return isOperator && (text === "|" || (text === ")" && (this.#isBasic || this.#nesting > 0)));
  }

  #parseRepeated(token: Token, isFirst: boolean): Tree {
    let part = this.#parseAtom(token, isFirst);
    // In a basic expression, an operator after an anchor that has nothing before it is a literal.
    for (let depth = 0; !(this.#isBasic && this.#isStart); depth++) {
      const interval = this.#takeRepetition();
      if (!interval) break;
      if (this.#isStart) this.#checkAlone();
      if (depth === NESTING_LIMIT) throw new PatternError(`more than ${NESTING_LIMIT} repetitions of one thing`);
      part = { kind: "repeat", part, min: interval.min, max: interval.max };
    }
    return part;
  }

  #parseAtom(token: Token, isFirst: boolean): Tree {
    const { text, isOperator, isEscaped } = token;
    if (isOperator && "*+?{".includes(text)) return this.#parseNothing(token);
    if (isOperator && text === "(") return this.#parseGroup();
    const at = this.#at;
    this.#at += isEscaped ? 2 : 1;
    if (isEscaped) return this.#parseEscaped(text);
    if (text === "^" && (isFirst || !this.#isBasic)) return this.#anchor("line-start");
    if (text === "$" && (!this.#isBasic || this.#isAtEnd())) return this.#anchor("line-end");
    this.#isStart = false;
    if (text === ".") return ANY;
    if (text !== "[") return literal(this.#source[at]!);
    const { set, end } = parseBracket(this.#source, this.#at);
    this.#at = end;
    return { kind: "octet", set };
  }

  // With nothing to repeat, a basic operator is a literal. An extended one repeats nothing and does not get here.
  #parseNothing({ text, isEscaped }: Token): Tree {
    if (!this.#isBasic && (text !== "{" || this.#parseInterval(this.#at + 1))) return EMPTY;
    this.#at += isEscaped ? 2 : 1;
    if (this.#isBasic) this.#isStart = false;
    else if (this.#isStart) this.#checkAlone();
    return literal(text.charCodeAt(0));
  }

  // GNU grep takes a `)` for a literal if it follows an operator that has nothing to repeat.
  #checkAlone(): void {
    if (this.#nesting > 0 && this.#source[this.#at - 1] !== CLOSING_BRACE && this.#peek()?.text === ")") {
      const operator = String.fromCharCode(this.#source[this.#at - 1]!);
      throw new PatternError(`${operator} in parentheses has nothing to repeat: give \\${operator} to mean itself`);
    }
  }

  #anchor(what: Assertion): Tree {
    if (!this.#isBasic) this.#isStart = true;
    return { kind: "assert", what };
  }

  #parseGroup(): Tree {
    this.#take("(");
    if (++this.#nesting > NESTING_LIMIT) throw new PatternError(`groups are nested more than ${NESTING_LIMIT} deep`);
    const number = ++this.#groups;
    const part = this.#parseChoice();
    if (!this.#take(")")) throw this.#unmatched("(");
    this.#nesting--;
    this.#isStart = false;
    this.#ended = new Set(this.#ended).add(number);
    return { kind: "group", part, number };
  }

  #parseEscaped(text: string): Tree {
    const what = ASSERTIONS.get(text);
    if (what) return this.#anchor(what);
    this.#isStart = false;
    const set = ESCAPED_SETS.get(text);
    if (set) return { kind: "octet", set };
    if (!/[1-9]/.test(text)) return literal(text.charCodeAt(0));
    if (this.#ended.has(Number(text))) return { kind: "reference", number: Number(text) };
    throw new PatternError(`\\${text} refers to a group that does not end before it`);
  }

  #takeRepetition(): Omit<Interval, "end"> | undefined {
    if (this.#take("*")) return { min: 0, max: Infinity };
    if (this.#take("+")) return { min: 1, max: Infinity };
    if (this.#take("?")) return { min: 0, max: 1 };
    const token = this.#peek();
    if (!token?.isOperator || token.text !== "{") return undefined;
    const interval = this.#parseInterval(this.#at + (token.isEscaped ? 2 : 1));
    if (interval) this.#at = interval.end;
    return interval;
  }

  // Reads what follows the brace. Undefined if an extended brace begins no interval and so is a literal.
  #parseInterval(at: number): Interval | undefined {
    const rest = textOf(this.#source.subarray(at));
    const [braces, close] = this.#isBasic ? ["\\{\\}", "\\}"] : ["{}", "}"];
    const content = /^(\d*)(,?)(\d*)/.exec(rest)!;
    const [{ length }, min = "", comma, max = ""] = content;
    const isWhole = rest.startsWith(close, length) && length > 0;
    const bounds = { min: Number(min), max: comma === "" ? Number(min) : max === "" ? Infinity : Number(max) };
    if (!isWhole || bounds.min > bounds.max) {
      if (this.#isBasic && !rest.includes(close)) throw this.#unmatched("{");
      // GNU grep reads the start of an expression in one way, and all other places in another.
      const isLiteral = !isWhole && !rest.startsWith("}") && !(comma !== "" && rest.startsWith(",", length));
      if (!this.#isBasic && (isLiteral || this.#isStart)) return undefined;
      throw new PatternError(`invalid content of ${braces}: give M, M,N with M no larger than N, M, or ,N`);
    }
    if (Math.max(bounds.min, Number(max)) > REPEAT_LIMIT) {
      throw new PatternError(`a repetition in ${braces} is larger than ${REPEAT_LIMIT}`);
    }
    return { ...bounds, end: at + length + close.length };
  }

  #isAtEnd(): boolean {
    const token = this.#peek();
    return !token || (token.isOperator && (token.text === "|" || token.text === ")"));
  }

  #take(text: string): boolean {
    const token = this.#peek();
    if (!token?.isOperator || token.text !== text) return false;
    this.#at += token.isEscaped ? 2 : 1;
    return true;
  }

  #peek(): Token | undefined {
    const octet = this.#source[this.#at];
    if (octet === undefined) return undefined;
    const isEscaped = octet === BACKSLASH;
    const character = isEscaped ? this.#source[this.#at + 1] : octet;
    if (character === undefined) throw new PatternError("trailing backslash");
    const text = String.fromCharCode(character);
    const isOperator = text === "*" ? !isEscaped : OPERATORS.includes(text) && isEscaped === this.#isBasic;
    return { text, isEscaped, isOperator };
  }

  #unmatched(text: string): PatternError {
    const other: Readonly<Record<string, string>> = { "(": ")", ")": "(", "{": "}" };
    const backslash = this.#isBasic ? "\\" : "";
    return new PatternError(`unmatched ${backslash}${text}: there is no ${backslash}${other[text]} for it`);
  }
}
