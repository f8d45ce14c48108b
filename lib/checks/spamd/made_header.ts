// Turns the header that spamd made into one that can replace the message's own. Pure.
//
// With `report_safe`, spamd makes a new message. Its parts are a report and the old message, and spamd sends the header
// of the new one. That header's Content-Type does not fit the body that the message has. Then only the marks of the new
// header are taken: the fields `X-Spam-…` and the subject. The other fields stay those of the message.
//
// SpamAssassin takes a few lines for header lines although they are no fields. Then the new header counts up to the end
// of its fields. The rest is the body of the message, which stays.
//
// A header may have very many fields. So the work is a generator that yields every few milliseconds.

import { type HeaderPiece, HeaderScanner } from "../../mime/header.ts";
import { CR, LF, textOf } from "../../text/octets.ts";

/** It looks at this much of a header between two yields. */
const SLICE = 8192;

// It looks at this much of a Content-Type.
const TYPE_LIMIT = 2000;

// SpamAssassin leaves the marks of an earlier check alone.
const MARK = /^x-spam-(?!prev-)/;

/** Facts about a header. */
export interface HeaderFacts {
  readonly hasField: boolean;
  /** Its end, before the empty line. */
  readonly end: number;
  /** Whether it ends with an empty line, or with the message. */
  readonly isRegular: boolean;
  /** Its Content-Type, without differences of folding and white space. */
  readonly type: string;
}

/** Looks at the header of `octets`, the beginning of a message. */
export function* lookAtHeader(octets: Uint8Array): Generator<void, HeaderFacts> {
  let end = 0;
  let hasField = false;
  let type: string | undefined;
  let isInType = false;
  for (const piece of piecesOf(octets)) {
    if (!piece) {
      yield;
      continue;
    }
    if (piece.kind === "body") return { hasField, end, isRegular: piece.isParted, type: plainType(type) };
    end += piece.octets.length;
    hasField = true;
    if (piece.kind === "field") isInType = piece.name === "content-type" && type === undefined;
    if (isInType && (type ?? "").length < TYPE_LIMIT) {
      type = (type ?? "") + textOf(piece.octets.subarray(0, TYPE_LIMIT));
    }
  }
  return { hasField, end, isRegular: true, type: plainType(type) };
}

/** Whether the message's own header is needed to decide which parts of spamd's header can be used. */
export function needsOwn({ isRegular, type }: HeaderFacts): boolean {
  return !isRegular || type.startsWith("multipart/");
}

/**
 * The header for a message with the header `own`, from the header `made` by spamd. LF ends its lines, and it has no
 * empty line at its end. Undefined if `made` is no header. If `needsOwn` says so, `own` is required.
 */
export function* usableHeader(made: Uint8Array, own: Uint8Array | undefined): Generator<void, Uint8Array | undefined> {
  const facts = yield* lookAtHeader(made);
  if (!facts.hasField) return undefined;
  const whole = made.subarray(0, facts.end);
  if (!needsOwn(facts) || own === undefined) return facts.isRegular ? withLf(whole) : undefined;
  const ownFacts = yield* lookAtHeader(own);
  if (!facts.isRegular && ownFacts.isRegular) return undefined;
  if (facts.type === ownFacts.type) return withLf(whole);
  return yield* markedHeader(whole, own.subarray(0, ownFacts.end));
}

// The marks of `made`, then the other fields of `own`. The first subject is the one of `made`.
function* markedHeader(made: Uint8Array, own: Uint8Array): Generator<void, Uint8Array> {
  const out = new Uint8Array(made.length + own.length + 3);
  let size = 0;
  const put = (octets: Uint8Array) => {
    out.set(octets, size);
    size += octets.length;
  };
  const endLine = () => {
    if (size > 0 && out[size - 1] !== LF) out[size++] = LF;
  };
  let subject: Uint8Array[] | undefined;
  let name = "";
  for (const piece of piecesOf(made)) {
    if (!piece) {
      yield;
      continue;
    }
    if (piece.kind === "body") break;
    if (piece.kind === "field") {
      name = piece.name === "subject" && subject ? "" : piece.name;
      endLine();
    }
    if (MARK.test(name)) put(piece.octets);
    else if (name === "subject") (subject ??= []).push(piece.octets);
  }
  endLine();
  for (const piece of piecesOf(own)) {
    if (!piece) {
      yield;
      continue;
    }
    if (piece.kind === "body") break;
    if (piece.kind === "field") {
      name = piece.name;
      endLine();
      if (name === "subject" && subject) {
        for (const octets of subject) put(octets);
        endLine();
        subject = undefined;
        name = "subject that was replaced";
      }
    }
    if (!MARK.test(name) && name !== "subject that was replaced") put(piece.octets);
  }
  endLine();
  return withLf(out.subarray(0, size));
}

// Yields undefined after a slice of work.
function* piecesOf(octets: Uint8Array): Generator<HeaderPiece | undefined> {
  const scanner = new HeaderScanner();
  for (let at = 0; at < octets.length && !scanner.isOver; at += SLICE) {
    yield* scanner.push(octets.subarray(at, at + SLICE));
    yield undefined;
  }
  if (!scanner.isOver) yield* scanner.end();
}

function plainType(field = ""): string {
  return field.slice(field.indexOf(":") + 1).replace(/\s+/g, "").replace(/^[^;]*/, (type) => type.toLowerCase());
}

// A CR before LF belongs to the line end here. spamd ends all lines in the way that it takes for the message's.
function withLf(octets: Uint8Array): Uint8Array {
  const out = new Uint8Array(octets.length + 1);
  let size = 0;
  for (let at = 0; at < octets.length; at++) {
    if (octets[at] !== CR || octets[at + 1] !== LF) out[size++] = octets[at]!;
  }
  if (size > 0 && out[size - 1] !== LF) out[size++] = LF;
  return out.subarray(0, size);
}
