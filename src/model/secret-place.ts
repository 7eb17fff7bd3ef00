// Where a Secret is.

export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
}

/** `namespace/name` */
export const placeName = ({ namespace, name }: SecretPlace): string => `${namespace}/${name}`;
