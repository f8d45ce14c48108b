// What the doctor says about one question: what is wrong and the line to change, what is right, what it could not see.

export interface Finding {
  /** One sentence of plain words. */
  readonly what: string;
  /** Absent if nobody can know the line from here. */
  readonly change?: Change | undefined;
}

export interface Change {
  /** The place: a file with its line, or "run". The lines come after it. */
  readonly where: string;
  /** Ready to paste. */
  readonly lines: readonly string[];
}

export interface Answer {
  readonly wrong?: readonly Finding[];
  /** Not wrong, but worth a thought. */
  readonly advice?: readonly Finding[];
  /** What was looked at and is right, each in a few words. */
  readonly right?: readonly string[];
  /** What could not be looked at, and why. */
  readonly unseen?: readonly string[];
}

/** One answer that holds all of `answers`. Nothing is in it twice. */
export function joinAnswers(answers: readonly Answer[]): Required<Answer> {
  return {
    wrong: unique(answers.flatMap(({ wrong = [] }) => wrong)),
    advice: unique(answers.flatMap(({ advice = [] }) => advice)),
    right: unique(answers.flatMap(({ right = [] }) => right)),
    unseen: unique(answers.flatMap(({ unseen = [] }) => unseen)),
  };
}

function unique<Part>(parts: readonly Part[]): Part[] {
  return [...new Map(parts.map((part) => [JSON.stringify(part), part])).values()];
}

/** A change by a command, which root gives. */
export function toRun(...lines: readonly string[]): Change {
  return { where: "run, as root:", lines };
}
