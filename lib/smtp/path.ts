// The path of MAIL FROM and RCPT TO (RFC 5321 s.4.1.2), and the parameters after it (s.4.1.1.11).
//
// This reads to know, not to judge: downstream decides about syntax. So a path without angle brackets ends at the next
// blank, and blanks after the colon are skipped. A text that can be no path gives undefined. A source route before the
// mailbox is left out, as s.4.1.1.3 allows. The null path `<>` is the empty string.

export interface PathAndParameters {
  readonly address: string;
  /** The keywords are in upper case. A keyword without a value has the empty string. */
  readonly parameters: ReadonlyMap<string, string>;
}

const PREFIX = { FROM: /^\s*FROM\s*:\s*/i, TO: /^\s*TO\s*:\s*/i } as const;

/** Reads ` FROM:<path> KEYWORD=VALUE …`. `keyword` is `FROM` or `TO`. */
export function parsePath(text: string, keyword: keyof typeof PREFIX): PathAndParameters | undefined {
  const start = PREFIX[keyword].exec(text);
  if (!start) return undefined;
  const rest = text.slice(start[0].length);
  const end = rest.startsWith("<") ? closingBracket(rest) : rest.search(/\s|$/);
  if (end === undefined || end === 0) return undefined;
  const path = rest.startsWith("<") ? rest.slice(1, end) : rest.slice(0, end);
  // Other text after the bracket may be a second address, and a server may take that one.
  if (rest.startsWith("<") && !/^(?:\s|$|[A-Za-z0-9-]+=)/.test(rest.slice(end + 1))) return undefined;
  const address = path.replace(/^@[^:"]*:/, "");
  return { address, parameters: parseParameters(rest.slice(end + 1)) };
}

/**
 * The address in ` FROM:<path> …`, as well as it can be read. If there is no path, it is the text in the brackets, or
 * the whole text. That is never a valid mailbox, but a filter must see what a lenient server has accepted.
 */
export function readAddress(text: string, keyword: keyof typeof PREFIX): string | undefined {
  const parsed = parsePath(text, keyword);
  if (parsed) return parsed.address;
  const start = PREFIX[keyword].exec(text);
  if (!start) return undefined;
  const rest = text.slice(start[0].length).trimEnd();
  return /^<(.*)>(?:\s|$)/s.exec(rest)?.[1] || rest || undefined;
}

// The bracket that closes the path. A bracket inside a quoted local part does not count.
function closingBracket(path: string): number | undefined {
  let quoted = false;
  for (let at = 1; at < path.length; at++) {
    const character = path[at];
    if (character === "\\") at++;
    else if (character === '"') quoted = !quoted;
    else if (character === ">" && !quoted) return at;
  }
  return undefined;
}

function parseParameters(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const word of text === "" ? [] : text.split(/\s+/)) {
    if (word === "") continue;
    const equals = word.indexOf("=");
    const keyword = equals === -1 ? word : word.slice(0, equals);
    parameters.set(keyword.toUpperCase(), equals === -1 ? "" : word.slice(equals + 1));
  }
  return parameters;
}
