// The names in the quarantine: ids, and the files that belong to one. Pure.
//
// An id is the time in UTC and 80 random bits: `20261128T225227123-0a1b2c3d4e5f6g7h`. So ids sort by time, nobody can guess
// one, and no two processes or hosts make the same one. A kept message is the files `ID.eml` and `ID.json`. `ID.new` becomes
// `ID.json` when it is whole. A message without its `ID.json` is not kept: it is a part that is being written, or is left over.

const RANDOM_DIGITS = 16;

const ID = "([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{3})-[0-9a-v]{16}";

const WHOLE_ID = new RegExp(`^${ID}$`);

const FILE = new RegExp(`^(${ID})\\.(eml|json|new)$`);

export type Ending = "eml" | "json" | "new";

/** A new id for a message that is kept at `now`, in milliseconds since 1970. */
export function newId(now: number = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(RANDOM_DIGITS));
  const digits = Array.from(random, (octet) => (octet & 31).toString(32)).join("");
  return `${new Date(now).toISOString().replace(/[-:.Z]/g, "")}-${digits}`;
}

export function isId(text: string): boolean {
  return timeOfId(text) !== undefined;
}

/** When the message with this id was kept, in milliseconds since 1970; undefined for a text that is no id. */
export function timeOfId(id: string): number | undefined {
  const parts = WHOLE_ID.exec(id);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second, millisecond] = parts;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millisecond}Z`);
  return Number.isNaN(time) ? undefined : time;
}

/** The message id and the kind of file for a name; undefined for a name that the quarantine does not give. */
export function parseName(name: string): { readonly id: string; readonly ending: Ending } | undefined {
  const [, id = "", ...parts] = FILE.exec(name) ?? [];
  return isId(id) ? { id, ending: parts.at(-1) as Ending } : undefined;
}

export function pathIn(directory: string, id: string, ending: Ending): string {
  return `${directory}/${id}.${ending}`;
}
