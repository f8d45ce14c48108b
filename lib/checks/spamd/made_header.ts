// The header that spamd made of a message, as one that can take the place of the message's own. Pure.
//
// With `report_safe` spamd makes a new message, which has a report and the old message as parts, and sends the header of that
// one. Its Content-Type says nothing of the body that the message has. Then only the marks of the new header are taken: the
// fields `X-Spam-…` and the subject. The other fields stay those of the message.
//
// SpamAssassin takes a few lines for a part of the header that are no fields. Then the new header is taken as far as its
// fields go; the rest is the body of the message, which stays.
//
// A header may have very many fields: the work is a generator, which yields after each few milliseconds at most.

import { type HeaderPiece, HeaderScanner } from "../../mime/header.ts";
import { CR, LF, textOf } from "../../text/octets.ts";

/** How much of a header is looked at between two yields. */
const SLICE = 8192;

// What is looked at of a Content-Type.
const TYPE_LIMIT = 2000;

// SpamAssassin leaves those of an earlier check alone.
const MARK = /^x-spam-(?!prev-)/;

/** What is known of a header. */
export interface HeaderFacts {
  readonly hasField: boolean;
  /** Where it ends: before the empty line. */
  readonly end: number;
  /** Whether it ends with an empty line, or with the message. */
  readonly isRegular: boolean;
  /** Its Content-Type, without what folding and white space change. */
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

/** Whether it cannot be said without the message's own header what of the one that spamd made can be used. */
export function needsOwn({ isRegular, type }: HeaderFacts): boolean {
  return !isRegular || type.startsWith("multipart/");
}

/**
 * The header for a message that has the header `own`, out of the one that spamd made of it. LF ends its lines, and there is no
 * empty line at its end. Undefined: it is no header. `own` is needed where `needsOwn` says so.
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

// The marks of `made`, and then the other fields of `own`, of which the first subject is that of `made`.
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

// Undefined: a slice is over.
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

// A CR before LF is a part of the line end here: spamd ends all lines as it thinks that the message does.
function withLf(octets: Uint8Array): Uint8Array {
  const out = new Uint8Array(octets.length + 1);
  let from = 0;
  let size = 0;
  for (let at = octets.indexOf(LF); at !== -1; at = octets.indexOf(LF, at + 1)) {
    if (at === from || octets[at - 1] !== CR) continue;
    out.set(octets.subarray(from, at - 1), size);
    size += at - 1 - from;
    from = at;
  }
  out.set(octets.subarray(from), size);
  size += octets.length - from;
  if (size > 0 && out[size - 1] !== LF) out[size++] = LF;
  return out.subarray(0, size);
}
