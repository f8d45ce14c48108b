// Servers that keep nothing of a message, so a large one costs them nothing: a scanner, which answers when all of the message
// is there and closes, and a mail server.

/** Where a question ends: its head has a `Content-length`, or it has the frames of clamd's INSTREAM. */
export type Framing = "length" | "frames";

abstract class Listening {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #served = this.#serve();

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async stop(): Promise<void> {
    this.#listener.close();
    await this.#served;
  }

  async #serve(): Promise<void> {
    const taken: Promise<void>[] = [];
    for await (const conn of this.#listener) taken.push(this.take(conn));
    await Promise.all(taken);
  }

  /** Serves a connection to its end. */
  protected abstract take(conn: Deno.Conn): Promise<void>;
}

export class Sink extends Listening {
  readonly #answer: string;
  readonly #framing: Framing;
  /** Octets of the last message. */
  size = 0;

  constructor(answer: string, framing: Framing = "length") {
    super();
    this.#answer = answer;
    this.#framing = framing;
  }

  protected async take(conn: Deno.Conn): Promise<void> {
    using _ = conn;
    const room = new Uint8Array(262_144);
    const question = this.#framing === "length" ? new WithLength() : new WithFrames();
    while (!question.isWhole) {
      const count = await conn.read(room);
      if (count === null) return;
      question.push(room.subarray(0, count));
    }
    this.size = question.size;
    await conn.write(new TextEncoder().encode(this.#answer));
  }
}

class WithLength {
  size = 0;
  #head = "";
  #length = Infinity;

  get isWhole(): boolean {
    return this.size >= this.#length;
  }

  push(octets: Uint8Array): void {
    if (this.#length !== Infinity) {
      this.size += octets.length;
      return;
    }
    this.#head += new TextDecoder("latin1").decode(octets);
    const end = this.#head.indexOf("\r\n\r\n");
    if (end === -1) return;
    this.#length = Number(/^content-length: (\d+)/im.exec(this.#head)?.[1]);
    this.size = this.#head.length - end - 4;
  }
}

/** The last frame is empty. The message has no NUL. */
class WithFrames {
  size = 0;
  #last = "";

  get isWhole(): boolean {
    return this.#last === "\0\0\0\0";
  }

  push(octets: Uint8Array): void {
    this.size += octets.length;
    this.#last = (this.#last + String.fromCharCode(...octets.subarray(-4))).slice(-4);
  }
}

/** A mail server that keeps nothing of a message but its size and its first octets. It takes no commands ahead. */
export class MailSink extends Listening {
  /** Of the last message, on the wire. */
  size = 0;
  beginning = "";

  protected async take(conn: Deno.Conn): Promise<void> {
    using _ = conn;
    const room = new Uint8Array(262_144);
    const say = (reply: string) => conn.write(new TextEncoder().encode(`${reply}\r\n`));
    let isInMessage = false;
    let last = "";
    await say("220 sink");
    for (;;) {
      const count = await conn.read(room).catch(() => null);
      if (count === null) return;
      const text = (from: number, to: number) => new TextDecoder("latin1").decode(room.subarray(from, to));
      if (isInMessage) {
        this.beginning += text(0, Math.min(count, Math.max(0, 200 - this.size)));
        this.size += count;
        last = (last + text(Math.max(0, count - 5), count)).slice(-5);
        if (last !== "\r\n.\r\n") continue;
        isInMessage = false;
        await say("250 taken");
        continue;
      }
      const command = text(0, count);
      isInMessage = command === "DATA\r\n";
      if (isInMessage) [this.size, this.beginning, last] = [0, "", ""];
      await say(isInMessage ? "354 go on" : command.startsWith("QUIT") ? "221 bye" : "250 ok");
    }
  }
}
