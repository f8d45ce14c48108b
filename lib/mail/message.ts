// A message, as whoever judges or delivers it sees it: a read-only view.
//
// Any number of readers may read it at once. The spool keeps one, and a program makes another of it. What is changed is a
// new message: nobody who still holds the old one sees a difference. Reading throws `IoError`.

import type { LineEnds } from "../smtp/dot_codec.ts";
import type { ClientFacts } from "../smtp/xforward.ts";
import type { Envelope } from "./envelope.ts";

/** What is said of a message beside its content. */
export interface Mail {
  /** What begins each line of its session in the log. */
  readonly id: string;
  /** Frozen. */
  readonly envelope: Readonly<Pick<Envelope, "sender" | "recipients">>;
  readonly client: MailClient;
}

/** The client that the message is from. Who looks at it wants to know it: where it is not known, the log says why. */
export interface MailClient {
  /** What XFORWARD has told of it. */
  readonly facts: ClientFacts;
  /** Its address: XFORWARD's, or that of the peer of our own connection where that may be it. */
  readonly address: string | undefined;
}

/** Lines end with LF, and dots are not doubled. */
export interface Content {
  /** In octets. */
  readonly size: number;
  /** What becomes a CR LF on the wire. */
  readonly lineEnds: LineEnds;
  /** How many lines of the message, as it came, have a CR of their own at their end. */
  readonly crLines: number;
  /** All of it from the beginning, in pieces. Each is valid until the next one, and is not to be written into. */
  chunks(): AsyncIterable<Uint8Array>;
  /** It in a file, for programs; the same one each time. */
  file(): Promise<MessageFile>;
}

/** The file of a message. A program may do with it what it likes: these tell what it did. */
export interface MessageFile {
  readonly path: string;
  /**
   * What a program has made of it, in place or by a rename; undefined where that is the message as it was. Throws
   * `IoError` for a file that is gone, empty or no file.
   */
  changed(): Promise<Content | undefined>;
  /**
   * Whether it still holds the message, and whether that can still be delivered. A program may have removed it, or moved it
   * elsewhere; it may not have written into it, nor put another one in its place.
   */
  isIntact(): Promise<boolean>;
}

export interface Message extends Mail, Content {}

/** The message with this content; a message is `mail` of its own, which is how it gets other content. */
export function messageOf({ id, envelope, client }: Mail, content: Content): Message {
  const { size, lineEnds, crLines } = content;
  const chunks = () => content.chunks();
  const file = () => content.file();
  return { id, envelope, client, size, lineEnds, crLines, chunks, file };
}
