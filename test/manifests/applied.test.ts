// The manifests against a real API server: every pair of components, all of them, and the example are taken as they are rendered.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlane, startControlPlane } from '../support/kube-apiserver.ts';
import { PROMETHEUS_KINDS, prometheusCrd } from './crds.ts';
import { COMPONENTS, hasKubectl, render, type Rendered, renderWith } from './render.ts';

let kube: ControlPlane;

/** What kubectl prints. */
const kubectl = (args: readonly string[], input?: string): string =>
  execFileSync('kubectl', ['--server', `https://127.0.0.1:${kube.port}`, '--token', 'admin-token', '--insecure-skip-tls-verify', ...args], {
    input: input ?? '',
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
  });

const apply = (objects: readonly Rendered[]): string[] => {
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  return kubectl(['apply', '--server-side', '--field-manager', 'test', '-f', '-', '-o', 'name'], text).trim().split('\n');
};

describe.skipIf(!hasKubectl)('the API server', () => {
  beforeAll(async () => {
    kube = await startControlPlane();
    for (const kind of PROMETHEUS_KINDS)
      expect((await kube.api('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', prometheusCrd(kind))).status).toBe(201);
    kubectl(['wait', '--for=condition=established', '--timeout=60s', 'crd', '--all']);
  });
  afterAll(() => kube.stop());

  it('takes every pair of components, and all of them', async () => {
    const pairs = COMPONENTS.flatMap((one, index) => COMPONENTS.slice(index + 1).map((other) => [one, other]));
    for (const [index, names] of [...pairs, COMPONENTS].entries()) {
      const namespace = `pair-${index}`;
      kubectl(['create', 'namespace', namespace]);
      const objects = await renderWith(names, namespace);
      expect(apply(objects), names.join(' and ')).toHaveLength(objects.length);
    }
  });

  it('takes the example, and again without a change', async () => {
    kubectl(['create', 'namespace', 'postgres']);
    const objects = await render('manifests/overlays/example');
    apply(objects);
    const version = async (): Promise<unknown> => (await kube.api('GET', '/apis/apps/v1/namespaces/postgres/deployments/pgsteward')).json['metadata'];
    const before = await version();
    apply(objects);
    expect(await version()).toEqual(before);
  });
});
