import type { Deployment } from "../../../shared/stack/stack-file.ts";
import type { Answer, Api } from "../api.ts";

/*
 * What faas-netes does (OpenFaaS CE, 0.18; its pkg/handlers and pkg/k8s): a function is a Deployment and a Service. A
 * container registry apart: it pulls an image each time, and there is none here.
 */

const port = 8080;
/** The chart has periods of 2 s and a second's patience, which is less than a machine needs that runs tests, too. */
const probe = { httpGet: { path: "/_/health", port }, timeoutSeconds: 10, failureThreshold: 3 };
const readinessProbe = { ...probe, periodSeconds: 1 };
const livenessProbe = { ...probe, periodSeconds: 10 };

/** Deploys a function, or updates it: what is there is read, changed, and written; what it does not know stays. */
export async function deploy(api: Api, namespace: string, fn: Deployment): Promise<void> {
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const services = `/api/v1/namespaces/${namespace}/services`;
  const { service: name, annotations } = fn;
  if (annotations?.topic?.includes(",")) throw new Error(`Cannot deploy "${name}": CE takes one topic`);
  const secrets = await secretsOf(api, namespace, fn);
  const there = await api("GET", `${deployments}/${name}`);
  if (there.status === 404) {
    require(await api("POST", deployments, configured(newDeployment(name), fn, secrets)));
    require(await api("POST", services, serviceOf(fn)));
    return;
  }
  const { object } = require(there);
  object.spec.template.metadata.labels = { faas_function: name, uid: String(process.hrtime.bigint()) };
  require(await api("PUT", `${deployments}/${name}`, configured(object, fn, secrets)));
  const service = require(await api("GET", `${services}/${name}`)).object;
  service.metadata.annotations = annotationsOf(fn);
  require(await api("PUT", `${services}/${name}`, service));
}

function require(answer: Answer): Answer {
  if (answer.status < 300) return answer;
  throw new Error(`Cannot deploy: the API answers ${answer.status}: ${answer.message}`);
}

/** Each key of each secret that is asked for, as a file. */
async function secretsOf(api: Api, namespace: string, { secrets }: Deployment): Promise<object[]> {
  const sources = [];
  for (const name of secrets ?? []) {
    const { object } = require(await api("GET", `/api/v1/namespaces/${namespace}/secrets/${name}`));
    const items = Object.keys(object.data).map((key) => ({ key, path: key }));
    sources.push({ secret: { name, items } });
  }
  return sources;
}

const annotationsOf = ({ annotations }: Deployment) => ({ "prometheus.io.scrape": "false", ...annotations });

const newDeployment = (name: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, labels: { faas_function: name } },
  spec: {
    replicas: 1,
    selector: { matchLabels: { faas_function: name } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    revisionHistoryLimit: 10,
    template: {
      metadata: { name, labels: { faas_function: name } },
      spec: { containers: [{ name, ports: [{ name: "http", containerPort: port, protocol: "TCP" }] }] },
    },
  },
});

/** Sets what a request tells, in a new Deployment as in one that was read. */
// biome-ignore lint/suspicious/noExplicitAny: a Deployment, with whatever others have added to it
function configured(deployment: any, fn: Deployment, secrets: object[]): object {
  const { service: name, image, envVars, limits, requests, readOnlyRootFilesystem } = fn;
  const { metadata, spec } = deployment.spec.template;
  const secretsVolume = `${name}-projected-secrets`;
  const own = [secretsVolume, "temp"];
  const others = (things: { name: string }[] = []) => things.filter((thing) => !own.includes(thing.name));
  const [container] = spec.containers;
  deployment.metadata.annotations = annotationsOf(fn);
  metadata.annotations = annotationsOf(fn);
  Object.assign(metadata.labels, fn.labels);
  Object.assign(container, {
    image,
    env: Object.entries(envVars ?? {})
      .map(([key, value]) => ({ name: key, value }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    resources: { limits: limits ?? {}, requests: requests ?? {} },
    livenessProbe,
    readinessProbe,
    securityContext: { readOnlyRootFilesystem: readOnlyRootFilesystem ?? false },
    volumeMounts: [
      ...others(container.volumeMounts),
      ...(readOnlyRootFilesystem ? [{ name: "temp", mountPath: "/tmp", readOnly: false }] : []),
      ...(secrets.length > 0 ? [{ name: secretsVolume, mountPath: "/var/openfaas/secrets", readOnly: true }] : []),
    ],
  });
  spec.volumes = [
    ...others(spec.volumes),
    ...(readOnlyRootFilesystem ? [{ name: "temp", emptyDir: {} }] : []),
    ...(secrets.length > 0 ? [{ name: secretsVolume, projected: { sources: secrets } }] : []),
  ];
  return deployment;
}

const serviceOf = (fn: Deployment) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: fn.service, annotations: annotationsOf(fn) },
  spec: {
    type: "ClusterIP",
    selector: { faas_function: fn.service },
    ports: [{ name: "http", protocol: "TCP", port, targetPort: port }],
  },
});
