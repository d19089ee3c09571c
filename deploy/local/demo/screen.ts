import { processTerminal, type Terminal } from "../../cli/terminal.ts";

/** Where the story is told: chapters, and lines below them. */
export interface Screen {
  chapter(title: string): void;
  say(line: string): void;
  /** For the commands of the CLI; their lines stand in the chapter. */
  readonly terminal: Terminal;
}

/** On standard output alone, so that the order stays what it is wherever it goes. */
export function createScreen(real: Terminal = processTerminal()): Screen {
  const say = (line: string) => real.out(line === "" ? "" : `   ${line}`);
  return {
    chapter(title) {
      real.out("");
      real.out(title);
    },
    say,
    terminal: {
      interactive: real.interactive,
      out: say,
      err: say,
      redraw: (line) => real.redraw(line && `   ${line}`),
      ask: (question, signal) => real.ask(question, signal),
      // Ctrl-C ends the whole demo, so a command has nothing to ask.
      onInterrupt: () => () => {},
    },
  };
}
