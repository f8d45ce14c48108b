// The options that only commands with a name have, besides all others.

import { flag, optional, repeated, type SettingsOf } from "../options/table.ts";
import { CLIENT, GREETING, MAILBOX } from "./kinds.ts";
import type { Settings } from "./settings.ts";

const OUTPUT = {
  json: flag({
    long: "json",
    group: "commands",
    help: "print JSON: for each message an object, on a line of its own",
  }),
};

export const QUARANTINE = {
  settings: { output: OUTPUT },
  /** The actions of `postprox quarantine`. */
  verbs: ["list", "show", "release", "delete", "expire"],
} as const;

export type QuarantineSettings = Settings & SettingsOf<typeof QUARANTINE.settings>;

export const CHECK = {
  takesFiles: true,
  settings: {
    output: OUTPUT,
    envelope: {
      sender: optional({
        long: "sender",
        kind: MAILBOX,
        group: "commands",
        help: "for check: the messages are from this sender; <> is the null sender",
      }),
      recipients: repeated({
        long: "recipient",
        kind: MAILBOX,
        group: "commands",
        help: "for check: the messages are for this recipient; may be repeated",
      }),
      client: optional({
        long: "client",
        kind: CLIENT,
        group: "commands",
        help: "for check: the messages are from the client with this IP address",
      }),
      helo: optional({
        long: "helo",
        kind: GREETING,
        group: "commands",
        help: "for check: this is what the client called itself",
      }),
    },
  },
} as const;

export type CheckSettings = Settings & SettingsOf<typeof CHECK.settings>;

export const DOCTOR = {
  settings: {
    trial: {
      send: optional({
        long: "send",
        kind: MAILBOX,
        group: "commands",
        help: "for doctor: send a test message to ADDRESS through postprox",
      }),
    },
  },
} as const;

export type DoctorSettings = Settings & SettingsOf<typeof DOCTOR.settings>;
