// The part of a fake server that listens, equally strict in all of them. Classes that extend it decide what to answer,
// and when.
//
// It reads strictly by RFC 5321: one command at a time, and none before the reply to the last one; legal lines that end
// with CRLF; content only after its own 354, up to CR LF . CR LF alone. `violations` has every offence. A request is
// anything that wants a reply. Text has one character for each octet.

import { show } from "./octets.ts";

export interface Request {
  /** A line is one of an AUTH exchange. The greeting is the reply to the connection. */
  readonly kind: "greeting" | "command" | "line" | "content";
  /** As it came; all of the content so far. */
  text: string;
  /** The content's end of data has come. */
  whole: boolean;
}

/** RFC 5321 allows 512 octets, extensions more; the program bounds lines at this. */
const LONGEST_LINE = 12288;

export abstract class ServerSession {
  readonly requests: Request[] = [];
  readonly violations: string[] = [];
  #unfinished = "";

  /** The code of the reply to the newest request; 0 while it has none. */
  protected abstract code(): number;

  /** Why nothing may be said now; undefined if it may. */
  protected abstract objection(text: string): string | undefined;

  /** The part of an unfinished line that has come. */
  get unfinished(): string {
    return this.#unfinished;
  }

  hear(text: string): void {
    while (text !== "") {
      const last = this.requests.at(-1);
      if (last?.kind === "content" && !last.whole) {
        text = hearContent(last, text);
        continue;
      }
      const objection = this.objection(text);
      if (objection) this.violations.push(`${show(text, 60)} ${objection}`);
      const kind = this.#nextKind(last);
      if (kind === "content") {
        this.begin(kind, "", false);
        continue;
      }
      const all = this.#unfinished + text;
      const end = all.indexOf("\n") + 1;
      this.#unfinished = end === 0 ? all : "";
      if (end === 0) return;
      const line = all.slice(0, end);
      text = all.slice(end);
      if (!/^[^\r\n\0]*\r\n$/.test(line) || line.length > LONGEST_LINE) {
        this.violations.push(`an illegal command line: ${show(line, 80)}`);
      }
      this.begin(kind, line, true);
    }
  }

  protected begin(kind: Request["kind"], text: string, whole: boolean): void {
    this.requests.push({ kind, text, whole });
  }

  /** The meaning of the next octets. */
  #nextKind(last: Request | undefined): "command" | "line" | "content" {
    const code = this.code();
    if (!last || code < 300 || code > 399 || last.kind === "greeting") return "command";
    const verb = verbOfRequest(last);
    if (verb === "AUTH" || verb === "line") return "line";
    if (code !== 354 || verb !== "DATA") this.violations.push(`${verb} got a ${code}, and content follows`);
    return "content";
  }
}

/** The verb of a command, in capitals; else what the request is: greeting, line, or dot for content. */
export function verbOfRequest({ kind, text }: Request): string {
  if (kind === "content") return "dot";
  return kind === "command" ? verbOf(text) : kind;
}

/** The verb of a line as a server understands it. */
export function verbOf(line: string): string {
  return /^[\t-\r ]*([^\t-\r ]*)/.exec(line)![1]!.replace(/[a-z]/g, (letter) => letter.toUpperCase());
}

/** A message without dot-stuffing: only CRLF begins a line, and the last line is the dot. */
export function decodeMessage(wire: string): string {
  return wire.slice(0, -3).replace(/(^|\r\n)\./g, "$1");
}

/** Takes what belongs to the content; what stands after its end. */
function hearContent(request: Request, text: string): string {
  const all = request.text + text;
  // From where a line end that is split between two writes would begin.
  const from = Math.max(0, request.text.length - 4);
  const end = all.startsWith(".\r\n") ? 3 : all.indexOf("\r\n.\r\n", from) + 5;
  request.whole = end >= 5 || all.startsWith(".\r\n");
  request.text = request.whole ? all.slice(0, end) : all;
  return request.whole ? all.slice(end) : "";
}
