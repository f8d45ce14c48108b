// The permissions of a unix socket. It has them from its first moment: a chmod(2) after the call would come too late for a
// socket that is for few.

/** Everybody may connect. */
export const EVERYBODY = 0o666;

/** Calls `make`, which makes a socket with the permissions `mode`. `umask` sets the umask, and returns the one before. */
export function withMode<Made>(mode: number, make: () => Made, umask: (mask: number) => number): Made {
  const before = umask(~mode & 0o777);
  try {
    return make();
  } finally {
    umask(before);
  }
}
