// Makes HTML. Each text in a template is escaped here, so that no caller can forget it. Pure.
//
// A text may come from a stranger. So more is escaped than markup: characters that are invisible, that change the direction
// of text, or that pile up on others are shown as the log shows them, as in `\u202e`.

/** HTML that is safe to put into HTML. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = string | number | Markup | undefined | readonly Content[];

/** A template: what stands in `${}` is escaped, unless it is markup. Attributes must be in double quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(String.raw({ raw: parts }, ...values.map(textOf)));
}

function textOf(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "object") return content.map(textOf).join("");
  return escapeMarkup(typeof content === "number" ? String(content) : visible(content, Infinity));
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}

// Controls, invisible and reserved characters, halves of a surrogate pair, line ends, and letters that look like a blank.
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/u;

const MARK = /\p{M}/u;

// More than the writing of any language needs.
const MARKS_IN_A_ROW = 3;

/**
 * The text of a stranger, of at most `limit` characters with its escapes. It is apart from the text around it, because
 * letters that are written from right to left change the order of what is beside them.
 */
export function foreign(text: string, limit: number): Markup {
  return new Markup(`<bdi dir="ltr">${escapeMarkup(visible(text, limit))}</bdi>`);
}

function visible(text: string, limit: number): string {
  // Most text is plain, and short enough.
  if (text.length <= limit && /^[\x20-\x5b\x5d-\x7e]*$/.test(text)) return text;
  let shown = "";
  let marks = 0;
  for (const character of text) {
    marks = MARK.test(character) ? marks + 1 : 0;
    const next = marks > MARKS_IN_A_ROW || UNSEEN.test(character) ? escaped(character) : character;
    // A backslash is the escape, here as in the log.
    const piece = next === "\\" ? "\\\\" : next;
    if (shown.length + piece.length > limit) return `${shown}…`;
    shown += piece;
  }
  return shown;
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!.toString(16);
  return code.length <= 2
    ? `\\x${code.padStart(2, "0")}`
    : code.length <= 4
    ? `\\u${code.padStart(4, "0")}`
    : `\\u{${code}}`;
}
