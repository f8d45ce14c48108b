// A response of HTTP/1.1 (RFC 9112), read piece by piece. Pure.
//
// The body goes to a sink as it comes, so memory does not grow with it. It ends after its Content-Length, with its last
// chunk, or with the connection. Interim responses (1xx) are skipped. Anything else throws a `ServerFailure`: a
// malformed status line, a malformed length or two different ones, a coding other than `chunked`, or more than the
// bounds.

import { LF, textOf } from "../../text/octets.ts";
import { ServerFailure } from "../../wire/server_conn.ts";

/** Octets of all header lines and of all trailers together. Our servers send a few hundred at most. */
export const HEAD_LIMIT = 16_384;

/** Octets of a body. An answer of rspamd names each URL of the message. */
export const BODY_LIMIT = 64 * 1024 * 1024;

// RFC 9112 s.7.1: a size in hexadecimal, and extensions that nobody uses.
const CHUNK_LINE = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i;

type State = "head" | "counted" | "chunk size" | "chunk" | "chunk end" | "trailers" | "to the end" | "whole";

export class HttpResponse {
  readonly #onBody: (octets: Uint8Array) => void;
  #state: State = "head";
  /** The beginning of a line. The rest has not come yet. */
  #line = new Uint8Array(0);
  #headSize = 0;
  #bodySize = 0;
  /** How many octets of the body or of the chunk are still missing. */
  #missing = 0;
  #status: number | undefined;
  #version = "";
  #fields = new Map<string, string>();
  #isSurplus = false;

  /** `onBody` gets the octets of the body as views. They are valid until it returns. */
  constructor(onBody: (octets: Uint8Array) => void) {
    this.#onBody = onBody;
  }

  /** The status code, once the header has come; undefined before. */
  get status(): number | undefined {
    return this.#state === "head" ? undefined : this.#status;
  }

  get isWhole(): boolean {
    return this.#state === "whole";
  }

  /** Whether another request may follow on the same connection (RFC 9112 s.9.3). */
  get allowsAnother(): boolean {
    const options = (this.#fields.get("connection") ?? "").toLowerCase().split(",").map((option) => option.trim());
    return this.isWhole && !this.#isSurplus && !options.includes("close") &&
      (this.#version === "1.1" || options.includes("keep-alive"));
  }

  /** Takes the next octets. Octets after the end do not count. */
  push(octets: Uint8Array): void {
    for (let at = 0; at < octets.length;) {
      switch (this.#state) {
        case "whole":
          this.#isSurplus = true;
          return;
        case "counted":
        case "chunk":
        case "to the end":
          at += this.#pushBody(octets.subarray(at));
          break;
        default:
          at += this.#pushLine(octets.subarray(at));
      }
    }
  }

  /** Says that the connection is closed. A response without an end by then was cut off. */
  end(): void {
    if (this.#state === "to the end") this.#state = "whole";
    if (this.#state !== "whole") throw new ServerFailure("sent a response that is cut off");
  }

  #pushBody(octets: Uint8Array): number {
    const isCounted = this.#state !== "to the end";
    const part = isCounted ? octets.subarray(0, this.#missing) : octets;
    this.#bodySize += part.length;
    if (this.#bodySize > BODY_LIMIT) throw new ServerFailure(`sent a body of more than ${BODY_LIMIT} octets`);
    this.#onBody(part);
    if (!isCounted) return part.length;
    this.#missing -= part.length;
    if (this.#missing === 0) this.#state = this.#state === "chunk" ? "chunk end" : "whole";
    return part.length;
  }

  #pushLine(octets: Uint8Array): number {
    const end = octets.indexOf(LF);
    const part = end === -1 ? octets : octets.subarray(0, end + 1);
    const isHead = this.#state === "head" || this.#state === "trailers";
    if (isHead) this.#headSize += part.length;
    if (this.#headSize > HEAD_LIMIT || this.#line.length + part.length > HEAD_LIMIT) {
      throw new ServerFailure(`sent a header of more than ${HEAD_LIMIT} octets`);
    }
    const line = new Uint8Array(this.#line.length + part.length);
    line.set(this.#line);
    line.set(part, this.#line.length);
    this.#line = line;
    if (end === -1) return part.length;
    this.#line = new Uint8Array(0);
    this.#takeLine(textOf(line).replace(/\r?\n$/, ""));
    return part.length;
  }

  #takeLine(line: string): void {
    switch (this.#state) {
      case "head":
        if (this.#status === undefined) this.#takeStatus(line);
        else if (line !== "") this.#takeField(line);
        else if (this.#status < 200) this.#status = undefined;
        else this.#beginBody(this.#status);
        break;
      case "chunk size":
        this.#takeChunkSize(line);
        break;
      case "chunk end":
        if (line !== "") throw new ServerFailure("sent a chunk that is longer than its size");
        this.#state = "chunk size";
        break;
      case "trailers":
        if (line === "") this.#state = "whole";
        break;
      default:
        throw new Error(`no line is read in state ${this.#state}`);
    }
  }

  #takeStatus(line: string): void {
    const [, version, status] = /^HTTP\/(1\.[01]) ([1-5][0-9][0-9])(?: .*)?$/.exec(line) ?? [];
    if (version === undefined) throw new ServerFailure("sent no HTTP response");
    this.#version = version;
    this.#status = Number(status);
    this.#fields.clear();
  }

  #takeField(line: string): void {
    const [, name = "", value = ""] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === "") throw new ServerFailure("sent a malformed header line");
    const key = name.toLowerCase();
    const before = this.#fields.get(key);
    if (key === "content-length" && before !== undefined && before !== value) {
      throw new ServerFailure("sent two different lengths");
    }
    this.#fields.set(key, key === "content-length" || before === undefined ? value : `${before}, ${value}`);
  }

  // RFC 9112 s.6.3.
  #beginBody(status: number): void {
    const coding = this.#fields.get("transfer-encoding");
    const length = this.#fields.get("content-length");
    if (status === 204 || status === 304) {
      this.#state = "whole";
    } else if (coding !== undefined) {
      // A server that sends both does not know its own answer. A program between us may have read it in another way.
      if (coding.toLowerCase() !== "chunked" || length !== undefined) {
        throw new ServerFailure("sent a transfer coding that is not just chunked");
      }
      this.#state = "chunk size";
    } else if (length !== undefined) {
      if (!/^[0-9]{1,15}$/.test(length)) throw new ServerFailure("sent a length that is no number");
      this.#missing = Number(length);
      if (this.#missing > BODY_LIMIT) throw new ServerFailure(`sent a body of more than ${BODY_LIMIT} octets`);
      this.#state = this.#missing === 0 ? "whole" : "counted";
    } else {
      this.#state = "to the end";
    }
  }

  #takeChunkSize(line: string): void {
    const [, size] = CHUNK_LINE.exec(line) ?? [];
    if (size === undefined) throw new ServerFailure("sent a chunk without a size");
    this.#missing = parseInt(size, 16);
    this.#state = this.#missing === 0 ? "trailers" : "chunk";
  }
}
