// Stand-ins for clamd, rspamd and a name server, for the group `scanned`: a program of its own.
//
// They keep nothing of a message, find nothing in it, and know no name. It writes where they are to its standard output, in
// JSON, and serves until it is ended.

import { DnsServer } from "../../tests/fakes/dns_server.ts";
import { httpAnswer } from "../../tests/fakes/rspamd.ts";
import { Sink } from "../../tests/fakes/sink.ts";

/** As the options of postprox have them. */
export interface Scanners {
  readonly clamd: string;
  readonly rspamd: string;
  readonly dns: string;
}

if (import.meta.main) {
  const clamd = new Sink("stream: OK\0", "frames");
  const rspamd = new Sink(httpAnswer('{"action":"add header","score":7,"required_score":15,"symbols":{}}'));
  const dns = await DnsServer.start(() => ({ code: 3 }));
  const all: Scanners = { clamd: clamd.address, rspamd: rspamd.address, dns: `127.0.0.1:${dns.port}` };
  console.log(JSON.stringify(all));
}
