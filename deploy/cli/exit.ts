/** Exit statuses, as `keepsake help` lists them. */
export const exits = {
  ok: 0,
  /** Failed, refused, or declined. */
  failed: 1,
  usage: 2,
  /** No gateway, or none that answers. */
  unreachable: 3,
  interrupted: 130,
  terminated: 143,
} as const;

/** Ends a command with a message for people, and what they can do. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exit: number;
  readonly hint: string | undefined;

  constructor(exit: number, message: string, options: { cause?: unknown; hint?: string | undefined } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exit = exit;
    this.hint = options.hint;
  }
}

export const usage = (message: string, hint?: string) => new CliError(exits.usage, message, { hint });

/** Whether the rest of a command still makes sense after this: not when the user wants out or nobody answers. */
export const endsAll = (error: unknown) =>
  !(error instanceof CliError) || error.exit === exits.unreachable || error.exit >= exits.interrupted;
