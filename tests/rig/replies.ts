// Reads replies in a stream of octets, strictly by RFC 5321 s.4.2, without the program's own reader.
//
// One character is one octet. Text that is no reply ends the reading, and `bad` is its place. A sloppy server's lines
// may end with a bare LF. The reply is then read with CRLF in its place.

export interface HeardReply {
  readonly code: number;
  /** With its CRLFs, also where a bare LF stood. */
  readonly text: string;
  /** Where it stands in the stream. */
  readonly start: number;
  readonly end: number;
}

const LINE = /^([2-5][0-9][0-9])(?:([ -])([^]*))?$/;

export class ReplyScan {
  readonly #sloppy: boolean;
  readonly replies: HeardReply[] = [];
  bad: number | undefined;
  /** Octets so far. */
  length = 0;
  #rest = "";
  #restAt = 0;
  #lineAt = 0;
  #lines = 0;
  #octets = 0;
  #class = "";

  constructor(sloppy = false) {
    this.#sloppy = sloppy;
  }

  push(text: string): void {
    this.length += text.length;
    if (this.bad !== undefined) return;
    this.#rest += text;
    for (let lf = this.#rest.indexOf("\n", this.#lineAt); lf !== -1; lf = this.#rest.indexOf("\n", this.#lineAt)) {
      if (!this.#line(this.#rest.slice(this.#lineAt, lf + 1), lf + 1)) {
        this.bad = this.#restAt + this.#lineAt;
        return;
      }
    }
    if (this.#rest.length - this.#lineAt > 4096) this.bad = this.#restAt + this.#lineAt;
  }

  /** Octets of a reply that is not whole. */
  get unfinished(): number {
    return this.#rest.length;
  }

  #line(raw: string, end: number): boolean {
    const line = raw.slice(0, raw.endsWith("\r\n") || !this.#sloppy ? -2 : -1);
    const ends = this.#sloppy || raw.endsWith("\r\n");
    const parts = ends && raw.length <= 4096 && !/[\r\n\0]/.test(line) ? LINE.exec(line) : null;
    if (!parts || (this.#lines > 0 && parts[1]![0] !== this.#class)) return false;
    this.#class = parts[1]![0]!;
    this.#lines++;
    this.#octets += line.length + 2;
    if ((this.#lines > 1 || parts[2] === "-") && (this.#lines > 1000 || this.#octets > 65536)) return false;
    this.#lineAt = end;
    if (parts[2] === "-") return true;
    const text = this.#rest.slice(0, end).replace(/\r?\n/g, "\r\n");
    this.replies.push({ code: Number(parts[1]), text, start: this.#restAt, end: this.#restAt + end });
    this.#rest = this.#rest.slice(end);
    this.#restAt += end;
    this.#lineAt = 0;
    this.#lines = 0;
    this.#octets = 0;
    return true;
  }
}
