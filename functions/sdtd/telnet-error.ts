export class TelnetError extends Error {
  override readonly name = "TelnetError";
  /**
   * `unreachable`: nobody listens, or the line broke. `blocked`: too many failed logins, so nobody may log in for a
   * while. `not_started`: the server runs, its world is not loaded yet. `protocol`: what listens speaks something else.
   */
  readonly kind: "unreachable" | "wrong_password" | "blocked" | "not_started" | "timeout" | "protocol";

  constructor(kind: TelnetError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
