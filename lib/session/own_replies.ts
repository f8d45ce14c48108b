// Every reply of postprox's own (RFC 5321 s.4.2, RFC 3463).
//
// They tell strangers little: no path, no name of a part, no error text. The log has the rest.

import { NO_SPACE, NOT_HANDLED } from "../mail/judgement.ts";
import { formatReply } from "../smtp/reply.ts";

export const OWN_REPLIES = {
  startMessage: formatReply("354 End data with <CR><LF>.<CR><LF>"),
  bye: formatReply("221 2.0.0 Bye"),

  downstreamUnreachable: formatReply("421 4.3.2 Service not available, try again later"),
  downstreamLost: formatReply("421 4.3.0 Service not available, closing connection"),
  unasked3xx: formatReply("421 4.3.0 Mail server error, closing connection"),
  clientSilent: formatReply("421 4.4.2 Timeout, closing connection"),
  sessionTooLong: formatReply("421 4.4.2 Session took too long, closing connection"),
  shuttingDown: formatReply("421 4.3.2 Service shutting down, closing connection"),
  tooManyClients: formatReply("421 4.3.2 Too many connections, try again later"),
  tooManyErrors: formatReply("421 4.7.0 Too many errors, closing connection"),
  misconfigured: formatReply("421 4.3.5 Server configuration error"),
  bug: formatReply("421 4.3.0 Internal error, closing connection"),

  lineSpoilt: formatReply("500 5.5.2 Lines must end with CR LF and hold no other CR, LF or NUL (by hand: nc -C)"),
  lineTooLong: formatReply("500 5.5.2 Line too long"),
  notImplemented: formatReply("502 5.5.1 Command not implemented"),
  dataArgument: formatReply("501 5.5.4 Syntax: DATA"),
  parameterUnknown: formatReply("555 5.5.4 Unsupported parameter"),
  needMail: formatReply("503 5.5.1 Need MAIL command first"),
  noRecipients: formatReply("554 5.5.1 No valid recipients"),
  tooManyRecipients: formatReply("452 4.5.3 Too many recipients"),

  messageTooLarge: formatReply("552 5.3.4 Message size exceeds fixed limit"),
  noSpace: NO_SPACE,
  messageFailed: NOT_HANDLED,
  bareNewline: formatReply("550 5.5.2 Message has a bare CR or LF"),
} as const;
