// Whether the quarantine is in the spool directory, where it would not be safe.

import { UsageError } from "../ports/start_error.ts";
import { quote } from "../text/quoting.ts";

/**
 * Throws a `UsageError` if `directory` is below `spool`. A program that removes old files from a spool directory would also
 * remove messages from the quarantine.
 */
export function refuseBelowSpool(directory: string, spool: string): void {
  const [inner, outer] = [withSlash(directory), withSlash(spool)];
  if (!inner.startsWith(outer) || /^\/(?:var\/)?tmp\/$/.test(outer)) return;
  const what = `${quote(directory)} is in the spool directory of -d, where old files are removed`;
  const hint = "give another directory, such as /var/lib/postprox/quarantine";
  throw new UsageError(`option --quarantine: ${what}: ${hint}`);
}

function withSlash(path: string): string {
  return `${path.replace(/\/+$/, "")}/`;
}
