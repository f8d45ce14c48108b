// An error in a line of a rules file. Its text says what is wrong and what would be right.

export class RulesError extends Error {
  override readonly name = "RulesError";
  /** Counted from 1. */
  line: number;

  constructor(message: string, line = 0) {
    super(message);
    this.line = line;
  }
}
