// One vocabulary for what goes wrong between the program and the machine.
//
// Adapters translate each failure of theirs into an `IoError`; nobody above looks at a runtime's own error classes.
// `message` is for the log and names what was tried.

export type IoErrorKind =
  | "timeout"
  | "refused"
  | "unreachable"
  | "unknown-host"
  | "reset"
  | "closed"
  | "in-use"
  | "exists"
  /** A socket takes streams, and not datagrams, or the other way round. */
  | "wrong-type"
  | "missing"
  | "denied"
  | "no-space"
  /** No descriptor, process or memory is left to us, be it for a moment. */
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
  // A quota or a size limit that is reached is no different for the sender: there is no room for this message now.
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EFBIG: "no-space",
  EMFILE: "exhausted",
  ENFILE: "exhausted",
  EAGAIN: "exhausted",
  ENOMEM: "exhausted",
};
