// A client whose time is measured. It is as small as it can be, because its own time is a part of the figures. It waits for
// each reply, because not every proxy here knows PIPELINING.

const ENVELOPE = ["MAIL FROM:<a@a.example>\r\n", "RCPT TO:<b@b.example>\r\n"];

/** A message of 5 kB, without its final dot. */
export const MESSAGE = "From: A Sender <a@a.example>\r\nTo: b@b.example\r\nSubject: bench\r\n\r\n" +
  "A line of an ordinary message of five kilobytes, in words.\r\n".repeat(82);

export class Asker implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #room = new Uint8Array(4096);
  #text = "";

  /** Connects to a port of 127.0.0.1, hears the greeting and says EHLO. */
  static async connect(port: number): Promise<Asker> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    const asker = new Asker(conn);
    await asker.#expect("220");
    await asker.#ask("EHLO client.example\r\n", "250");
    return asker;
  }

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** MAIL, RCPT and DATA. */
  async sayEnvelope(): Promise<void> {
    for (const command of ENVELOPE) await this.#ask(command, "250");
    await this.#ask("DATA\r\n", "354");
  }

  /** The message, and the reply to its final dot. */
  async sayMessage(): Promise<void> {
    await this.#ask(`${MESSAGE}.\r\n`, "250");
  }

  async sayNoop(): Promise<void> {
    await this.#ask("NOOP\r\n", "250");
  }

  async quit(): Promise<void> {
    await this.#ask("QUIT\r\n", "221");
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  async #ask(words: string, code: string): Promise<void> {
    const octets = new TextEncoder().encode(words);
    for (let at = 0; at < octets.length;) at += await this.#conn.write(octets.subarray(at));
    await this.#expect(code);
  }

  // Reads one whole reply.
  async #expect(code: string): Promise<void> {
    for (;;) {
      const last = /^\d{3}(?: .*)?\r\n/m.exec(this.#text);
      if (last) {
        const reply = this.#text.slice(0, last.index + last[0].length);
        this.#text = this.#text.slice(reply.length);
        if (!reply.startsWith(code)) throw new Error(`expected ${code}, heard ${reply}`);
        return;
      }
      const count = await this.#conn.read(this.#room);
      if (count === null) throw new Error(`expected ${code}, and the connection ended`);
      this.#text += new TextDecoder().decode(this.#room.subarray(0, count));
    }
  }
}
