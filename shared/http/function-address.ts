/**
 * Where a function is: below its gateway's `/function/`, as OpenFaaS has it. `{function}` in the gateway's address is
 * where the name stands instead: on Knative each function has a host of its own.
 */
export function functionAddress(gateway: string, name: string): string {
  const base = gateway.replace(/\/+$/, "");
  return base.includes("{function}") ? base.replaceAll("{function}", name) : `${base}/function/${name}`;
}
