// The hostile corpus: octets that have fooled mail servers and proxies, and what must become of each.
//
// row.ts says what a row is. The rows are in three files: the content of messages, commands, replies of downstream.
// docs/proofs/hostile.md has the table. hostile_test.ts and `deno task hostile` play the rows.

import { COMMAND_ROWS } from "./corpus_commands.ts";
import { CONTENT_ROWS } from "./corpus_content.ts";
import { REPLY_ROWS } from "./corpus_replies.ts";
import { GROUPS, type Row } from "./row.ts";

export const CORPUS: readonly Row[] = [...CONTENT_ROWS, ...COMMAND_ROWS, ...REPLY_ROWS];

/** The rows of each group, in the order of the corpus. */
export function rowsByGroup(rows: readonly Row[] = CORPUS): Map<Row["group"], Row[]> {
  return new Map(GROUPS.map((group) => [group, rows.filter((row) => row.group === group)]));
}
