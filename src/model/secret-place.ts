// Where a Secret is.

export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
}

/** Where a reference leads that is read in `ours` unless it says another namespace. */
export const placeOfRef = (ours: string, { namespace = ours, name }: { readonly namespace?: string | undefined; readonly name: string }): SecretPlace => ({
  namespace,
  name,
});

/** `namespace/name` */
export const placeName = ({ namespace, name }: SecretPlace): string => `${namespace}/${name}`;
