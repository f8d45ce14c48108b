// The commands --version and --license, and the name and version of the program.

import type { Command } from "./command.ts";

export const VERSION = "1.1.0";

export const VERSION_TEXT = `postprox ${VERSION}
SMTP content filter proxy for Postfix.
`;

export const LICENSE_TEXT = `postprox ${VERSION}
Copyright (c) 2026 the postprox developers

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies
of the Software, and to permit persons to whom the Software is furnished to do
so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`;

export const version: Command = async ({ runtime }) => {
  runtime.stdio.writeOut(VERSION_TEXT);
  return 0;
};

export const license: Command = async ({ runtime }) => {
  runtime.stdio.writeOut(LICENSE_TEXT);
  return 0;
};
