// Facts about the content of a part, from its header (RFC 2045 s.5, s.6). It reads generously. Pure.
//
// Programs do not agree on fields with mistakes, and a sender may make mistakes on purpose. So every text that some
// program takes for a boundary is one here.

/** The facts about a part. */
export interface ContentFields {
  /** In lower case, such as `text/html`; undefined if none is declared. */
  readonly type: string | undefined;
  /** In lower case; empty if none is declared. */
  readonly charset: string;
  /** Every text that may begin its parts, without the hyphens. Empty if it has no parts. */
  readonly boundaries: readonly string[];
  readonly coding: "none" | "base64" | "quoted-printable";
}

// A longer boundary is compared only up to this. RFC 2046 s.5.1.1 allows 70.
export const BOUNDARY_LIMIT = 256;

// The limit for one part. Programs do not disagree about more.
const BOUNDARIES_LIMIT = 8;

// The type, with its comments.
const TYPE_LIMIT = 200;

/**
 * Reads the values of the fields Content-Type and Content-Transfer-Encoding. They may be unfolded or not. They are in
 * their order.
 */
export function parseContentFields(types: readonly string[], codings: readonly string[]): ContentFields {
  const parsed = types.map(parseContentType);
  const multipart = parsed.find(({ type, boundaries }) => type.startsWith("multipart") && boundaries.length > 0);
  const { type } = multipart ?? parsed[0] ?? {};
  return {
    type: type || undefined,
    charset: parsed.find(({ charset }) => charset !== "")?.charset ?? "",
    boundaries: multipart ? parsed.flatMap(({ boundaries }) => boundaries).slice(0, BOUNDARIES_LIMIT) : [],
    coding: codings.map(codingOf).find((coding) => coding !== "none") ?? "none",
  };
}

function codingOf(value: string): ContentFields["coding"] {
  const small = value.toLowerCase();
  return small.includes("base64") ? "base64" : small.includes("quoted") ? "quoted-printable" : "none";
}

interface ContentType {
  readonly type: string;
  readonly charset: string;
  readonly boundaries: readonly string[];
}

const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?([^;]*)|([^;]*))/gs;

function parseContentType(value: string): ContentType {
  const text = value.replace(/[\r\n]+/g, "");
  const [type = ""] = text.slice(0, TYPE_LIMIT).replace(/\([^)]*\)/g, " ").trim().split(/[;\s]/, 1);
  const plain: [string, string][] = [];
  // RFC 2231 s.3 and s.4: a value may come in parts. It may be percent-encoded, after its charset and language.
  const inParts = new Map<string, string>();
  for (const [, name = "", quoted, , bare = ""] of text.matchAll(PARAMETER)) {
    const [, base = "", part, encoded] = /^([^*]*)(?:\*([0-9]*))?(\*)?$/.exec(name.toLowerCase()) ?? [];
    const given = quoted?.replace(/\\(.)/gs, "$1") ?? bare.trim();
    if (part === undefined) {
      plain.push([base, given]);
      // A comment may stand before the value. Some programs take it for a piece of the value.
      const [, uncommented] = /^(?:\([^)]*\)\s*)+"?([^"]*)/.exec(quoted === undefined ? given : "") ?? [];
      if (uncommented !== undefined) plain.push([base, uncommented.trim()]);
      // Some programs read on to the next semicolon, some to the next blank.
      if (quoted === undefined && /\s/.test(given)) plain.push([base, given.split(/\s/, 1)[0]!]);
      continue;
    }
    const isEncoded = encoded !== undefined || part === "";
    const said = isEncoded ? decoded(part === "" || part === "0" ? given.replace(/^[^']*'[^']*'/, "") : given) : given;
    inParts.set(base, (inParts.get(base) ?? "") + said);
  }
  const all = [...plain, ...inParts];
  return {
    type: type.toLowerCase(),
    charset: (all.find(([name]) => name === "charset")?.[1] ?? "").toLowerCase(),
    boundaries: all.filter(([name, value]) => name === "boundary" && value.trim() !== "")
      .map(([, value]) => value.trimEnd().slice(0, BOUNDARY_LIMIT)),
  };
}

function decoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}
