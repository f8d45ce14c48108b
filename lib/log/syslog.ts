// Sends lines to the system's syslog, as the C library's syslog(3) does (RFC 3164). Each line is a datagram. If the socket of
// the daemon is a stream (syslog-ng, s6), each line ends with NUL.
//
// The kind of socket is found out when a line is sent. It may change, because the daemon may restart. A line that did not
// leave whole is sent again, whole, on a new connection.

import { IoError } from "../ports/io_error.ts";
import type { Conn, DatagramSender, Network, Runtime } from "../ports/runtime.ts";
import { bytesOf, cutUtf8, NUL } from "../text/octets.ts";
import { type Level, SEVERITY } from "./logger.ts";

/** syslog's facility mail (RFC 5424 s.6.2.1). */
const FACILITY_MAIL = 2;

// RFC 3164 allows 1024 octets. Every syslog daemon of today takes more. The line of a message with a long reply fits.
const LINE_LIMIT = 2048;

// The daemon has so many milliseconds to take a connection.
const CONNECT_LIMIT = 1000;

/**
 * A function that sends one line to the daemon at `path`. It throws `IoError` if that fails. `format` makes the text of the
 * line, which should have at most `room` octets.
 */
export function syslogSender(
  { pid, network }: Pick<Runtime, "pid" | "network">,
  path: string,
  format: (level: Level, line: string, room: number) => string,
): (level: Level, line: string) => Promise<void> {
  const socket = new SyslogSocket(network, path);
  return (level, line) =>
    socket.send(formatSyslog(level, (room) => format(level, line, room), { pid, now: new Date() }));
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** One line as syslog(3) sends it, without an end. Text for which there is no room is cut off. */
export function formatSyslog(
  level: Level,
  text: (room: number) => string,
  { pid, now }: { pid: number; now: Date },
): Uint8Array {
  const day = String(now.getDate()).padStart(2, " ");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map((part) => String(part).padStart(2, "0"));
  const priority = FACILITY_MAIL * 8 + SEVERITY[level];
  const head = `<${priority}>${MONTHS[now.getMonth()]} ${day} ${time.join(":")} postprox[${pid}]: `;
  return cutUtf8(bytesOf(`${head}${text(LINE_LIMIT - head.length)}`), LINE_LIMIT);
}

class SyslogSocket {
  readonly #network: Network;
  readonly #path: string;
  #datagrams: DatagramSender | undefined;
  #stream: Conn | undefined;

  constructor(network: Network, path: string) {
    this.#network = network;
    this.#path = path;
  }

  async send(line: Uint8Array): Promise<void> {
    if (await this.#sendToStream(line)) return;
    try {
      this.#datagrams ??= await this.#network.datagrams(this.#path);
      await this.#datagrams.send(line);
    } catch (error) {
      if (!(error instanceof IoError) || error.kind !== "wrong-type") throw error;
      await this.#connect();
      if (!await this.#sendToStream(line)) throw new IoError("reset", `${this.#path} has closed the connection`);
    }
  }

  // False if there is no connection, or it is closed.
  async #sendToStream(line: Uint8Array): Promise<boolean> {
    const stream = this.#stream;
    if (!stream) return false;
    try {
      const ended = new Uint8Array(line.length + 1);
      ended.set(line);
      ended[line.length] = NUL;
      await stream.write(ended);
      return true;
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      this.#forget(stream);
      return false;
    }
  }

  async #connect(): Promise<void> {
    const stream = await this.#network.connect({ transport: "unix", path: this.#path }, CONNECT_LIMIT);
    this.#stream = stream;
    // A daemon never sends anything. So any input is the end of the connection.
    const forget = () => this.#forget(stream);
    stream.read(new Uint8Array(1)).then(forget, forget);
  }

  #forget(stream: Conn): void {
    if (this.#stream === stream) this.#stream = undefined;
    stream.close();
  }
}
