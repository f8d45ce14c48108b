// All groups of the benchmarks, in the order of the page.

import { clamd } from "./clamd.ts";
import { command } from "./command.ts";
import type { Group } from "./group.ts";
import { growth } from "./growth.ts";
import { helper } from "./helper.ts";
import { large } from "./large.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { relays, spamScanners, virusScanners } from "./postfix.ts";
import { proxies } from "./proxies.ts";
import { scanned } from "./scanned.ts";
import { spawn } from "./spawn.ts";
import { urls } from "./urls.ts";

export const GROUPS: readonly Group[] = [
  spawn,
  command,
  proxies,
  relays,
  virusScanners,
  spamScanners,
  clamd,
  urls,
  helper,
  large,
  scanned,
  latency,
  memory,
  growth,
];
