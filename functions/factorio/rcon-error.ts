export class RconError extends Error {
  override readonly name = "RconError";
  /** `unreachable`: nobody listens, or the line broke. `protocol`: what listens speaks something else. */
  readonly kind: "unreachable" | "wrong_password" | "timeout" | "protocol";

  constructor(kind: RconError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
