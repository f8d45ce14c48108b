// What the options of the group "information" print. Loaded when one of them is given, and never in front of a message.

import { LICENSE_TEXT, VERSION_TEXT } from "../version.ts";
import { helpText } from "./help.ts";
import type { Information } from "./parse.ts";
import { formatPostfixConfig } from "./postfix_config.ts";

/** `program` is the words that start this program. Throws a `UsageError` where the options do not fit together. */
export function informationText(wanted: Information, program: readonly string[]): string {
  switch (wanted.kind) {
    case "help":
      return helpText();
    case "license":
      return LICENSE_TEXT;
    case "version":
      return VERSION_TEXT;
    case "postfix-config":
      return formatPostfixConfig(wanted.line, program);
  }
}
