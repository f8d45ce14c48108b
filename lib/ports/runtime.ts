// The means that the program needs from the machine: interfaces only.
//
// `runtime/deno/` and `runtime/bun/` implement them, and tests implement them in memory. Every failure of an operation
// is an `IoError` on every runtime. Times are in milliseconds.

export interface Runtime {
  readonly pid: number;
  /** The value of a variable of our environment; undefined if it is not set. */
  readonly variable: (name: string) => string | undefined;
  /** The descriptors of a worker's listening sockets; undefined if this process is no worker. */
  readonly workerSockets: readonly number[] | undefined;
  readonly clock: Clock;
  readonly turn: Turn;
  /**
   * The time of CLOCK_MONOTONIC (clock_gettime(2)) in microseconds. All processes of the machine share it. Undefined if the
   * system does not tell.
   */
  machineTime(): Promise<number | undefined>;
  readonly network: Network;
  readonly resolver: Resolver;
  readonly files: Files;
  readonly processes: Processes;
  readonly privileges: Privileges;
  readonly signals: Signals;
  readonly stdio: Stdio;
  /** Ends the process at once. */
  exit(status: number): never;
  /** `report` gets the errors that nothing caught. Without it, the runtime would write them to file descriptor 2. */
  onBug(report: (error: unknown) => void): void;
}

export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Runs `callback` once after `delay`. The result cancels it. */
  after(delay: number, callback: () => void): () => void;
}

/** The event loop, as all long work of the process shares it. */
export interface Turn {
  /** Work calls this after some of it. If others have waited long enough, it ends in a later turn of the event loop. */
  share(): Promise<void>;
}

export type Address =
  | { readonly transport: "tcp"; readonly host: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

export interface Network {
  /** Connects to the first address of the host that answers. Gives up after `limit`. */
  connect(to: Address, limit: number): Promise<Conn>;
  /** A unix socket has the permissions `mode` from its first moment. Without `mode` everybody may connect, as to a port. */
  listen(at: Address, mode?: number): Promise<Listener>;
  /**
   * The address of descriptor `fd`, a listening socket that this process was started with. From now on, the programs that
   * we start do not get it. Throws `IoError` if it is no such socket.
   */
  inherit(fd: number): Promise<Address>;
  /**
   * Listens on descriptor `fd`, a listening socket that this process was started with. The programs that we start do not
   * get it. Other processes that have the socket go on listening after `close`, and a unix socket keeps its name.
   */
  listenInherited(fd: number): Promise<Listener>;
  /**
   * Makes a socket that listens at an IP address or a path, for workers. Nobody accepts on it in this process. `mode` is as
   * for `listen`.
   */
  hold(at: Address, mode?: number): Promise<HeldSocket>;
  /** Holds descriptor `fd`, a listening socket that this process was started with, for workers. A unix socket keeps its name. */
  holdInherited(fd: number): Promise<HeldSocket>;
  /** The IP addresses of a host, as the system knows them (getaddrinfo(3)). */
  addressesOf(host: string): Promise<readonly string[]>;
  /**
   * A sender of datagrams to a unix socket. Syslog is reached this way. A `path` that begins with `@` is the name of a
   * socket that is no file (unix(7), abstract).
   */
  datagrams(path: string): Promise<DatagramSender>;
  /** A UDP socket with a port of its own. It sends only to `server`, and drops datagrams from anyone else. */
  udp(server: NameServer): Promise<UdpSocket>;
}

/** A listening socket. It keeps the process alive. */
export interface HeldSocket {
  /** Its number in this process. */
  readonly descriptor: number;
  /** Lets go of it. Other processes that have it go on. The name of a unix socket that we made is removed. */
  close(): void;
}

export interface Listener {
  /** The next connection. After `close`, and after the connections before it, it throws an error of kind `closed`. */
  accept(): Promise<Conn>;
  /** Takes no more connections. `accept` still gives those that were taken before: call it until it throws. */
  close(): void;
}

export interface Conn {
  /** The IP address of the peer; undefined for a unix socket or a pipe. A call may have to look at all connections. */
  readonly peer?: string | undefined;
  /** Reads into `into`. Gives the count of octets, or null at the end. Only one read at a time. */
  read(into: Uint8Array): Promise<number | null>;
  /** The same with fewer promises, if it is there: calls `onRead` or `onFailed`, and never before it returns. */
  receive?(into: Uint8Array, onRead: (count: number | null) => void, onFailed: (error: unknown) => void): void;
  /** Writes all of `octets`. Undefined if that is done already. Never throws: a failure rejects the promise. */
  write(octets: Uint8Array): Promise<void> | undefined;
  /** Ends the connection. It also ends a read that waits, if the runtime can do that. */
  close(): void;
}

export interface DatagramSender {
  send(octets: Uint8Array): Promise<void>;
}

export interface UdpSocket {
  send(octets: Uint8Array): Promise<void>;
  /** The next datagram. */
  receive(): Promise<Uint8Array>;
  /** Ends a `receive` that waits, with an error of kind `closed`. */
  close(): void;
}

export type RecordType = "A" | "AAAA" | "MX" | "NS" | "PTR" | "TXT";

export interface Resolver {
  /**
   * The records of `type` at `name`; empty if it is certain that there are none. `name` is an ASCII domain name without
   * a final dot. The result depends on the type:
   *
   * - A, AAAA: addresses
   * - NS, PTR: host names without a final dot
   * - MX: the hosts alone; the null MX of RFC 7505 is the empty string
   * - TXT: texts, the strings of each joined
   *
   * Throws `IoError` if the lookup fails. Its kind is `timeout` if the lookup took longer than `limit` milliseconds.
   * Without a `server`, the system's name servers are asked.
   */
  resolve(name: string, type: RecordType, options: ResolveOptions): Promise<readonly string[]>;
}

export interface ResolveOptions {
  readonly limit: number;
  readonly server?: NameServer | undefined;
  /** The lookup asks a DNS list. It does not have to wait for lookups of other kinds. */
  readonly isList?: boolean;
}

/** A name server to ask instead of the system's. `address` is an IP address. */
export interface NameServer {
  readonly address: string;
  readonly port: number;
}

export interface Files {
  /** Makes a file with mode 0600. Fails with `exists` if the name is taken, even by a link. */
  create(path: string): Promise<File>;
  /** Makes a file like `create`, but everybody may read it: its mode is 0644 under any umask. */
  createReadable(path: string): Promise<File>;
  /**
   * Makes a file like `create`, with a lock and these few octets in it. The lock lasts until the file is closed or this
   * process ends in any way (flock(2)). If the system has no locks, it makes no file, and the result is undefined.
   */
  createLocked(path: string, octets: Uint8Array): Promise<File | undefined>;
  /** Opens a file for reading. */
  open(path: string): Promise<File>;
  /** Opens a file to append to. If there is none, makes it with mode 0640. */
  openLog(path: string): Promise<File>;
  /** Follows links. */
  stat(path: string): Promise<FileFacts>;
  /** Like `stat`, but of a link itself. */
  lstat(path: string): Promise<FileFacts>;
  /** Gives a file another name, and removes the file that had it. At any moment one of the two is there, and whole. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or what a filter has put in its place, such as a directory. It is no error if nothing is there. */
  remove(path: string): Promise<void>;
  /** The names in a directory. */
  list(directory: string): Promise<string[]>;
  /** Waits until the names in a directory are on disk (fsync(2)). */
  syncDirectory(path: string): Promise<void>;
  newChecksum(): Checksum;
}

/**
 * Tells whether the same content comes a second time. It finds accidents only: anyone can make other content that fits.
 */
export interface Checksum {
  /** Takes the next octets. It does not matter where the content is cut. */
  push(octets: Uint8Array): void;
  /** The checksum of all octets so far. Compare it only with one of the same runtime. */
  readonly value: string | number;
}

export interface File {
  /** Writes all of `octets` at the end. Do not read or append meanwhile. */
  append(octets: Uint8Array): Promise<void>;
  /** Reads from octet `at` on. Gives the count of octets, or null at the end. Any number of reads may run at once. */
  read(into: Uint8Array, at: number): Promise<number | null>;
  stat(): Promise<FileFacts>;
  /** Sets the time of the last change back by a second, so that even an immediate change shows in that time. */
  backdate(): Promise<void>;
  /** Waits until its content is on disk (fsync(2)). */
  sync(): Promise<void>;
  /** Whether it is certain that nobody holds a lock on it (flock(2)). */
  isUnlocked(): Promise<boolean>;
  /** Locks it (flock(2)) until it is closed. False if somebody else has locked it, and if there are no locks. */
  lock(): Promise<boolean>;
  close(): void;
}

export interface FileFacts {
  /** Only `lstat` gives `link`. */
  readonly kind: "file" | "directory" | "socket" | "link" | "other";
  readonly size: number;
  /** The time of the last change to the content; undefined if the system does not tell. */
  readonly modified: number | undefined;
  /** The time of the last change to the content, names or times. Nobody can set it back. */
  readonly changed: number | undefined;
  /** Whether someone may execute it. */
  readonly executable: boolean;
  /** The device and the inode together identify the file, under any name. */
  readonly device: number;
  readonly inode: number;
  /** Whether it belongs to the user that runs this process. */
  readonly isOwn: boolean;
  /** Whether every user of the host may change it. In such a directory, they may rename and remove each other's files. */
  readonly isEverybodys: boolean;
}

export interface Processes {
  /** Starts `words` as the leader of a process group of its own, with stdin and stdout at /dev/null. */
  start(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<Child>;
  /** Starts `words` like `start`, but with pipes at its stdin and stdout. Its environment is our own. */
  startTalking(words: readonly string[]): Promise<TalkingChild>;
  /**
   * Starts this same program again, in the background, with these arguments and outside its parent's group. With
   * `stdout`, its standard error goes where its standard output goes. It is to give the signs of life that a service manager
   * wants of us.
   */
  startSelf(args: readonly string[], stderr: "stdout" | "inherit"): Promise<BackgroundSelf>;
  /**
   * Starts `words`, which start this program, as a worker: with pipes at its stdin and stdout, our stderr, and listening
   * sockets, which are descriptors of ours. `Runtime.workerSockets` tells it their numbers there. It gets no signal that is
   * meant for our process group.
   */
  startWorker(words: readonly string[], sockets: readonly number[]): Promise<WorkerProcess>;
  /**
   * The words that start this same program from any directory and environment, without its arguments. Paths are
   * absolute.
   */
  selfWords(): readonly string[];
}

export interface Child {
  /** How the child ended. */
  readonly ended: Promise<ProcessEnd>;
  /** Reads from its standard error. Use the octets before the next call, which takes the memory back. */
  readStderr(): Promise<Uint8Array | null>;
  /** Stops reading. Later output of the child does not matter. */
  closeStderr(): void;
  /** Whether its process group still has members. */
  hasGroup(): boolean;
  /** Sends a signal to the whole process group. It is no error if the group is empty. */
  signalGroup(signal: "SIGTERM" | "SIGKILL"): void;
}

export interface TalkingChild extends Child {
  /** Writes all of `octets` to its standard input. If it reads no more, this ends too, with an `IoError` or without. */
  write(octets: Uint8Array): Promise<void>;
  /** Reads from its standard output, with the rules of `readStderr`. Null at the end. */
  readStdout(): Promise<Uint8Array | null>;
  /** Closes its standard input and stops reading its standard output. */
  hangUp(): void;
}

export interface WorkerProcess {
  readonly pid: number;
  readonly ended: Promise<ProcessEnd>;
  /** Writes all of `octets` to its standard input. */
  write(octets: Uint8Array): Promise<void>;
  /** Reads from its standard output. Null at the end. */
  read(): Promise<Uint8Array | null>;
  /** SIGKILL. It is no error if it has ended. */
  kill(): void;
}

export type ProcessEnd = { readonly exit: number } | { readonly signal: string };

export interface BackgroundSelf {
  readonly pid: number;
  readonly ended: Promise<ProcessEnd>;
  readonly stdout: ReadableStream<Uint8Array>;
  /** Lets this program end while the started one runs on. */
  release(): void;
}

/** A user of this host (passwd(5)). */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user that this process runs as. */
export interface Privileges {
  /** The id of that user. Root's is 0. */
  uid(): number;
  /**
   * Makes this process, with all of its threads, run as `account`, with the groups of `account` and no others. So does
   * everything that it starts from then on. There is no way back to root. Only root can do this. Throws `IoError` if the
   * system refuses, or if anything of root is left. Then this process must end.
   */
  become(account: Account): Promise<void>;
  /** Gives a file or a socket to `account` and its group. A link is given itself, and not its target. */
  give(path: string, account: Account): Promise<void>;
}

export type Signal = "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP" | "SIGXFSZ";

export interface Signals {
  /** Runs `handler` each time the signal comes. */
  on(signal: Signal, handler: () => void): void;
}

export interface Stdio {
  /** Standard input and output as one connection. */
  conn(): Conn;
  /**
   * Whether standard input and output are one socket. Under Postfix's spawn(8) they are, and standard error is it, too.
   */
  isSpawned(): boolean;
  /** Whether standard error is the same as standard input. */
  isErrInput(): boolean;
  /** Whether standard error is systemd's journal (JOURNAL_STREAM, systemd.exec(5)). */
  isErrJournal(): boolean;
  /** Whether standard output is a terminal. */
  isOutTerminal(): boolean;
  /** Writes all of `octets` to standard error. A slow reader there holds up only this write. Throws `IoError`. */
  appendErr(octets: Uint8Array): Promise<void>;
  writeOut(text: string): void;
  writeErr(text: string): void;
}
