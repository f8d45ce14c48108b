// A message with another header. Each reading makes the header again, and reads the rest from the message as it was.
//
// Memory does not grow with the header. All I/O failures are thrown as `IoError`.

import type { Content, MessageFile } from "../mail/message.ts";
import {
  FieldCounter,
  type HeaderChange,
  type HeaderEdit,
  HeaderEditor,
  HeaderScanner,
  type HeaderStep,
  headerSteps,
} from "../mime/header.ts";
import type { Turn } from "../ports/runtime.ts";
import { concat, CR, LF } from "../text/octets.ts";
import type { LineEnds } from "../smtp/dot_codec.ts";
import { inSlices } from "../wire/slices.ts";
import type { SpoolFiles } from "./files.ts";
import { giveFile } from "./given_file.ts";

/**
 * Returns `content` with its header changed by `edits`, in their order. If they change nothing, returns `content`
 * itself.
 */
export async function editHeader(
  content: Content,
  edits: readonly HeaderEdit[],
  { files, turn }: { readonly files: SpoolFiles; readonly turn: Turn },
): Promise<Content> {
  const whole = edits.findLast((edit) => edit.whole)?.whole;
  const changes = edits.flatMap((edit) => edit.changes ?? []);
  const inTurns = new InTurns(content, turn);
  const steps = headerSteps(changes, await countFields(inTurns, changes, whole));
  if (!whole && steps.length === 0) return content;
  const edit = { whole, steps };
  return new EditedHeader(inTurns, edit, { files, ...await measure(inTurns, edit) });
}

/** A content whose header is read in slices, with turns for other work between them. */
class InTurns {
  readonly content: Content;
  readonly #turn: Turn;

  constructor(content: Content, turn: Turn) {
    this.content = content;
    this.#turn = turn;
  }

  /** Slices, until `isOver` says that the header has ended. Then whole chunks. */
  chunks(isOver: () => boolean): AsyncGenerator<Uint8Array> {
    return inSlices(this.content.chunks(), this.#turn, isOver);
  }
}

interface Edit {
  readonly whole: Uint8Array | undefined;
  readonly steps: readonly HeaderStep[];
}

interface Measures {
  readonly size: number;
  readonly crLines: number;
}

async function countFields(content: InTurns, changes: readonly HeaderChange[], whole: Uint8Array | undefined) {
  const counter = new FieldCounter(changes);
  const scanner = new HeaderScanner();
  if (changes.length === 0) return counter.counts;
  scanner.lookFor(counter.names);
  if (whole) counter.push(scanner.push(whole));
  else {
    for await (const chunk of content.chunks(() => scanner.isOver)) {
      counter.push(scanner.push(chunk));
      if (scanner.isOver) break;
    }
  }
  return counter.counts;
}

async function measure(inTurns: InTurns, edit: Edit): Promise<Measures> {
  const { content } = inTurns;
  const hasCrLines = content.crLines > 0 || edit.whole !== undefined;
  const [before, after] = [new Measure(hasCrLines), new Measure(hasCrLines)];
  const editor = new HeaderEditor(edit);
  for await (const chunk of inTurns.chunks(() => editor.isOver)) {
    before.push(chunk);
    for (const part of editor.push(chunk)) after.push(part);
    if (editor.isOver) break;
  }
  if (!editor.isOver) { for (const part of editor.end()) after.push(part); }
  return {
    size: content.size + after.size - before.size,
    crLines: content.crLines + after.crLines - before.crLines,
  };
}

/** Measures octets that come in pieces. */
class Measure {
  size = 0;
  crLines = 0;
  readonly #hasCrLines: boolean;
  #last: number | undefined;

  /** `hasCrLines`: there may be lines with a CR at their end. */
  constructor(hasCrLines: boolean) {
    this.#hasCrLines = hasCrLines;
  }

  push(octets: Uint8Array): void {
    this.size += octets.length;
    if (!this.#hasCrLines) return;
    for (let at = octets.indexOf(LF); at !== -1; at = octets.indexOf(LF, at + 1)) {
      if ((at === 0 ? this.#last : octets[at - 1]) === CR) this.crLines++;
    }
    this.#last = octets.at(-1) ?? this.#last;
  }
}

class EditedHeader implements Content {
  readonly size: number;
  readonly crLines: number;
  readonly lineEnds: LineEnds;
  readonly #inTurns: InTurns;
  readonly #edit: Edit;
  readonly #files: SpoolFiles;
  #given: Promise<MessageFile> | undefined;

  constructor(inTurns: InTurns, edit: Edit, { files, size, crLines }: Measures & { files: SpoolFiles }) {
    this.size = size;
    this.crLines = crLines;
    this.lineEnds = inTurns.content.lineEnds;
    this.#inTurns = inTurns;
    this.#edit = edit;
    this.#files = files;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const editor = new HeaderEditor(this.#edit);
    for await (const chunk of this.#inTurns.chunks(() => editor.isOver)) {
      const parts = editor.isOver ? [chunk] : editor.push(chunk);
      // Each piece may become a write.
      if (parts.length > 0) yield concat(parts);
    }
    if (!editor.isOver) yield* editor.end();
  }

  file(): Promise<MessageFile> {
    return this.#given ??= this.#give();
  }

  async #give(): Promise<MessageFile> {
    const { path, file } = await this.#files.create("head");
    this.#files.closeLater(file);
    for await (const chunk of this.chunks()) await file.append(chunk);
    return await giveFile(this.#files, { path, file, content: this });
  }
}
