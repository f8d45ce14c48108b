// What is wrong in a line of a rules file, and what would be right.

export class RulesError extends Error {
  override readonly name = "RulesError";
  /** Counted from 1. */
  line: number;

  constructor(message: string, line = 0) {
    super(message);
    this.line = line;
  }
}
