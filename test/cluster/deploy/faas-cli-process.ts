import { parseArgs } from "node:util";
import { type Deployment, loadStackFile } from "../../../shared/stack/stack-file.ts";

/*
 * What OpenFaaS's own client asks of a gateway for `deploy -f` and `remove -f` (faas-cli 0.18), for machines that have
 * none.
 */

const { values, positionals } = parseArgs({
  options: {
    yaml: { type: "string", short: "f" },
    namespace: { type: "string" },
    gateway: { type: "string", default: process.env.OPENFAAS_URL ?? "http://127.0.0.1:8080" },
  },
  allowPositionals: true,
});
const { yaml = "stack.yml", namespace } = values;
const gateway = values.gateway.toLowerCase();

const ask = (method: string, body: object) =>
  fetch(`${gateway}/system/functions`, {
    method,
    body: JSON.stringify({ ...body, ...(namespace !== undefined && { namespace }) }),
    headers: { "content-type": "application/json" },
  });

/** Updates, then creates; 200 and 202 alone are success. */
async function deploy(fn: Deployment): Promise<boolean> {
  const update = await ask("PUT", fn);
  const { status, statusText } = update.status === 404 ? await ask("POST", fn) : update;
  console.info(
    status === 200 || status === 202 ? `Deployed. ${status} ${statusText}.` : `Unexpected status: ${status}`,
  );
  return status === 200 || status === 202;
}

async function remove({ service }: Deployment): Promise<boolean> {
  const { status } = await ask("DELETE", { functionName: service });
  console.info(status === 404 ? `No existing function to remove: ${service}` : `Removing: ${service}`);
  return status === 200 || status === 202 || status === 404;
}

const work = { deploy, remove }[positionals[0] ?? ""];
if (!work) throw new Error(`deploy or remove is wanted, is ${positionals[0]}`);
let well = true;
for (const fn of await loadStackFile(yaml, process.env)) well = (await work(fn)) && well;
process.exitCode = well ? 0 : 1;
