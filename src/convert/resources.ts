// Manifests of Kubernetes, of any kind → what they say.
import { at, listOf, mapOf, textOf } from './given.ts';

export interface Resource {
  /** The group of its apiVersion. */
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly annotations: ReadonlyMap<string, unknown>;
  readonly spec: ReadonlyMap<string, unknown>;
  readonly status: ReadonlyMap<string, unknown>;
}

/** The resources among values, also within lists of them. Whatever else stands there is none. */
export function resourcesOf(values: readonly unknown[]): readonly Resource[] {
  return values.flatMap((value) => {
    const [apiVersion, kind, name] = [textOf(at(value, 'apiVersion')), textOf(at(value, 'kind')), textOf(at(value, 'metadata', 'name'))];
    // Lists hold no lists.
    if (kind?.endsWith('List') === true && mapOf(value).has('items'))
      return listOf(at(value, 'items')).flatMap((item) => (mapOf(item).has('items') ? [] : resourcesOf([item])));
    if (apiVersion === undefined || kind === undefined || name === undefined) return [];
    return [
      {
        group: apiVersion.split('/')[0] ?? '',
        kind,
        name,
        namespace: textOf(at(value, 'metadata', 'namespace')),
        annotations: mapOf(at(value, 'metadata', 'annotations')),
        spec: mapOf(at(value, 'spec')),
        status: mapOf(at(value, 'status')),
      },
    ];
  });
}
