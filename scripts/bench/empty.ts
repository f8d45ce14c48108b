// A program that does nothing: what a runtime costs without any program.
export {};
