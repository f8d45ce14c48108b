// What the program needs of the machine below it: interfaces only.
//
// `deno.ts` and `bun.ts` implement them, and a test does in memory. Every failure of an operation is an `IoError`,
// whatever the runtime calls it. Times are in milliseconds.

export interface Runtime {
  readonly pid: number;
  readonly clock: Clock;
  readonly network: Network;
  readonly resolver: Resolver;
  readonly files: Files;
  readonly processes: Processes;
  readonly signals: Signals;
  readonly stdio: Stdio;
  /** Ends the process at once. */
  exit(status: number): never;
  /** Called with errors that nothing caught; without it the runtime would write them to file descriptor 2. */
  onBug(report: (error: unknown) => void): void;
}

export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Runs `callback` once after `delay`; the result cancels it. */
  after(delay: number, callback: () => void): () => void;
}

export type Address =
  | { readonly transport: "tcp"; readonly host: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

export interface Network {
  /** Connects within `limit`, to the first address of the host that answers. */
  connect(to: Address, limit: number): Promise<Conn>;
  /** A unix socket takes connections of everybody, as a port does; its directory says who reaches it. */
  listen(at: Address): Promise<Listener>;
  /** The IP addresses of a host, as the system knows them (getaddrinfo(3)). */
  addressesOf(host: string): Promise<readonly string[]>;
  /** A sender of datagrams to a unix socket, which is how syslog is reached. */
  datagrams(path: string): Promise<DatagramSender>;
  /** A UDP socket with a port of its own, for what goes to `server` and comes from it; all else is dropped. */
  udp(server: NameServer): Promise<UdpSocket>;
}

export interface Listener {
  /** The next connection; rejects with kind `closed` after `close`. */
  accept(): Promise<Conn>;
  close(): void;
}

export interface Conn {
  /** The IP address of the peer; undefined for a unix socket or a pipe. To ask may cost a look at all connections. */
  readonly peer?: string | undefined;
  /** Reads into `into`; the count of octets, or null at the end. One read at a time. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of `octets`. */
  write(octets: Uint8Array): Promise<void>;
  /** Ends the connection, and a read that waits with it where the runtime can. */
  close(): void;
}

export interface DatagramSender {
  send(octets: Uint8Array): Promise<void>;
}

export interface UdpSocket {
  send(octets: Uint8Array): Promise<void>;
  /** The next datagram. */
  receive(): Promise<Uint8Array>;
  /** Ends a `receive` that waits with kind `closed`. */
  close(): void;
}

export type RecordType = "A" | "AAAA" | "MX" | "NS" | "PTR" | "TXT";

export interface Resolver {
  /**
   * The records of `type` at `name`, an ASCII domain name without a final dot: addresses, host names without a final
   * dot (of an MX the host alone; the null MX of RFC 7505 is the empty string), or texts, their strings joined. Empty
   * when it is certain that there are none. Throws `IoError` when that could not be found out; `timeout` when it took
   * longer than `limit` milliseconds. The server is the system's where none is given.
   */
  resolve(name: string, type: RecordType, options: ResolveOptions): Promise<readonly string[]>;
}

export interface ResolveOptions {
  readonly limit: number;
  readonly server?: NameServer | undefined;
  /** A DNS list is asked. Such lookups do not have to wait until others are over. */
  readonly isList?: boolean;
}

/** A name server to ask instead of the system's; `address` is an IP address. */
export interface NameServer {
  readonly address: string;
  readonly port: number;
}

export interface Files {
  /** Makes a file with mode 0600, and fails with `exists` where the name is taken, be it a link. */
  create(path: string): Promise<File>;
  /**
   * Likewise a file that is locked until it is closed or this process ends, however it ends (flock(2)), with these few
   * octets in it. Undefined, and no file, where there are no locks.
   */
  createLocked(path: string, octets: Uint8Array): Promise<File | undefined>;
  /** Opens a file for reading. */
  open(path: string): Promise<File>;
  /** Opens a file to append to, making it with mode 0640 where there is none. */
  openLog(path: string): Promise<File>;
  /** Follows links. */
  stat(path: string): Promise<FileFacts>;
  /** Removes a file, or what a filter made of it, a directory say; that it is gone already is no error. */
  remove(path: string): Promise<void>;
  /** The names in a directory. */
  list(directory: string): Promise<string[]>;
  newChecksum(): Checksum;
}

/** Tells whether the same content comes a second time. It is for accidents: who wants to can make other content fit. */
export interface Checksum {
  /** Takes the next octets; it makes no difference where the content is cut. */
  push(octets: Uint8Array): void;
  /** Of all octets so far; to be compared with that of the same runtime. */
  readonly value: string | number;
}

export interface File {
  /** Writes all of `octets` at the end. Nobody reads or appends meanwhile. */
  append(octets: Uint8Array): Promise<void>;
  /** Reads what stands from octet `at` on; the count of octets, or null at the end. Any number may read at once. */
  read(into: Uint8Array, at: number): Promise<number | null>;
  stat(): Promise<FileFacts>;
  /** Sets the time of its last change back by a second: the next change is told by its time, however soon it comes. */
  backdate(): Promise<void>;
  /** Whether it is certain that nobody has it locked (flock(2)). */
  isUnlocked(): Promise<boolean>;
  close(): void;
}

export interface FileFacts {
  readonly kind: "file" | "directory" | "socket" | "other";
  readonly size: number;
  /** Of the last change to the content; undefined where the system does not tell. */
  readonly modified: number | undefined;
  /** Of the last change to anything of it, its name and times too; nobody can set it back. */
  readonly changed: number | undefined;
  /** Whether it may be executed by someone. */
  readonly executable: boolean;
  /** Both together say which file it is, under whatever name. */
  readonly device: number;
  readonly inode: number;
  /** Whether it belongs to the user that this process runs as. */
  readonly isOwn: boolean;
}

export interface Processes {
  /** Starts `words` as the leader of a process group of its own, with stdin and stdout at /dev/null. */
  start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child>;
  /**
   * Starts this same program again, in the background, with these arguments and without the group of its parent. Its
   * standard error is its standard output where it is not inherited.
   */
  startSelf(args: readonly string[], stderr: "stdout" | "inherit"): Promise<BackgroundSelf>;
  /** The words that start this same program anywhere, in front of its arguments: absolute paths, no environment needed. */
  selfWords(): readonly string[];
}

export interface Child {
  /** How it ended. */
  readonly ended: Promise<ProcessEnd>;
  /** Reads from its standard error. What it gives is good until the next call, which takes the memory back. */
  readStderr(): Promise<Uint8Array | null>;
  /** Stops reading; what the child writes after that is its own affair. */
  closeStderr(): void;
  /** Whether somebody is left in its process group. */
  hasGroup(): boolean;
  /** Sends a signal to the whole process group; that nobody is left is no error. */
  signalGroup(signal: "SIGTERM" | "SIGKILL"): void;
}

export type ProcessEnd = { readonly exit: number } | { readonly signal: string };

export interface BackgroundSelf {
  readonly ended: Promise<ProcessEnd>;
  readonly stdout: ReadableStream<Uint8Array>;
  /** Lets the program end while this one runs on. */
  release(): void;
}

export type Signal = "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP" | "SIGXFSZ";

export interface Signals {
  /** Runs `handler` each time the signal comes. */
  on(signal: Signal, handler: () => void): void;
}

export interface Stdio {
  /** Standard input and output as one connection. */
  conn(): Conn;
  /** Whether standard input and output are one socket, as under Postfix's spawn(8), where standard error is it as well. */
  isSpawned(): boolean;
  /** Whether standard error is the same as standard input. */
  isErrInput(): boolean;
  /** Whether standard error is systemd's journal (JOURNAL_STREAM, systemd.exec(5)). */
  isErrJournal(): boolean;
  /** Writes all of `octets` to standard error; who reads it slowly holds up nobody else. Throws `IoError`. */
  appendErr(octets: Uint8Array): Promise<void>;
  writeOut(text: string): void;
  writeErr(text: string): void;
}
