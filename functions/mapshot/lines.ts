/**
 * Cuts a program's output into lines, however much it writes and however long its lines are: memory holds one line.
 * @param longest Characters of a line that are told; the rest of it is dropped.
 */
export function lineSplitter(onLine: (line: string) => void, longest = 2000) {
  let line = "";
  let started = false;
  return {
    write(text: string): void {
      const pieces = text.split("\n");
      for (const [index, piece] of pieces.entries()) {
        if (index > 0) this.end();
        if (line.length < longest) line += piece.slice(0, longest - line.length);
        started ||= piece !== "";
      }
    },
    /** Tells what came after the last line's end. */
    end(): void {
      if (started) onLine(line.replace(/\r$/, ""));
      line = "";
      started = false;
    },
  };
}
