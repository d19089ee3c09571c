/**
 * Every failure that a caller may handle, in one table. Callers branch on the code, never on the text.
 * `status` is the HTTP status of the problem document (RFC 9457), `retryable` says whether the same request
 * may succeed later without anybody changing anything, `outcome` what a run that ends with it is called.
 */
export const failures = {
  invalid_request: { status: 400, retryable: false, outcome: "refused" },
  invalid_config: { status: 500, retryable: false, outcome: "failed" },
  unauthorized: { status: 401, retryable: false, outcome: "refused" },
  not_found: { status: 404, retryable: false, outcome: "refused" },
  app_busy: { status: 409, retryable: true, outcome: "refused" },
  lock_lost: { status: 409, retryable: true, outcome: "failed" },
  source_missing: { status: 422, retryable: false, outcome: "refused" },
  source_empty: { status: 422, retryable: false, outcome: "refused" },
  source_smaller: { status: 422, retryable: false, outcome: "refused" },
  source_replaced: { status: 422, retryable: false, outcome: "refused" },
  source_invalid: { status: 422, retryable: false, outcome: "refused" },
  source_changing: { status: 503, retryable: true, outcome: "failed" },
  source_unreachable: { status: 503, retryable: true, outcome: "failed" },
  backup_damaged: { status: 422, retryable: false, outcome: "failed" },
  backup_hostile: { status: 422, retryable: false, outcome: "refused" },
  override_needed: { status: 422, retryable: false, outcome: "refused" },
  no_space: { status: 507, retryable: true, outcome: "failed" },
  nas_not_marked: { status: 503, retryable: false, outcome: "failed" },
  nas_unreachable: { status: 503, retryable: true, outcome: "failed" },
  nas_write_failed: { status: 503, retryable: true, outcome: "failed" },
  target_invalid: { status: 422, retryable: false, outcome: "refused" },
  target_exists: { status: 422, retryable: false, outcome: "refused" },
  cluster_unreachable: { status: 503, retryable: true, outcome: "failed" },
  cluster_refused: { status: 500, retryable: false, outcome: "failed" },
  /** Its pod never began: an image, a claim, a node that is wanted. */
  job_cannot_start: { status: 502, retryable: true, outcome: "failed" },
  workload_failed: { status: 502, retryable: true, outcome: "failed" },
  tool_failed: { status: 502, retryable: true, outcome: "failed" },
  tool_missing: { status: 500, retryable: false, outcome: "failed" },
  /** A backup whose bytes are what they were could not be restored into scratch space. */
  drill_failed: { status: 500, retryable: false, outcome: "failed" },
  restore_failed: { status: 500, retryable: false, outcome: "failed" },
  /** A message that no channel, or not every one, has taken. */
  message_refused: { status: 502, retryable: true, outcome: "failed" },
  cancelled: { status: 409, retryable: true, outcome: "cancelled" },
  interrupted: { status: 500, retryable: true, outcome: "interrupted" },
  internal: { status: 500, retryable: false, outcome: "failed" },
} as const satisfies Record<string, { status: number; retryable: boolean; outcome: string }>;

export type FailureCode = keyof typeof failures;

/** A failure that callers may handle. `hint` says what the user can do about it, in one sentence or one command. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: FailureCode;
  readonly hint?: string;

  constructor(code: FailureCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
  }
}

/** Whatever was thrown, as a Failure: aborts become `cancelled`, a full disk `no_space`, the rest `internal`. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof Error) {
    if (error.name === "AbortError") {
      return error.cause instanceof Failure
        ? error.cause
        : new Failure("cancelled", "The run was cancelled", { cause: error });
    }
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOSPC" || code === "EDQUOT") {
      return new Failure("no_space", `No space left: ${error.message}`, {
        cause: error,
        hint: "Free some space there, then run this again; nothing that was there before has been touched.",
      });
    }
    return new Failure("internal", error.message, { cause: error });
  }
  return new Failure("internal", String(error));
}
