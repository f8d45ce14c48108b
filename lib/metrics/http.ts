// HTTP/1.1 for a small server of pages: the head of a request, and whole responses (RFC 9112). Pure.
//
// It knows GET and HEAD, and no body of a request. Each response ends its connection. A head that is malformed or too long
// is a `Refusal` with the status and the reason in plain words. Nothing of a request is in any response.

import { CR, LF, textOf } from "../text/octets.ts";

/** Octets of the request line. RFC 9112 s.3 asks for 8000 at least from servers for everybody. Our paths are short. */
export const REQUEST_LINE_LIMIT = 4096;

/** Octets of all header lines. Browsers send about 1000. */
export const HEADER_LIMIT = 16_384;

export interface Request {
  readonly isHead: boolean;
  /** Without the query. */
  readonly path: string;
  /** The value of the field Accept. Several are joined. */
  readonly accept: string | undefined;
}

export interface Refusal {
  readonly status: 400 | 405 | 414 | 431 | 505;
  readonly why: string;
}

export interface Response {
  readonly status: 200 | 404 | 500 | 503 | Refusal["status"];
  readonly type: string;
  readonly body: string;
  /** Further header fields, and others in place of the usual ones. */
  readonly fields?: Readonly<Record<string, string>>;
}

const REASONS: Readonly<Record<Response["status"], string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  414: "URI Too Long",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

// RFC 9110 s.5.6.2.
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/([0-9])\\.([0-9])$`);
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*([^\\x00-\\x08\\x0a-\\x1f\\x7f]*?)[ \\t]*$`);

/** Takes the head of a request as it comes, in any pieces. Octets after the head do not count. */
export class RequestReader {
  #line: number[] = [];
  #size = 0;
  #start: string | undefined;
  readonly #lines: string[] = [];

  /** The request, or why there is none; undefined if more octets are needed. */
  push(octets: Uint8Array): Request | Refusal | undefined {
    for (const octet of octets) {
      const limit = this.#start === undefined ? REQUEST_LINE_LIMIT : HEADER_LIMIT;
      if (++this.#size > limit) return this.#tooLong();
      if (octet !== LF) {
        this.#line.push(octet);
        continue;
      }
      // RFC 9112 s.2.2: a line may end with a bare LF.
      if (this.#line.at(-1) === CR) this.#line.pop();
      const line = textOf(Uint8Array.from(this.#line));
      this.#line = [];
      if (this.#start === undefined) {
        // RFC 9112 s.2.2: empty lines may come before a request.
        if (line === "") continue;
        if (!REQUEST_LINE.test(line)) return { status: 400, why: "the request line is malformed" };
        this.#start = line;
        this.#size = 0;
      } else if (line === "") return requestOf(this.#start, this.#lines);
      else this.#lines.push(line);
    }
    return undefined;
  }

  #tooLong(): Refusal {
    return this.#start === undefined
      ? { status: 414, why: `the request line has more than ${REQUEST_LINE_LIMIT} octets` }
      : { status: 431, why: `the header has more than ${HEADER_LIMIT} octets` };
  }
}

function requestOf(start: string, lines: readonly string[]): Request | Refusal {
  const [, method, target = "", major, minor] = REQUEST_LINE.exec(start)!;
  if (major !== "1") return { status: 505, why: "only HTTP/1.1 is spoken here" };
  let hosts = 0;
  const accepts: string[] = [];
  for (const line of lines) {
    const [, name = "", value = ""] = FIELD.exec(line) ?? [];
    if (name === "") return { status: 400, why: "a header line is malformed" };
    if (/^host$/i.test(name)) hosts++;
    if (/^accept$/i.test(name)) accepts.push(value);
  }
  // RFC 9112 s.3.2.
  if (hosts > 1 || (hosts === 0 && minor !== "0")) return { status: 400, why: "there must be one Host field" };
  if (method !== "GET" && method !== "HEAD") return { status: 405, why: "only GET and HEAD are possible" };
  return {
    isHead: method === "HEAD",
    path: pathOf(target),
    accept: accepts.length === 0 ? undefined : accepts.join(","),
  };
}

// The target may be a whole URL (RFC 9112 s.3.2.2).
function pathOf(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, "").replace(/[?#].*$/, "");
  return path === "" ? "/" : path;
}

/** A whole response, with the end of the connection. `isHead`: without its body (RFC 9110 s.9.3.2). */
export function formatResponse(
  { status, type, body, fields = {} }: Response,
  { isHead, now }: { readonly isHead: boolean; readonly now: Date },
): Uint8Array {
  const encoder = new TextEncoder();
  const content = encoder.encode(body);
  const all = {
    Date: now.toUTCString(),
    "Content-Type": type,
    "Content-Length": content.length,
    Connection: "close",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    ...fields,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const start = encoder.encode(`HTTP/1.1 ${status} ${REASONS[status]}\r\n${lines.join("")}\r\n`);
  if (isHead) return start;
  const whole = new Uint8Array(start.length + content.length);
  whole.set(start);
  whole.set(content, start.length);
  return whole;
}

/** A response of plain text. */
export function plainText(status: Response["status"], text: string, fields?: Response["fields"]): Response {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n`, ...fields ? { fields } : {} };
}
