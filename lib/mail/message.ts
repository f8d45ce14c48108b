// A message as a check or the delivery sees it: a read-only view.
//
// Any number of readers may read it at once. The spool holds one, and a program makes another one of it. A changed
// message is a new message, so readers of the old one see no difference. Reading throws `IoError`.

import type { LineEnds } from "../smtp/dot_codec.ts";
import type { ClientFacts } from "../smtp/xforward.ts";
import type { Envelope } from "./envelope.ts";

/** Everything about a message except its content. */
export interface Mail {
  /** The log begins each line of its session with this. */
  readonly id: string;
  /** It is frozen. */
  readonly envelope: Readonly<Pick<Envelope, "sender" | "recipients">>;
  readonly client: MailClient;
}

/** The client that sent the message. Checks want to know it. If it is not known, the log says why. */
export interface MailClient {
  /** Facts from XFORWARD. */
  readonly facts: ClientFacts;
  /** Its address: from XFORWARD, or the peer of our own connection if that may be the client. */
  readonly address: string | undefined;
}

/** Lines end with LF. Dots are not doubled. */
export interface Content {
  /** In octets. */
  readonly size: number;
  /** Which line ends become CR LF on the wire. */
  readonly lineEnds: LineEnds;
  /** How many lines of the message, as it came, have a CR of their own before the line end. */
  readonly crLines: number;
  /**
   * The whole content in pieces. Each is valid until the next one. Do not write into them. Between the pieces of a large
   * content, other work has its turns of the event loop.
   */
  chunks(): AsyncIterable<Uint8Array>;
  /** The content in a file, for programs. Each call gives the same file. */
  file(): Promise<MessageFile>;
}

/** The file of a message. A program may do anything with it, and these functions tell what it did. */
export interface MessageFile {
  readonly path: string;
  /**
   * The content that a program has put there, in place or by a rename; undefined if it is still the message as it was.
   * Throws `IoError` if the file is gone or empty, or is no regular file.
   */
  changed(): Promise<Content | undefined>;
  /**
   * Whether it still holds the message and the message can still be delivered. A program may remove the file or move it
   * away. It may not write into it, and may not put another file in its place.
   */
  isIntact(): Promise<boolean>;
}

export interface Message extends Mail, Content {}

/** The message with this content. To change the content, make a new message with the same `mail`. */
export function messageOf({ id, envelope, client }: Mail, content: Content): Message {
  const { size, lineEnds, crLines } = content;
  const chunks = () => content.chunks();
  const file = () => content.file();
  return { id, envelope, client, size, lineEnds, crLines, chunks, file };
}
