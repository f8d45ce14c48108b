// A proxy as one writes it in an hour. `deno task bench` compares with it. It is not for mail.
//
//     deno run -A scripts/naive_proxy.ts PORT DOWNSTREAM_PORT
//
// It relays line by line, keeps a message in memory, and turns its line ends to LF and back octet by octet. It ignores
// errors and time. It has no spool, no filter and no bounds.

const [port, downstreamPort] = Deno.args.map(Number);
const PIECE = 262_144;

class Peer {
  #ahead = new Uint8Array(0);
  readonly #conn: Deno.TcpConn;
  readonly #piece = new Uint8Array(PIECE);

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    conn.setNoDelay(true);
  }

  async read(): Promise<Uint8Array<ArrayBuffer>> {
    const count = await this.#conn.read(this.#piece);
    if (count === null) throw new Error("the end");
    const whole = new Uint8Array(this.#ahead.length + count);
    whole.set(this.#ahead);
    whole.set(this.#piece.subarray(0, count), this.#ahead.length);
    this.#ahead = new Uint8Array(0);
    return whole;
  }

  async line(): Promise<Uint8Array> {
    for (;;) {
      const end = this.#ahead.indexOf(0x0a) + 1;
      if (end > 0) {
        const line = this.#ahead.subarray(0, end);
        this.#ahead = this.#ahead.subarray(end);
        return line;
      }
      this.#ahead = await this.read();
    }
  }

  /** The content up to the final dot, in pieces whose lines end with LF. */
  async content(): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    for (let tail = "";;) {
      const wire = await this.read();
      tail = (tail + String.fromCharCode(...wire.subarray(-5))).slice(-5);
      pieces.push(textOf(wire));
      if (tail === "\r\n.\r\n") return pieces;
    }
  }

  async write(octets: Uint8Array): Promise<void> {
    for (let rest = octets; rest.length > 0;) rest = rest.subarray(await this.#conn.write(rest));
  }

  close(): void {
    this.#conn.close();
  }
}

function textOf(wire: Uint8Array): Uint8Array {
  const text = new Uint8Array(wire.length);
  let length = 0;
  for (let at = 0; at < wire.length; at++) {
    if (wire[at] !== 0x0d) text[length++] = wire[at]!;
  }
  return text.subarray(0, length);
}

function wireOf(piece: Uint8Array): Uint8Array {
  const wire = new Uint8Array(2 * piece.length);
  let length = 0;
  for (let at = 0; at < piece.length; at++) {
    if (piece[at] === 0x0a) wire[length++] = 0x0d;
    wire[length++] = piece[at]!;
  }
  return wire.subarray(0, length);
}

async function serve(conn: Deno.TcpConn): Promise<void> {
  const client = new Peer(conn);
  const downstream = new Peer(await Deno.connect({ port: downstreamPort! }));
  try {
    await client.write(await downstream.line());
    for (;;) {
      const command = await client.line();
      const verb = String.fromCharCode(...command.subarray(0, 4)).toUpperCase();
      if (verb === "DATA") {
        await client.write(new TextEncoder().encode("354 Go on\r\n"));
        const pieces = await client.content();
        await downstream.write(command);
        await downstream.line();
        for (const piece of pieces) await downstream.write(wireOf(piece));
      } else {
        await downstream.write(command);
      }
      await client.write(await downstream.line());
      if (verb === "QUIT") return;
    }
  } finally {
    client.close();
    downstream.close();
  }
}

for await (const conn of Deno.listen({ hostname: "127.0.0.1", port: port! })) serve(conn).catch(() => {});
