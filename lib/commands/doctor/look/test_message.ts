// The message of --send. Pure.

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A message with LF line ends (RFC 5322). It asks for no answer (RFC 3834). */
export function formatTestMessage(
  { host, recipient, now, id }: { host: string; recipient: string; now: Date; id: string },
): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${DAYS[now.getUTCDay()]}, ${now.getUTCDate()} ${MONTHS[now.getUTCMonth()]} ${now.getUTCFullYear()}`;
  const time = [now.getUTCHours(), now.getUTCMinutes(), now.getUTCSeconds()].map(two).join(":");
  return `From: postprox doctor <postmaster@${host}>
To: ${recipient}
Subject: Test message of postprox doctor
Date: ${day} ${time} +0000
Message-ID: <${id}@${host}>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

postprox doctor on ${host} has sent this message through postprox, as
Postfix would. It arrived, so postprox and the server behind it work.
`;
}
