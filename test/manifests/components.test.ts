// Components: each alone, each pair in both orders, and all of them together give what they say, whatever comes first.
import { describe, expect, it } from 'vitest';
import { COMPONENTS, hasKubectl, render, type Rendered, renderWith } from './render.ts';

interface Ours extends Rendered {
  readonly rules: readonly Record<string, readonly string[]>[];
  readonly spec: {
    readonly ingress?: readonly object[];
    readonly template: {
      readonly spec: { readonly enableServiceLinks: boolean; readonly containers: readonly { readonly env: readonly { readonly name: string }[] }[] };
    };
  };
}

const find = (objects: readonly Rendered[], kind: string): Ours => {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === 'pgsteward');
  expect(found).toHaveLength(1);
  return found[0] as Ours;
};

/** Whatever was put in: the order of lists that have none does not count. */
const shape = (objects: readonly Rendered[]): string => {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, item]) => [key, sorted(item)] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  };
  return JSON.stringify(sorted(objects));
};

describe.skipIf(!hasKubectl)('the components of the manifests', () => {
  it('can be combined, each with each and all together, in any order, and each adds what it adds alone', async () => {
    expect(COMPONENTS.length).toBeGreaterThan(4);
    const bare = find(await renderWith([]), 'Role').rules;
    const adds = new Map<string, readonly string[]>();
    for (const name of COMPONENTS) {
      const rules = find(await renderWith([name]), 'Role').rules;
      expect(rules.slice(0, bare.length), name).toEqual(bare);
      adds.set(
        name,
        rules.slice(bare.length).map((rule) => JSON.stringify(rule)),
      );
    }
    const added = (names: readonly string[]): string[] => names.flatMap((name) => adds.get(name) ?? []).toSorted();
    for (const [index, one] of COMPONENTS.entries())
      for (const other of COMPONENTS.slice(index + 1)) {
        const [forth, back] = [await renderWith([one, other]), await renderWith([other, one])];
        expect(shape(forth), `${one} and ${other}`).toBe(shape(back));
        const rules = find(forth, 'Role').rules.slice(bare.length);
        expect(rules.map((rule) => JSON.stringify(rule)).toSorted(), `${one} and ${other}`).toEqual(added([one, other]));
      }
    const all = await renderWith(COMPONENTS);
    expect(shape(all)).toBe(shape(await renderWith(COMPONENTS.toReversed())));
    expect(
      find(all, 'Role')
        .rules.slice(bare.length)
        .map((rule) => JSON.stringify(rule))
        .toSorted(),
    ).toEqual(added(COMPONENTS));
  });

  it('set no variable twice, and leave out those that Kubernetes makes of other Services', async () => {
    const { spec } = find(await renderWith(COMPONENTS), 'Deployment');
    const names = spec.template.spec.containers.flatMap(({ env }) => env.map(({ name }) => name));
    expect(names).toEqual([...new Set(names)]);
    expect(spec.template.spec.enableServiceLinks).toBe(false);
  });

  it('let nobody in but with monitoring', async () => {
    const ingress = async (names: readonly string[]): Promise<readonly object[]> => find(await renderWith(names), 'NetworkPolicy').spec.ingress ?? [];
    expect(await ingress(COMPONENTS.filter((name) => name !== 'monitoring'))).toEqual([]);
    expect(await ingress(['monitoring'])).toHaveLength(1);
  });

  it('have an example to copy that begins with a dry run, and whose document is its ConfigMap under its own name', async () => {
    const objects = await render('manifests/overlays/example');
    const { spec } = find(objects, 'Deployment');
    expect(spec.template.spec.containers[0]?.env).toContainEqual({ name: 'DRY_RUN', value: 'true' });
    expect(objects.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata)).toEqual([
      { name: 'postgres-users-config', namespace: 'postgres' },
    ]);
    expect(objects.some(({ kind }) => kind === 'Secret')).toBe(false);
  });
});
