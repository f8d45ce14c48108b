// A clamd that answers OK at once, in a process of its own: for programs that name their file of the message (`SCAN PATH`).
// The argument is its port at 127.0.0.1. It closes the connection after the answer, as clamd does (clamd(8)).

for await (const conn of Deno.listen({ hostname: "127.0.0.1", port: Number(Deno.args[0]) })) void answer(conn);

async function answer(conn: Deno.TcpConn): Promise<void> {
  const room = new Uint8Array(4096);
  try {
    let length = 0;
    while (!/[\n\0]$/.test(textOf(room.subarray(0, length)))) {
      const count = await conn.read(room.subarray(length));
      if (!count) return;
      length += count;
    }
    const [, path = ""] = /^[zn]?SCAN (.*)[\n\0]$/.exec(textOf(room.subarray(0, length))) ?? [];
    await conn.write(new TextEncoder().encode(path === "" ? "UNKNOWN COMMAND\n" : `${path}: OK\n`));
  } catch {
    // The other side has gone.
  } finally {
    conn.close();
  }
}

function textOf(octets: Uint8Array): string {
  return new TextDecoder().decode(octets);
}
