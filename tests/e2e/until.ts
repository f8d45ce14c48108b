// Waiting for what happens elsewhere: in a log, a Maildir, the process table.
//
// until() asks again and again until the answer is neither undefined nor false, and gives it back. No test of this folder sleeps for
// a time that was guessed: it waits for the event itself, and the deadline only turns a hang into a failure that says
// what was waited for.

const PAUSE_MS = 15;

/** The first answer of `ask` that is neither undefined nor false; throws after `seconds`, naming `what`. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  seconds = 60,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  while (true) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain: ${what}`);
    await new Promise((resume) => setTimeout(resume, PAUSE_MS));
  }
}

/** The outcome of `work`, or an error that names `what` when it takes longer than `seconds`. */
export async function within<T>(seconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const alarm = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`waited ${seconds} s in vain: ${what}`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, alarm]);
  } finally {
    clearTimeout(timer);
  }
}
