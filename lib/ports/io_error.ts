// One vocabulary for everything that goes wrong between the program and the machine.
//
// Each adapter translates its failures into `IoError`. No other code looks at a runtime's own error classes. `message`
// is for the log and names what was tried.

export type IoErrorKind =
  | "timeout"
  | "refused"
  | "unreachable"
  | "unknown-host"
  | "reset"
  | "closed"
  | "in-use"
  | "exists"
  /** The socket takes streams and not datagrams, or the other way round. */
  | "wrong-type"
  | "missing"
  | "denied"
  | "no-space"
  /** We have no descriptor, process or memory left, perhaps only for a moment. */
  | "exhausted"
  | "other";

export class IoError extends Error {
  override readonly name = "IoError";
  readonly kind: IoErrorKind;

  constructor(kind: IoErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** The kind for a system error code such as `ECONNREFUSED`. */
export function kindOfCode(code: string | undefined): IoErrorKind {
  return KINDS[code ?? ""] ?? "other";
}

const KINDS: Readonly<Record<string, IoErrorKind>> = {
  ETIMEDOUT: "timeout",
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EAFNOSUPPORT: "unreachable",
  ENOTFOUND: "unknown-host",
  EAI_AGAIN: "unknown-host",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ECONNABORTED: "reset",
  EADDRINUSE: "in-use",
  EEXIST: "exists",
  EPROTOTYPE: "wrong-type",
  ENOENT: "missing",
  ENOTDIR: "missing",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  // A quota or a size limit makes no difference to the sender: this message has no room now.
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EFBIG: "no-space",
  EMFILE: "exhausted",
  ENFILE: "exhausted",
  EAGAIN: "exhausted",
  ENOMEM: "exhausted",
};
