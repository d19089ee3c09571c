/**
 * One change to the world outside the process: a file made or renamed, a command run, an SQL statement sent.
 * Everything that changes something goes through this one function, so that a lost lock stops a run before its
 * next change, and a test can stop a run dead at change n, for every n.
 *
 * @param what What changes, for people: a verb and its object ("rename /nas/…/latest.zip").
 */
export type Step = <T>(what: string, change: () => Promise<T>) => Promise<T>;

export interface StepGuards {
  /** Throws when this run may no longer change anything (its lock is gone). */
  fence?: () => Promise<void>;
  /** Sees every change before it happens. */
  onStep?: (what: string) => void | Promise<void>;
}

export function createStep({ fence, onStep }: StepGuards = {}): Step {
  return async (what, change) => {
    await fence?.();
    await onStep?.(what);
    return change();
  };
}
