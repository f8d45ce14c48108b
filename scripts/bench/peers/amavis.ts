// amavisd-new, Debian's, in front of the queue (smtpd_proxy_filter), without virus scanners and SpamAssassin: it takes a
// message apart and passes it on. A process in Perl serves one connection.
//
// The user is Debian's `amavis`, and no file of that user is touched.

import type { Peer } from "../way.ts";
import { type Place, startPeer } from "./program.ts";

/** It serves so many connections at a time. More wait. */
const SERVERS = 25;

export const amavis: Peer = {
  name: "amavisd-new",
  package: "amavisd-new",
  start: async (directory, downstream) =>
    await startPeer({ name: "amavisd-new", file: "amavisd", user: "amavis" }, directory, (place) => {
      const path = `${place.config}/amavisd.conf`;
      Deno.writeTextFileSync(path, configuration(place, downstream));
      return [place.file, "-c", path, "foreground"];
    }),
};

function configuration({ port, work }: Place, downstream: number): string {
  return `use strict;
$MYHOME = $TEMPBASE = $db_home = $ENV{TMPDIR} = '${work}';
$pid_file = '${work}/pid'; $lock_file = '${work}/lock'; $unix_socketname = undef; $QUARANTINEDIR = undef;
$daemon_user = $daemon_group = 'amavis';
$mydomain = 'bench.example'; $myhostname = 'mail.bench.example'; @local_domains_maps = (1);
$max_servers = ${SERVERS}; $max_requests = 100; $child_timeout = 60;
$enable_db = $enable_global_cache = $enable_zmq = 0;
$inet_socket_bind = '127.0.0.1'; $inet_socket_port = ${port}; @inet_acl = ('127.0.0.1');
$forward_method = $notify_method = 'smtp:[127.0.0.1]:${downstream}';
$DO_SYSLOG = 0; $LOGFILE = '${work}/log'; $log_level = 0;
@bypass_virus_checks_maps = @bypass_spam_checks_maps = @bypass_banned_checks_maps = @bypass_header_checks_maps = (1);
$enable_dkim_verification = $enable_dkim_signing = 0;
$final_virus_destiny = $final_banned_destiny = D_REJECT; $final_spam_destiny = $final_bad_header_destiny = D_PASS;
1;
`;
}
